// Brings a room, and what a step on it lacks, from the database into memory. Thread: the loop.
#pragma once
#include "components/rooms/owner/stage.h"

namespace myelin::rooms {

class Loader {
 public:
  Loader(db::Database&, Executor loop);
  Task<Result<RoomStatePtr>> load(RoomId) const;                       // kNotFound
  Task<Result<void>> fetch(RoomStatePtr, Missing) const;

  // Takes a step that may lack something: fetches and takes it again.
  template <class T>
  Task<Result<T>> complete(RoomStatePtr room, std::function<Result<std::variant<T, Missing>>()> step) const {
    for (int round = 0; round < 64; ++round) {
      auto out = step();
      if (!out) co_return std::unexpected(std::move(out).error());
      if (auto* value = std::get_if<T>(&*out)) co_return std::move(*value);
      auto fetched = co_await fetch(room, std::move(std::get<Missing>(*out)));
      if (!fetched) co_return std::unexpected(std::move(fetched).error());
    }
    co_return fail(Code::kInternal, "a room's state cannot be brought into memory");
  }

 private:
  db::Database& db_;
  Executor loop_;
};

}  // namespace myelin::rooms
