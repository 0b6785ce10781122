// The one authorization rule that is checked with the signatures (verify.h), before the others.
#include "matrix/auth/scenes.h"
#include "matrix/verify.h"

namespace myelin::auth::scenes {
namespace {

const ServerName kAliceServer = ServerName::trusted("a.example"), kCarolServer = ServerName::trusted("b.example");

SigningKey make_key() {
  SeededRandom random(1);
  return SigningKey::generate(random, "k");
}
const SigningKey kKey = make_key();

enum class SignedBy : uint8_t { kOwnServer, kBothServers };

// Carol joins, and Mod's server is said to have authorised it.
Result<void> carol_joins(const Room& room, SignedBy signers) {
  EventDraft draft;
  draft.room_id = RoomId::trusted(room.room_id());
  draft.sender = UserId::trusted(std::string(kCarol));
  draft.type = "m.room.member";
  draft.state_key = std::string(kCarol);
  draft.content = {{"membership", "join"}, {"join_authorised_via_users_server", kMod}};
  auto join = OwnEvent::build(draft, room.rules(), kCarolServer, kKey).value().event();
  ServerKey known{kKey.public_key(), draft.origin_server_ts, {}};
  auto lookup = [&](const ServerName&, const SigningKeyId&) { return &known; };
  if (signers == SignedBy::kBothServers)
    join = Verification::countersign(join, room.rules(), kAliceServer, kKey, lookup).value().event.event();
  auto verified = Verification::verify(join, room.rules(), lookup);
  return verified ? Result<void>() : fail(Code::kForbidden, verified.error().message);
}

// "If content has a join_authorised_via_users_server property: If the event is not validly signed by the homeserver of
// the user ID denoted by the key, reject."
AUTH_SCENES(AuthMember, SignedByTheAuthorisersServer) {
  return {
      {"join: signed by the authoriser's server", 8, 12, kAllowed, "Mod's server has signed it too",
       [](Room& room) { return carol_joins(room, SignedBy::kBothServers); }},
      {"join: signed by the authoriser's server", 8, 12, rejected("not signed by a.example"),
       "only Carol's own server has signed it", [](Room& room) { return carol_joins(room, SignedBy::kOwnServer); }},
  };
}

}  // namespace
}  // namespace myelin::auth::scenes
