// The consumer of room.out: an event or receipt becomes rows under one position each, and wakes who waits for it.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "components/sync/judge.h"
#include "components/sync/news.h"

namespace myelin::sync {

class RoomApply {
 public:
  RoomApply(ServerName, rooms::Queries&, Judge&, std::function<void(News)> tell);
  // For bus::ConsumerSpec::apply. Messages of one call get consecutive positions, in order.
  Task<Result<bus::Effects>> apply(std::vector<bus::Message>);

 private:
  struct Item;
  struct Batch;
  Task<Result<void>> prepare(Item&, rooms::PlacedPtr);
  static Result<void> write(const std::shared_ptr<Batch>&, db::Tx&);
  void committed(const Batch&);
  bool is_local(const UserId&) const;
  ServerName server_name_;
  rooms::Queries& rooms_;
  Judge& judge_;
  std::function<void(News)> tell_;
};

}  // namespace myelin::sync
