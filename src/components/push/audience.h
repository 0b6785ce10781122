// Whose devices an event makes ring: members with a pusher whose push rules say so (client-server API, Push Rules).
// Thread: the loop.
#pragma once
#include <string>
#include <vector>

#include "base/lru.h"
#include "components/push/pushers.h"
#include "matrix/push_rules.h"

namespace myelin::push {

struct Listener {
  UserId user;
  json::Object tweaks;  // sound, highlight, …
};

class Audience {
 public:
  Audience(accounts::Accounts&, rooms::Queries&);
  // `with_pusher`: everybody who has one.
  Task<Result<std::vector<Listener>>> of(rooms::EventRef, Pushers::Users with_pusher);
  // Members with a pusher.
  Task<Result<std::vector<UserId>>> members(RoomId, Pushers::Users with_pusher);

 private:
  struct Room;
  struct Rules {
    std::shared_ptr<const json::Object> source;
    std::shared_ptr<const PushRules> compiled;
  };
  using RoomPtr = std::shared_ptr<const Room>;
  // At the state after the event. Cached: most events do not change the state.
  Task<Result<RoomPtr>> load(rooms::EventRef, EventPtr, Pushers::Users);
  Task<Result<std::shared_ptr<const PushRules>>> rules_of(UserId);
  Task<Result<bool>> ignores(UserId user, UserId sender);

  accounts::Accounts& accounts_;
  rooms::Queries& rooms_;
  Lru<UserId, Rules> rules_;
  Lru<uint32_t, RoomPtr> loaded_;
};

// "" when absent.
std::string content_text(const Event*, std::string_view key);

}  // namespace myelin::push
