// What push rules make of events as they arrive (client-server API, Push Rules): one verdict for the room, and one for
// each member whose rules say otherwise. Thread: the loop.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "components/accounts/accounts.h"
#include "components/rooms/room_out.h"
#include "components/sync/unread.h"

namespace myelin::sync {

struct MemberVerdict {
  UserId user;
  Verdict own;
};
struct Judgement {
  Verdict room;
  // Of the local users whose verdict may be another: members with rules of their own, who is mentioned, who is invited.
  std::vector<MemberVerdict> members;  // maybe of users who are not in the room: the writer checks

  bool counts() const;  // for anybody
};

// Remembers, per room, how many are joined and the local members who have rules of their own or ignore others: as of
// the event that is judged, whatever has become of the room since (docs/spine.md, rule B3).
class Judge {
 public:
  Judge(ServerName, db::Database&, accounts::Accounts&, rooms::Queries&);
  ~Judge();
  // A batch: sync's tables stand before it. What follows is judged in the room's order.
  void begin_batch();
  Task<Result<Judgement>> judge(rooms::PlacedPtr, StateRoot root_before);
  void membership_changed(uint32_t room_no, const rooms::MembershipChange&);
  void batch_committed();
  void rules_changed();
  void forget_all();  // another process may have applied meanwhile
  // What the user's rules make of the room's verdicts from now on.
  Task<Result<UnreadClass>> class_of(UserId, RoomId);

 private:
  struct Rules;
  struct Own;
  struct Room;
  Task<Result<std::shared_ptr<const Room>>> room(uint32_t room_no);
  Task<Result<std::shared_ptr<const Own>>> own_rules(UserId);
  ServerName server_name_;
  db::Database& db_;
  accounts::Accounts& accounts_;
  rooms::Queries& rooms_;
  std::unique_ptr<Rules> rules_;
};

}  // namespace myelin::sync
