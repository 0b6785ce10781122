#include "components/rooms/owner/once.h"

#include "base/bytes.h"

namespace myelin::rooms {
namespace {
constexpr auto kDeadline = std::chrono::seconds(10);
}

std::string Name::key() const {
  std::string key;
  append_string(key, command);
  if (transaction)
    for (const auto* part :
         {&transaction->user.str(), &transaction->device.str(), &transaction->path, &transaction->id})
      append_string(key, *part);
  return key;
}

Task<Result<EventId>> Once::run(Name name, Task<Result<EventId>> work) {
  if (name.empty()) co_return co_await std::move(work);
  if (name.transaction) name.command.clear();  // the client's name is the stronger one
  auto key = name.key();
  if (const auto* done = done_.find(key)) co_return *done;
  if (auto it = under_way_.find(key); it != under_way_.end()) {
    auto other = it->second;
    auto seen = other->done.generation();
    if (!other->result) co_await other->done.wait(seen, clock_.steady() + kDeadline);
    if (!other->result) co_return fail(Code::kTimeout, "the same command is still being done");
    co_return *other->result;
  }
  struct Leader {
    Once* once;
    std::string key;
    std::shared_ptr<Waiting> mine;
    ~Leader() {
      if (!mine->result) mine->result = fail(Code::kUnavailable, "the command was given up");
      once->under_way_.erase(key);
      mine->done.ring();
    }
  } leader{this, key, std::make_shared<Waiting>(loop_)};
  under_way_[key] = leader.mine;
  leader.mine->result = co_await std::move(work);
  if (remembers_ && *leader.mine->result) done_.put(key, **leader.mine->result, key.size() + 150);
  co_return *leader.mine->result;
}

}  // namespace myelin::rooms
