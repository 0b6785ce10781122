// Unread counts (client-server API, Receiving notifications) at a cost that does not grow with the room.
//
// Every event gets one room verdict: what the default push rules make of it on facts of the room alone. sync_timeline
// keeps running sums of it per thread. A member's count is the difference of the sums now and at the event read up to,
// read by the member's class, plus exceptions: events whose verdict for this member differs (a mention, rules of their
// own). So a message writes the same rows in a room of 2 and of 10 000 members.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "components/accounts/accounts.h"
#include "components/rooms/room_out.h"
#include "infra/db/db.h"

namespace myelin::sync {

struct Verdict {
  int64_t notify = 0, highlight = 0;
  friend bool operator==(const Verdict&, const Verdict&) = default;
  friend Verdict operator-(Verdict a, Verdict b) { return {a.notify - b.notify, a.highlight - b.highlight}; }
  Verdict& operator+=(Verdict other) {
    notify += other.notify;
    highlight += other.highlight;
    return *this;
  }
};

// How a member's own rules change what the room verdicts mean in one room.
enum class UnreadClass : uint8_t {
  kDefault,       // as the room verdict
  kMentionsOnly,  // a room rule without notify: highlights only
  kMute,          // an override rule on the room id without notify: nothing
};
UnreadClass unread_class(const json::Object& push_rules, const RoomId&);
std::set<std::string> ignored_in(std::string_view ignored_user_list);  // the users that m.ignored_user_list names
Verdict by_class(UnreadClass, Verdict room_verdict);

// A member whose verdict on one event is not what their class makes of the room's.
struct Exception {
  UserId user;
  Verdict own;
};
struct Judgement {
  Verdict room;
  std::vector<Exception> exceptions;  // maybe of users who are not in the room: the writer checks
};

// Judges events as they arrive. Remembers, per room, the local members who have rules of their own or ignore others.
// Thread: the loop.
class Judge {
 public:
  Judge(ServerName, accounts::Accounts&, rooms::Queries&);
  ~Judge();
  Task<Result<Judgement>> judge(rooms::PlacedPtr, RoomId, StateRoot root_before);
  void membership_changed(uint32_t room_no);
  void rules_changed();

 private:
  struct Rules;
  Task<Result<std::vector<UserId>>> special_members(uint32_t room_no);
  Task<Result<std::set<std::string>>> ignored_by(UserId);
  ServerName server_name_;
  accounts::Accounts& accounts_;
  rooms::Queries& rooms_;
  std::unique_ptr<Rules> rules_;
};

// ---- counts of one member in one room, from the tables

struct ThreadCount {
  std::string thread;  // "" = main
  Verdict count;
};
// What the tables say, before the member's class is applied (the class needs the push rules, which the loop has).
struct UnreadRows {
  struct Thread {
    std::string thread;
    Verdict since_read;  // sums now minus sums at the read event
  };
  struct Difference {
    std::string thread;
    Verdict own, room;
  };
  std::vector<Thread> threads;
  std::vector<Difference> exceptions;
};
UnreadRows read_unread(db::ReadTx&, const UserId&, int64_t room_no);
// By thread, main first; threads without unread events are left out, main never.
std::vector<ThreadCount> count_unread(const UnreadRows&, UnreadClass);
Verdict total(const std::vector<ThreadCount>&);

// ---- writes, in sync's transaction and under the room's lock
void mark_read(db::Tx&, const UserId&, int64_t room_no, const std::string& thread, int64_t order, Verdict sums);
void forget_unread(db::Tx&, const UserId&, int64_t room_no);
// The sums of `thread` after its last event with order <= `order`.
Verdict sums_at(db::ReadTx&, int64_t room_no, const std::string& thread, int64_t order);

}  // namespace myelin::sync
