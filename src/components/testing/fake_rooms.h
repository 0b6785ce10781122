// One process's view of rooms that a test makes up: members, events in order, the state after each. Thread: the loop.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "components/rooms/rooms.h"
#include "matrix/room_version.h"

namespace myelin::testing {

class FakeRooms final : public rooms::Rooms, public rooms::Queries, public rooms::Commands {
 public:
  // A room numbered from 1. Its state starts empty.
  uint32_t add_room(const RoomId& room) {
    rooms_.push_back({room, {}, {}, {}});
    return static_cast<uint32_t>(rooms_.size());
  }

  // Appends an event; a state event becomes part of the state after it.
  rooms::PlacedPtr add(uint32_t room_no, const std::string& id, const UserId& sender, const std::string& type,
                       json::Object content, std::optional<std::string> state_key = {}) {
    auto& room = rooms_[room_no - 1];
    json::Object object{{"type", type},
                        {"sender", sender.str()},
                        {"room_id", room.id.str()},
                        {"depth", 1},
                        {"origin_server_ts", 1},
                        {"content", std::move(content)},
                        {"auth_events", json::Array()},
                        {"prev_events", json::Array()}};
    if (state_key) object["state_key"] = *state_key;
    auto event = Event::restore(json::serialize(object), EventId::trusted(id), *find_room_version("11"));
    rooms::PlacedEvent placed;
    placed.ref = {room_no, static_cast<uint32_t>(room.events.size() + 1)};
    placed.event = event.value();
    placed.order = placed.ref.event;
    placed.depth = placed.ref.event;
    auto state = room.states.empty() ? State() : room.states.back();
    if (state_key) state[{type, *state_key}] = placed.ref;
    room.states.push_back(std::move(state));
    room.events.push_back(std::make_shared<const rooms::PlacedEvent>(std::move(placed)));
    if (type == "m.room.member" && state_key)
      room.members[UserId::trusted(*state_key)] =
          *rooms::membership_from(json::string_at(room.events.back()->event->content(), "membership").value());
    return room.events.back();
  }
  rooms::PlacedPtr join(uint32_t room_no, const UserId& user, const std::string& name = "") {
    return add(room_no, "$join" + user.str(), user, "m.room.member", {{"membership", "join"}, {"displayname", name}},
               user.str());
  }

  void redact(rooms::EventRef ref) {
    auto& slot = rooms_.at(ref.room - 1).events.at(ref.event - 1);
    auto redacted = *slot;
    redacted.redacted_by = ref;
    slot = std::make_shared<const rooms::PlacedEvent>(std::move(redacted));
  }

  void on_written(std::function<void(const UserId&, uint32_t, int64_t)>) override {}
  rooms::Commands& commands() override { return *this; }
  rooms::Queries& queries() override { return *this; }

  Task<Result<rooms::RoomInfo>> room(RoomId id) override {
    for (size_t i = 0; i < rooms_.size(); ++i)
      if (rooms_[i].id == id) co_return info(static_cast<uint32_t>(i + 1));
    co_return fail(Code::kNotFound, "no such room");
  }
  Task<Result<rooms::RoomInfo>> room(uint32_t room_no) override { co_return info(room_no); }
  Task<Result<std::vector<rooms::PlacedPtr>>> events(std::vector<rooms::EventRef> refs) override {
    std::vector<rooms::PlacedPtr> out;
    for (auto ref : refs) out.push_back(rooms_.at(ref.room - 1).events.at(ref.event - 1));
    co_return out;
  }
  Task<Result<rooms::PlacedPtr>> event(RoomId id, EventId event_id) override {
    for (const auto& room : rooms_)
      for (const auto& placed : room.events)
        if (room.id == id && placed->event->event_id() == event_id) co_return placed;
    co_return fail(Code::kNotFound, "no such event");
  }
  Task<Result<std::vector<rooms::StateEntry>>> state_of(
      uint32_t room_no, StateRoot root, std::vector<std::pair<std::string, std::string>> keys) override {
    std::vector<rooms::StateEntry> out;
    const auto& state = rooms_.at(room_no - 1).states.at(root.page - 1);
    for (const auto& key : keys)
      if (auto it = state.find(key); it != state.end()) out.push_back({key.first, key.second, it->second});
    co_return out;
  }
  // Named by the newest state event: an event that is no state leaves the root as it is.
  Task<Result<StateRoot>> root_after(rooms::EventRef ref) override {
    const auto& events = rooms_.at(ref.room - 1).events;
    StateRoot root;
    for (root.page = ref.event; root.page > 1 && !events.at(root.page - 1)->event->is_state();) --root.page;
    co_return root;
  }
  Task<Result<std::optional<rooms::RoomMembership>>> membership(RoomId id, UserId user) override {
    for (size_t i = 0; i < rooms_.size(); ++i) {
      auto it = rooms_[i].members.find(user);
      if (rooms_[i].id == id && it != rooms_[i].members.end())
        co_return rooms::RoomMembership{static_cast<uint32_t>(i + 1), id, it->second, {}};
    }
    co_return std::nullopt;
  }
  Task<Result<std::vector<UserId>>> members(uint32_t room_no, rooms::Membership membership) override {
    std::vector<UserId> out;
    for (const auto& [user, is] : rooms_.at(room_no - 1).members)
      if (is == membership) out.push_back(user);
    co_return out;
  }

