// Brings a room, and what a step on it lacks, from the database into memory. Thread: the loop.
#pragma once
#include "components/rooms/owner/room_state.h"
#include "components/rooms/state/row_pages.h"

namespace myelin::rooms {

class Loader {
 public:
  Loader(db::Database& db, PageCache& pages, Executor loop) : db_(db), pages_(pages), loop_(loop) {}
  Task<Result<RoomStatePtr>> load(RoomId) const;          // one read; kNotFound
  Task<Result<void>> fetch(RoomStatePtr, Missing) const;  // one read

 private:
  db::Database& db_;
  PageCache& pages_;
  Executor loop_;
};

}  // namespace myelin::rooms
