// A PDU of the room version that the first byte picks: what is accepted keeps the promises of event.h.
#include <cstdlib>

#include "matrix/redaction.h"
#include "matrix/verify.h"
#include "matrix/visibility.h"

namespace {

using namespace myelin;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const EventPtr& received, const RoomRules& rules) {
  auto& event = *received;
  require(event.text().size() <= kMaxEventBytes);
  require(event.auth_events().size() <= kMaxAuthEvents && event.prev_events().size() <= kMaxPrevEvents);
  require(EventId::parse(event.event_id().str()) && UserId::parse(event.sender().str()) &&
          RoomId::parse(event.room_id().str()));

  auto restored = Event::restore(event.text(), event.event_id(), rules);
  require(restored && (*restored)->object() == event.object() && (*restored)->room_id() == event.room_id() &&
          (*restored)->prev_events() == event.prev_events() && (*restored)->auth_events() == event.auth_events());

  json::Object redacted = redact(event.object(), rules);
  require(redact(redacted, rules) == redacted);
  require(*reference_hash(redacted, rules) == *reference_hash(event.object(), rules));
  require(*canonical_redacted(event.object(), rules) ==
          *json::canonical_without(redacted, {"signatures"}, rules.format.canonical));
  auto text = json::canonical(redacted, rules.format.canonical);
  auto copy = Event::parse(*text, rules);  // the redacted copy is an event of the same id
  require(copy && (*copy)->event_id() == event.event_id());

  for (auto format : {ClientFormat::kRoom, ClientFormat::kSync, ClientFormat::kStripped})
    require(json::parse_object(client_event(event, format, {{"age", 1}}), {.depth = 200}).has_value());
  // The bytes that are signed are the same, whichever of the two is kept.
  if (auto kept = Verification::keepable(received, rules))
    require(*canonical_redacted(kept->event->object(), rules) == *canonical_redacted(event.object(), rules));
  auto nobody = [](const ServerName&, const SigningKeyId&) -> const ServerKey* { return nullptr; };
  if (auto verified = Verification::verify(received, rules, nobody)) {  // only what the rules will check otherwise
    auto& content = verified->event.event()->content();
    auto invite = json::object_at(content, "third_party_invite");
    require(event.type() == "m.room.member" && json::string_at(content, "membership") == "invite" && invite &&
            json::object_at(*invite, "signed"));
  }
  require(!sights_of(event.sender(), event, {}).empty());
  (void)content_hash(event.object(), rules);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto versions = all_room_versions();
  auto& rules = versions[data[0] % versions.size()];
  auto event = Event::parse(std::string(reinterpret_cast<const char*>(data) + 1, size - 1), rules);
  if (event) check(*event, rules);
  return 0;
}
