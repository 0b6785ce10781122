// Unread counts the plain way: every event is judged for every member when it arrives, by the rules they have then, and
// a count goes over all of it. What sync's sums are compared with. Thread: the test's.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "components/rooms/room_out.h"
#include "components/sync/testing/client.h"
#include "matrix/power_levels.h"
#include "matrix/push_rules.h"
#include "matrix/relations.h"

namespace myelin::sync::testing {

class NaiveCounts {
 public:
  explicit NaiveCounts(World& world) : world_(world) {}

  // What rooms have said since the last time. Call it where sync has it delivered.
  void follow() {
    auto messages = value(world_.loop.run(world_.bus->messages(rooms::kRoomOut)));
    for (const auto& message : messages) {
      auto& seen = seen_[message.partition];
      if (message.seq <= seen) continue;
      seen = message.seq;
      auto said = value(rooms::decode_room_out(message.body));
      if (const auto* added = std::get_if<rooms::EventAdded>(&said.what))
        add(said, *added);
      else
        read(said.room.str(), std::get<rooms::ReceiptAdded>(said.what));
    }
  }

  // By thread, "" = main; threads without unread events are left out.
  std::map<std::string, Count> counts(const std::string& room, const std::string& user) const {
    std::map<std::string, Count> out{{"", {}}};
    auto it = members_.find({room, user});
    if (it == members_.end()) return out;
    for (const auto& event : it->second.events) {
      if (redacted_.contains(event.id) || event.order <= it->second.read_upto(event.thread)) continue;
      out[event.thread].notify += event.notify;
      out[event.thread].highlight += event.highlight;
    }
    std::erase_if(out, [](const auto& entry) { return !entry.first.empty() && entry.second == Count{}; });
    return out;
  }

  // For whoever looks for a difference.
  std::string describe(const std::string& room, const std::string& user) const {
    auto it = members_.find({room, user});
    if (it == members_.end()) return "not a member";
    std::string out;
    for (const auto& event : it->second.events)
      out += fmt::format("\n  {} {} thread '{}': notify {} highlight {}{}", event.order, event.id, event.thread,
                         event.notify, event.highlight, redacted_.contains(event.id) ? ", redacted" : "");
    for (const auto& [thread, order] : it->second.read) out += fmt::format("\n  read '{}' up to {}", thread, order);
    return out;
  }

 private:
  struct Judged {
    std::string id, thread;
    int64_t order;
    bool notify, highlight;
  };
  struct Member {
    std::vector<Judged> events;  // since they joined
    std::map<std::string, int64_t> read;
    int64_t read_upto(const std::string& thread) const {
      int64_t order = 0;
      for (const auto& key : {thread, std::string("*")})
        if (auto it = read.find(key); it != read.end()) order = std::max(order, it->second);
      return order;
    }
    void mark(const std::string& thread, int64_t order) { read[thread] = std::max(read[thread], order); }
  };

  EventPtr state(uint32_t room_no, StateRoot root, const std::string& type, const std::string& key) {
    auto found = value(world_.loop.run(world_.queries().state_of(room_no, root, {{type, key}})));
    if (found.empty()) return nullptr;
    return value(world_.loop.run(world_.queries().events({found.front().ref}))).front()->event;
  }
  int64_t joined(uint32_t room_no, StateRoot root) {
    int64_t count = 0;
    for (const auto& entry : value(world_.loop.run(world_.queries().state(room_no, root))))
      if (entry.type == "m.room.member")
        count += json::string_at(state(room_no, root, entry.type, entry.key)->content(), "membership") == "join";
    return count;
  }

  std::string thread_of(const RoomId& room, EventPtr event) {
    for (int hop = 0; hop < 3; ++hop) {
      auto relation = event->is_state() ? std::nullopt : relation_of(*event);
      if (!relation) return {};
      if (relation->type == "m.thread") return relation->parent.str();
      auto parent = world_.loop.run(world_.queries().event(room, relation->parent));
      if (!parent) return {};
      event = (*parent)->event;
    }
    return {};
  }

