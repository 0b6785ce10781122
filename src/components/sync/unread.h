// Unread counts (client-server API, Receiving notifications) at a cost that does not grow with the room.
//
// Every event gets one room verdict: what the default push rules make of it on facts of the room alone. sync_timeline
// keeps running sums of it per thread. A member's count is the difference of the sums now and at the event read up to,
// read by the class that the member's rules had at the time, plus exceptions: events whose verdict for this member
// differs (a mention, rules of their own). So a message writes the same rows in a room of 2 and of 10 000 members.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "infra/db/db.h"
#include "matrix/ids.h"
#include "matrix/json.h"

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

// What a member's rules make of the room verdicts.
enum class UnreadClass : uint8_t {
  kDefault,       // as the room verdict
  kMentionsOnly,  // highlights only: a room rule without notify, or no notify for messages anywhere
  kMute,          // nothing: an override rule on the room id without notify, or .m.rule.master
};
Verdict by_class(UnreadClass, Verdict room_verdict);

// The classes of one user's push rules.
struct UnreadClasses {
  UnreadClass elsewhere = UnreadClass::kDefault;
  std::map<std::string, UnreadClass> rooms{};
  UnreadClass of(const std::string& room) const;
};
UnreadClasses unread_classes(const json::Object& push_rules);

struct ThreadCount {
  std::string thread;  // "" = main
  Verdict count;
};
// Of one member in one room. By thread, main first; threads without unread events are left out, main never.
std::vector<ThreadCount> read_unread(db::ReadTx&, const UserId&, int64_t room_no);
Verdict total(const std::vector<ThreadCount>&);

// By which classes the counts of a room's members read what comes next; the default is left out.
std::map<std::string, UnreadClass> classes_now(db::ReadTx&, int64_t room_no);

// ---- writes, in sync's transaction and under the room's lock. `sums`: of the thread, the main one's for "*".
void mark_read(db::Tx&, const UserId&, int64_t room_no, const std::string& thread, int64_t order, Verdict sums);
void forget_unread(db::Tx&, const UserId&, int64_t room_no);
// Events after `from_order` are read by this class.
void change_class(db::Tx&, const UserId&, int64_t room_no, int64_t from_order, UnreadClass);
// Does the event count for anybody?
bool is_counted(db::ReadTx&, int64_t room_no, int64_t order);
// The event counts for nobody any more.
void take_back(db::Tx&, int64_t room_no, int64_t order);
// The sums of `thread` after its last event with order <= `order`.
Verdict sums_at(db::ReadTx&, int64_t room_no, const std::string& thread, int64_t order);

}  // namespace myelin::sync
