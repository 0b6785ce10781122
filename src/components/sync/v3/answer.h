// The answer of GET /_matrix/client/v3/sync, from a snapshot and what is immutable. Thread: the loop.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "components/sync/feed.h"
#include "components/sync/presence_news.h"
#include "components/sync/sync.h"
#include "components/sync/typing.h"
#include "components/sync/v3/room_section.h"
#include "components/sync/v3/snapshot.h"
#include "matrix/filter.h"

namespace myelin::sync {

struct Answer {
  std::string body;
  bool empty = true;  // nothing a long poll should end for
  int64_t position = 0;
};

class Answers {
 public:
  Answers(db::Database&, accounts::Accounts&, keys::Keys&, rooms::Queries&, Typing&, PresenceNews&, const Clock&);
  Result<Filter> parse_filter(const std::string& text) const;
  // `changed_rooms`: the joined rooms with news, where memory knows them.
  Task<Result<Answer>> build(SyncRequest, Filter, std::optional<Token> since, std::optional<ChangedRooms>,
                             const Subscriber&);
  // For a client that has everything up to `position`. No SQL.
  Task<Result<std::string>> nothing_new(SyncRequest, Token since, int64_t position, const Subscriber&);

 private:
  struct Context;
  static Viewpoint viewpoint(const Context&, bool full_state);
  Task<Result<void>> add_rooms(Context&);
  Task<Result<void>> add_quiet_rooms(Context&);
  Task<Result<std::string>> joined_room(Context&, const RoomSnapshot&, bool& empty);
  Task<Result<std::string>> account_data(Context&, std::optional<RoomId>, const std::set<std::string>* types);
  Task<Result<std::string>> key_counts(const accounts::Session&);
  Task<Result<std::vector<std::string>>> presence_events(Context&);
  db::Database& db_;
  accounts::Accounts& accounts_;
  keys::Keys& keys_;
  rooms::Queries& rooms_;
  Typing& typing_;
  PresenceNews& presence_;
  RoomSections sections_;
};

}  // namespace myelin::sync
