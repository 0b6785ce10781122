// Calls something of every public header that no header defines: a symbol that is missing from the archive fails the
// link.
#include <iostream>

#include "base/bytes.h"
#include "base/error.h"
#include "base/keyed_hash.h"
#include "base/random.h"
#include "matrix/auth.h"
#include "matrix/auth_graph.h"
#include "matrix/device_keys.h"
#include "matrix/event.h"
#include "matrix/explain.h"
#include "matrix/filter.h"
#include "matrix/glob.h"
#include "matrix/handling_redactions.h"
#include "matrix/handshake.h"
#include "matrix/ids.h"
#include "matrix/json.h"
#include "matrix/policy_server.h"
#include "matrix/power_levels.h"
#include "matrix/property_path.h"
#include "matrix/push_rules.h"
#include "matrix/receipt_checks.h"
#include "matrix/relations.h"
#include "matrix/room_version.h"
#include "matrix/server_acl.h"
#include "matrix/server_keys.h"
#include "matrix/server_resolution.h"
#include "matrix/signing.h"
#include "matrix/state_map.h"
#include "matrix/state_res.h"
#include "matrix/stripped_state.h"
#include "matrix/tokens.h"
#include "matrix/verify.h"
#include "matrix/visibility.h"
#include "matrix/x_matrix.h"

namespace {

using namespace myelin;

class NoEvents final : public ResolutionSource {
 public:
  Result<EventPtr> event(uint32_t) override { return fail(Code::kNotFound); }
  Result<bool> rejected(uint32_t) override { return false; }
  Result<std::optional<uint32_t>> key_no(std::string_view, std::string_view) override { return std::nullopt; }
};

}  // namespace

int main() {
  SystemRandom random;
  auto& rules = *find_room_version(kDefaultRoomVersion);
  auto server = ServerName::parse("x").value();
  auto ada = UserId::make("ada", server).value();
  auto key = SigningKey::generate(random, "1");
  EventDraft draft{
      .sender = ada, .type = "m.room.create", .state_key = "", .content = {{"room_version", rules.version}}};
  auto verified = OwnEvent::build(draft, rules, server, key).value();
  auto event = verified.event();
  ServerKey known{key.public_key(), 5};
  KeyLookup look_up = [&](const ServerName&, const SigningKeyId&) { return &known; };
  PowerLevels levels(rules, nullptr, event.get());
  PageSet pages;
  AuthGraph graph;
  NoEvents no_events;
  PushContext push{.user = ada};
  struct {
    const char* what;
    bool works;
  } checks[] = {
      {"auth.h", authorize(rules, *event, AuthEventSet()) && check_auth_events(rules, *event, {}) &&
                     auth_event_keys(rules, *event).empty()},
      {"auth_graph.h", graph.add(0, std::vector<uint32_t>()) && graph.difference({}, 1)},
      {"bytes.h", sha256("").size() == 32 && hex("a") == "61"},
      {"client_event()", client_event(*event, ClientFormat::kSync).contains(event->event_id().str())},
      {"device_keys.h", is_storable("AAAAHg") && to_string(KeyUsage::kMaster) == "master"},
      {"error.h", errcode(Code::kForbidden) == "M_FORBIDDEN"},
      {"event.h", Event::parse(event->text(), rules).value()->room_id() == event->room_id() &&
                      redact(event->object(), rules).contains("content") && content_hash(event->object(), rules)},
      {"explain.h", to_text(explain_room(event->text()).value()).contains("m.room.create")},
      {"filter.h", Filter::parse({}).value().timeline().matches(*event)},
      {"glob.h", Glob("a?*").matches("abc") && fold_case("A") == "a"},
      {"handling_redactions.h", check_may_redact(levels, ada.str(), ada.str(), "m.room.message").has_value()},
      {"handshake.h", membership_of(Handshake::kKnock) == "knock"},
      {"ids.h", MxcUri::parse("mxc://x/y") && ServerName::parse("[::1]:5").value().is_ip_literal()},
      {"json.h", json::canonical(event->object(), json::CanonicalMode::kStrict) == event->text()},
      {"keyed_hash.h", keyed_hash("a") == keyed_hash("a")},
      {"policy_server.h", !PolicyServer::of(nullptr) && PolicyServer::must_sign(*event)},
      {"power_levels.h", levels.user_level(ada.str()) == kInfiniteLevel},
      {"property_path.h", property_at(event->object(), parse_property_path("content")) != nullptr},
      {"push_rules.h", !PushRules::compile(default_push_rules(ada)).evaluate(*event, push).notify},
      {"random.h", random.token(5).size() == 5},
      {"receipt_checks.h", check_receipt(rules, {.event = event}).value().verdict == Verdict::kAccept},
      {"relations.h", !relation_of(*event)},
      {"room_version.h", !all_room_versions().empty()},
      {"server_acl.h", ServerAcl().allows(server)},
      {"server_keys.h", publish_keys(server, std::array{key}, {}, 5).has_value()},
      {"server_resolution.h", std::holds_alternative<FetchWellKnown>(ServerResolution(server).step())},
      {"signing.h", verify_signature(key.public_key(), "a", key.sign("a"))},
      {"state_map.h", StateMap(pages).size() == 0U && dead_pages(pages, {}, {})},
      {"state_res.h", resolve(rules, std::array{StateMap(pages)}, graph, no_events).has_value()},
      {"stripped_state.h", stripped_state_pdus(std::array{event}).has_value()},
      {"tokens.h", SyncToken::parse(SyncToken{.position = 5}.str()).has_value()},
      {"verify.h", Verification::verify(event, rules, look_up).has_value()},
      {"visibility.h", history_visibility_of(nullptr) == HistoryVisibility::kShared},
      {"x_matrix.h", sign_request({"GET", "/"}, server, server, key).has_value()},
  };
  bool all = true;
  for (auto& check : checks) {
    if (!check.works) std::cerr << "consumer: wrong: " << check.what << '\n';
    all = all && check.works;
  }
  std::cout << "consumer: made room " << event->room_id().str() << '\n';
  return all ? 0 : 1;
}
