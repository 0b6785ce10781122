// What one commit of sync's has changed, for every process that answers /sync: the one that committed it takes it in at
// once, the others by a hint. A lost one is found out by its missing positions (docs/spine.md, rule B9).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "matrix/ids.h"

namespace myelin::sync {

struct News {
  struct Room {
    uint32_t room_no = 0;
    int64_t pos = 0;
  };
  struct User {
    UserId user;
    int64_t pos = 0;
  };
  struct Member {  // in the order in which it happened
    UserId user;
    uint32_t room_no = 0;
    bool is_joined = false;
  };
  struct Message {
    UserId user;
    DeviceId device;
    int64_t pos = 0;
  };
  struct Written {  // an event of the user that is now in sync's tables
    UserId user;
    uint32_t room_no = 0;
    int64_t order = 0;
  };
  struct Gone {  // out of the room: types there no longer
    RoomId room;
    UserId user;
  };
  int64_t first = 0, last = 0;  // the commit's positions
  std::vector<Room> rooms{};
  std::vector<User> users{};
  std::vector<Member> members{};
  std::vector<Message> messages{};
  std::vector<Written> written{};
  std::vector<Gone> gone{};
  bool new_rules = false;  // somebody's push rules or ignored users
};

std::string encode(const News&);
Result<News> decode_news(std::string_view);  // kCorrupt

}  // namespace myelin::sync
