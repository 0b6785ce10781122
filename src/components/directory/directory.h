// Directory: room aliases and the published rooms list. Thread: the loop; parameters by value.
#pragma once
#include <memory>
#include <vector>

#include "components/accounts/accounts.h"

namespace myelin::directory {

struct Resolved {
  RoomId room;
  std::vector<ServerName> servers;
};

class Directory {
 public:
  virtual ~Directory() = default;
  virtual Task<Result<Resolved>> resolve(RoomAlias) = 0;              // kNotFound
  virtual Task<Result<void>> reserve(RoomAlias, UserId creator) = 0;  // kRoomInUse; bound or released within a minute
  virtual Task<Result<void>> bind(RoomAlias, RoomId, UserId creator) = 0;  // kRoomInUse
  virtual Task<Result<void>> release(RoomAlias) = 0;
  virtual Task<Result<void>> remove(RoomAlias, UserId) = 0;  // kForbidden, kNotFound
  virtual Task<Result<std::vector<RoomAlias>>> aliases(RoomId) = 0;
  virtual Task<Result<void>> publish(RoomId, bool listed) = 0;
  virtual Task<Result<bool>> published(RoomId) = 0;
  virtual Task<Result<std::vector<RoomId>>> published_rooms() = 0;
  // May this user list the room, and remove others' aliases of it: joined, with the level for m.room.canonical_alias.
  virtual Task<Result<bool>> may_change_aliases(RoomId, UserId) = 0;
};
std::unique_ptr<Directory> make_directory(ServerName, db::Database&, rooms::Rooms&, const Clock&);

}  // namespace myelin::directory