  Task<Result<std::vector<rooms::Seen>>> seen(std::vector<rooms::EventRef> refs, rooms::Viewer) override {
    std::vector<rooms::Seen> out;
    for (auto ref : refs) out.push_back({!hidden.contains(ref), "join"});
    co_return out;
  }
  std::set<rooms::EventRef> hidden;  // by history visibility, from everybody

  Task<Result<std::vector<rooms::RoomMembership>>> memberships(UserId user) override {
    std::vector<rooms::RoomMembership> out;
    for (size_t i = 0; i < rooms_.size(); ++i)
      if (auto it = rooms_[i].members.find(user); it != rooms_[i].members.end())
        out.push_back({static_cast<uint32_t>(i + 1), rooms_[i].id, it->second,
                       rooms_[i].states.back().at({"m.room.member", user.str()}), false});
    co_return out;
  }
  // To leave, or to have another profile.
  Task<Result<EventId>> change_membership(rooms::ChangeMembership change) override {
    auto room_no = (co_await room(change.room)).value().room_no;
    bool leaves = change.action == rooms::MembershipAction::kLeave;
    json::Object content{{"membership", leaves ? "leave" : "join"},
                         {"displayname", change.profile.displayname.value_or("")}};
    auto event = add(room_no, "$change", change.sender, "m.room.member", std::move(content), change.target.str());
    co_return event->event->event_id();
  }
  json::Object member(uint32_t room_no, const UserId& user) const {
    const auto& room = rooms_.at(room_no - 1);
    return room.events.at(room.states.back().at({"m.room.member", user.str()}).event - 1)->event->content();
  }

  // ---- not needed by any test so far
  Task<Result<std::vector<rooms::StateEntry>>> state(uint32_t, StateRoot) override { co_return none(); }
  Task<Result<std::vector<rooms::StateChange>>> diff(uint32_t, StateRoot, StateRoot) override { co_return none(); }
  Task<Result<StateRoot>> current_root(uint32_t) override { co_return none(); }
  Task<Result<StateRoot>> root_before(rooms::EventRef) override { co_return none(); }
  Task<Result<std::optional<rooms::EventRef>>> last_left(uint32_t, UserId) override { co_return none(); }
  Task<Result<std::vector<UserId>>> users_sharing_a_room(UserId) override { co_return none(); }
  Task<Result<std::vector<bool>>> visible(std::vector<rooms::EventRef>, rooms::Viewer) override { co_return none(); }
  Task<Result<std::vector<rooms::Relations>>> relations(std::vector<rooms::EventRef> refs, rooms::Viewer) override {
    co_return std::vector<rooms::Relations>(refs.size());
  }
  Task<Result<std::vector<rooms::PlacedPtr>>> as_erased(std::vector<rooms::PlacedPtr> events, rooms::Viewer) override {
    co_return events;
  }
  Task<Result<rooms::Page>> messages(RoomId, std::optional<rooms::PageToken>, std::optional<rooms::PageToken>,
                                     rooms::Direction, size_t, rooms::Viewer) override {
    co_return none();
  }
  Task<Result<rooms::PageToken>> live_end(uint32_t) override { co_return none(); }
  Task<Result<EventId>> send(rooms::SendEvent) override { co_return none(); }
  Task<Result<RoomId>> create(rooms::CreateRoom) override { co_return none(); }
  Task<Result<EventId>> join(rooms::JoinRoom) override { co_return none(); }
  Task<Result<void>> forget(RoomId, UserId) override { co_return none(); }
  Task<Result<void>> erase(UserId user, Milliseconds at) override {
    erased[user] = at;
    co_return Result<void>{};
  }
  std::map<UserId, Milliseconds> erased;
  Task<Result<void>> forget_device(UserId user, DeviceId device) override {
    forgotten_devices.emplace_back(std::move(user), std::move(device));
    co_return Result<void>{};
  }
  std::vector<std::pair<UserId, DeviceId>> forgotten_devices;

  Task<Result<void>> start() override { co_return Result<void>{}; }
  Task<> stop() override { co_return; }

 private:
  using State = std::map<std::pair<std::string, std::string>, rooms::EventRef>;
  struct Room {
    RoomId id;
    std::map<UserId, rooms::Membership> members;
    std::vector<rooms::PlacedPtr> events;
    std::vector<State> states;  // after each event
  };
  rooms::RoomInfo info(uint32_t room_no) const { return {room_no, rooms_.at(room_no - 1).id, find_room_version("11")}; }
  static std::unexpected<Error> none() { return fail(Code::kInternal, "not in this test"); }
  std::vector<Room> rooms_;
};

}  // namespace myelin::testing
