// Read receipts: checked, kept from going backwards, published on the room's partition. Thread: the loop.
#pragma once
#include <string>

#include "components/presence/presence.h"

namespace myelin::presence {

class Receipts {
 public:
  Receipts(db::Database&, accounts::Accounts&, rooms::Queries&, const Clock&);
  Task<Result<void>> receipt(RoomId, UserId, std::string type, EventId, std::string thread);
  Task<Result<void>> fully_read(RoomId, UserId, EventId);

 private:
  Task<Result<rooms::PlacedPtr>> find(RoomId, UserId, EventId);

  db::Database& db_;
  accounts::Accounts& accounts_;
  rooms::Queries& rooms_;
  const Clock& clock_;
};

}  // namespace myelin::presence