  void add(const rooms::RoomOut& said, const rooms::EventAdded& added) {
    const auto& room = said.room.str();
    if (!added.soft_failed) {
      auto placed = value(world_.loop.run(world_.queries().events({added.ref}))).front();
      if (placed->redacted_by) redacted_.insert(placed->event->event_id().str());
      if (auto target = placed->event->redacts())
        if (auto found = world_.loop.run(world_.queries().event(said.room, *target)); found && (*found)->redacted_by)
          redacted_.insert(target->str());
      auto thread = thread_of(said.room, placed->event);
      for (auto& [key, member] : members_)
        if (key.first == room) judge(key.second, member, said, added, *placed->event, thread);
      if (auto own = members_.find({room, added.sender.str()}); own != members_.end() && !added.is_state)
        own->second.mark(thread, added.order);
    }
    for (const auto& change : added.memberships) {
      if (change.before == change.after || change.user.server() != world_.server.str()) continue;
      std::pair key(room, change.user.str());
      members_.erase(key);
      if (change.after == rooms::Membership::kJoin) members_[key].mark("*", added.order);
    }
  }

  void judge(const std::string& user, Member& member, const rooms::RoomOut& said, const rooms::EventAdded& added,
             const Event& event, const std::string& thread) {
    if (added.sender.str() == user) return;
    auto id = UserId::trusted(user);
    if (auto list = world_.loop.run(world_.accounts->account_data(id, std::nullopt, "m.ignored_user_list"))) {
      auto content = object(*list);
      const auto* ignored = json::object_at(content, "ignored_users");
      if (ignored != nullptr && ignored->contains(added.sender.str())) return;
    }
    auto create = state(said.room_no, added.before, "m.room.create", "");
    auto levels = state(said.room_no, added.before, "m.room.power_levels", "");
    auto own = state(said.room_no, added.before, "m.room.member", user);
    PushContext context{.user = id};
    if (own) context.display_name = json::string_at(own->content(), "displayname").value_or("");
    context.member_count = joined(said.room_no, added.before);
    auto info = value(world_.loop.run(world_.queries().room(said.room)));
    context.power_levels.emplace(*info.rules, levels.get(), create.get());
    auto rules = value(world_.loop.run(world_.accounts->push_rules(id)));
    auto verdict = PushRules::compile(*rules).evaluate(event, context);
    if (verdict.notify)
      member.events.push_back({event.event_id().str(), thread, added.order, verdict.notify, verdict.highlight});
  }

  void read(const std::string& room, const rooms::ReceiptAdded& receipt) {
    auto it = members_.find({room, receipt.user.str()});
    if (it == members_.end()) return;
    it->second.mark(receipt.thread.empty() ? "*" : receipt.thread == "main" ? "" : receipt.thread, receipt.order);
  }

  World& world_;
  std::map<uint32_t, uint64_t> seen_;
  std::map<std::pair<std::string, std::string>, Member> members_;  // room, user
  std::set<std::string> redacted_;
};

// What the tables hold of one user's counts in one room, for who looks into a failure.
inline std::string rows_behind_counts(World& world, const std::string& room, const std::string& user) {
  return value(world.loop.run(world.db->read([room, user](db::ReadTx& tx) {
    std::string out;
    auto room_no =
        tx.one(
              "SELECT room_no FROM sync_room WHERE room_id = $1", [](const db::Row& row) { return row.i64(0); }, room)
            .value_or(0);
    tx.query(
        "SELECT thread, read_order, notify_base FROM unread WHERE user_id = $1 AND room_no = $2",
        [&](const db::Row& row) {
          out += fmt::format("\n  unread '{}' {} base {}", row.text(0), row.i64(1), row.i64(2));
        },
        user, room_no);
    tx.query(
        "SELECT thread, order_no, notify, room_notify FROM unread_exception WHERE user_id = $1 AND room_no = $2",
        [&](const db::Row& row) {
          out +=
              fmt::format("\n  exception '{}' {}: {} instead of {}", row.text(0), row.i64(1), row.i64(2), row.i64(3));
        },
        user, room_no);
    tx.query(
        "SELECT from_order, class FROM unread_class WHERE user_id = $1 AND room_no = $2",
        [&](const db::Row& row) { out += fmt::format("\n  class {} from {}", row.i64(1), row.i64(0)); }, user, room_no);
    tx.query(
        "SELECT thread, order_no, notify FROM unread_redacted WHERE room_no = $1",
        [&](const db::Row& row) {
          out += fmt::format("\n  redacted '{}' {}: {}", row.text(0), row.i64(1), row.i64(2));
        },
        room_no);
    tx.query(
        "SELECT order_no, pos, thread, notify, ref FROM sync_timeline WHERE room_no = $1 ORDER BY pos",
        [&](const db::Row& row) {
          out += fmt::format("\n  order {} pos {} '{}' sum {}", row.i64(0), row.i64(1), row.text(2), row.i64(3));
        },
        room_no);
    return out;
  })));
}

}  // namespace myelin::sync::testing
