// m.room.aliases (rule 4 of versions 1 to 5; later versions treat it as any other state event).
#include "matrix/auth/rules.h"

namespace myelin::auth {

Result<void> check_aliases(const Event& event) {
  // "If event has no state_key, reject."
  if (!event.is_state()) return reject("an aliases event has a state key");
  // "If sender's domain doesn't match state_key, reject." "Otherwise, allow."
  if (event.sender().server() != *event.state_key()) return reject("the aliases are of another server than the sender");
  return {};
}

}  // namespace myelin::auth
