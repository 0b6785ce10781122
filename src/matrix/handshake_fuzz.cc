// Any JSON object as the template of a join, a knock or a leave, in the room version that the first byte picks, which
// picks one of them too: what is taken from it becomes the membership that was asked for, and nothing else.
#include <cstdlib>

#include "matrix/handshake.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  if (size == 0) return 0;
  static const SigningKey key = SigningKey::from_seed(std::string(32, 's'), "k").value();
  static const auto server = ServerName::trusted("ours.example");
  auto versions = all_room_versions();
  auto& rules = versions[data[0] % versions.size()];
  constexpr std::array kHandshakes{Handshake::kJoin, Handshake::kKnock, Handshake::kLeave};
  auto handshake = kHandshakes[data[0] / versions.size() % kHandshakes.size()];
  auto object = json::parse_object({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!object) return 0;
  TemplateRequest asked{RoomId::trusted("!r:x"), UserId::trusted("@bob:ours.example"), handshake, {}, 5};
  auto draft = draft_from_template(*object, rules, asked);
  if (!draft) {
    if (draft.error().code != Code::kBadJson) std::abort();
    return 0;
  }
  auto built = OwnEvent::build(*draft, rules, server, key);
  if (!built) {
    if (built.error().code != Code::kTooLarge) std::abort();
    return 0;
  }
  auto& event = *built->event();
  size_t extra = handshake == Handshake::kJoin && event.content().contains("join_authorised_via_users_server") ? 1 : 0;
  if (!event.is_state("m.room.member", asked.user.str()) || event.sender() != asked.user ||
      event.room_id() != asked.room || json::string_at(event.content(), "membership") != membership_of(handshake) ||
      event.content().size() != 1 + extra || event.origin_server_ts() != 5)
    std::abort();
  auto parsed = Event::parse(event.text(), rules);
  if (!parsed || !check_sent_membership(**parsed, handshake, {asked.room, (*parsed)->event_id(), server})) std::abort();
  return 0;
}
