// What has changed lately, in memory: lets a /sync with nothing new answer, and a parked one wait, without SQL. Holds
// only users that sync here; what it does not know it says it does not know. Thread: the loop.
#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/metrics.h"
#include "base/task.h"
#include "matrix/ids.h"

namespace myelin::sync {

// The messages of one device that may be stored, by their positions.
struct Mailbox {
  bool known = false;           // the table was asked: nothing else is there
  int64_t first = 0, last = 0;  // none is before or after; first = 0: there is none
};

// One user with a recent /sync.
struct Subscriber {
  Subscriber(UserId who, Executor loop) : user(std::move(who)), bell(loop) {}
  UserId user;
  std::vector<uint32_t> rooms;              // joined, sorted
  int64_t known_from = 0;                   // changes after this position are all in last_change
  int64_t last_change = 0;                  // position of the newest change that concerns the user
  bool stale = false;                       // nothing is noted here any more: load anew
  std::map<DeviceId, Mailbox> mailboxes{};  // of the devices that sync here
  Doorbell bell;                            // rings at every change
};
using SubscriberPtr = std::shared_ptr<Subscriber>;

// Rooms with news, as memory knows them: nothing is missing up to `upto`.
struct ChangedRooms {
  std::vector<uint32_t> rooms;
  int64_t upto = 0;
};

class Feed {
 public:
  Feed(Executor loop, size_t cap_bytes);

  int64_t position() const { return position_; }
  Doorbell& advanced() { return advanced_; }  // rings when position() grows

  // After a commit: first what changed at its positions, then complete(first, last). position() moves only over
  // completed positions without a gap, so it never passes a change that is not noted yet.
  void complete(int64_t first, int64_t last);
  // Other processes have come to `position`: what changed up to there is unknown here. All subscribers are stale.
  void jump(int64_t position);
  void room_changed(uint32_t room_no, int64_t position);
  void user_changed(const UserId&, int64_t position);
  void joined(const UserId&, uint32_t room_no);
  void left(const UserId&, uint32_t room_no);
  void message_sent(const UserId&, const DeviceId&, int64_t position);  // besides user_changed
  void typing_changed(uint32_t room_no);                                // wakes, changes no position
  void wake_all();

  // The subscriber, or null: load its rooms between begin_load and finish_load. finish_load fails (null) when the
  // user's membership changed meanwhile: load again.
  SubscriberPtr find(const UserId&);
  uint64_t begin_load(const UserId&);
  SubscriberPtr finish_load(const UserId&, uint64_t ticket, std::vector<uint32_t> joined_rooms);

  // Of the subscriber's rooms, those changed after `since`; nullopt when that is not known.
  std::optional<ChangedRooms> changed_rooms(const Subscriber&, int64_t since) const;

 private:
  struct Room {
    int64_t last_change = 0;
    std::vector<Subscriber*> subscribers;
  };
  int64_t noted_upto() const;
  void enter(Subscriber*, uint32_t room_no);
  void leave(Subscriber*, uint32_t room_no);
  void evict();
  void weigh(ptrdiff_t bytes);
  void advance();

  Executor loop_;
  size_t cap_bytes_, bytes_ = 0;
  prometheus::Gauge &bytes_gauge_, &entries_gauge_, &position_gauge_;
  int64_t position_ = 0;
  std::map<int64_t, int64_t> ahead_;  // completed ranges behind a gap
  Doorbell advanced_;
  std::unordered_map<UserId, std::list<SubscriberPtr>::iterator> by_user_;
  std::list<SubscriberPtr> recent_;  // most recently used first
  std::unordered_map<uint32_t, Room> rooms_;
  std::unordered_map<UserId, uint64_t> loading_;  // user -> membership changes seen while loading
};

}  // namespace myelin::sync
