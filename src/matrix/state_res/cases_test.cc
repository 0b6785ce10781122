// The cases of a directory named by MYELIN_STATE_RES_CASES, each file one (events with given ids, and the state
// expected): resolved event by event, batch by batch and all at once. Skipped when there is none.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "matrix/testing/room_model.h"

namespace myelin {
namespace {

using testing::LiteralState;
using testing::RoomModel;

struct Case {
  std::string name, kind;
  const RoomRules* rules = nullptr;
  std::vector<std::vector<EventPtr>> batches;
  std::vector<std::vector<EventId>> state_maps;
  LiteralState expected;
};

EventId id_of(const json::Value& value) { return EventId::trusted(std::string(std::string_view(value.get_string()))); }

Case read_case(const std::filesystem::path& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  auto object = json::parse_object(text.str()).value();
  Case result;
  result.name = json::string_at(object, "name").value();
  result.kind = json::string_at(object, "kind").value();
  auto& batches = object["batches"].as_array();
  auto& create = batches.at(0).at(0).as_object();
  result.rules = find_room_version(json::string_at(*json::object_at(create, "content"), "room_version").value());
  for (auto& batch : batches) {
    auto& events = result.batches.emplace_back();
    for (auto& entry : batch.as_array()) {
      auto pdu = entry.as_object();
      pdu["depth"] = 1;
      events.push_back(Event::restore(json::serialize(pdu), id_of(pdu["event_id"]), *result.rules).value());
    }
  }
  for (auto& entry : *json::array_at(object, "expected")) {
    auto& event = entry.as_object();
    TypeAndKey key{std::string(json::string_at(event, "type").value()),
                   std::string(json::string_at(event, "state_key").value())};
    result.expected[key] = id_of(event.at("event_id"));
  }
  if (auto maps = json::array_at(object, "state_maps")) {
    for (auto& map : *maps) {
      auto& ids = result.state_maps.emplace_back();
      for (auto& id : map.as_array()) ids.push_back(id_of(id));
    }
  }
  return result;
}

LiteralState state_of(const RoomModel& room, const std::vector<EventId>& ids) {
  LiteralState state;
  for (auto& id : ids) state[{room.event(id).type(), *room.event(id).state_key()}] = id;
  return state;
}

// Every event of the case, their auth events first: files need not be in that order.
RoomModel fill(const Case& the) {
  RoomModel room(*the.rules);
  std::vector<EventPtr> waiting;
  for (auto& batch : the.batches) waiting.insert(waiting.end(), batch.begin(), batch.end());
  while (!waiting.empty()) {
    auto ready = std::ranges::partition(waiting, [&](const EventPtr& event) {
      return !std::ranges::all_of(event->auth_events(), [&](const EventId& id) { return room.contains(id); });
    });
    if (ready.empty()) throw std::runtime_error("auth events are missing");
    for (auto& event : ready) room.add(event);
    waiting.erase(ready.begin(), ready.end());
  }
  return room;
}

LiteralState resolve_both_ways(RoomModel& room, const std::vector<LiteralState>& sets) {
  if (sets.size() == 1) return sets.front();
  auto fast = room.resolve_fast(sets);
  EXPECT_EQ(fast, room.resolve_slowly(sets));
  return fast;
}

LiteralState after(RoomModel& room, const std::map<EventId, LiteralState>& states, const std::vector<EventId>& prev) {
  std::vector<LiteralState> sets;
  for (auto& id : prev) sets.push_back(states.at(id));
  return sets.empty() ? LiteralState() : resolve_both_ways(room, sets);
}

void event_by_event(const Case& the) {
  auto room = fill(the);
  std::map<EventId, LiteralState> states;
  std::set<EventId> ends;
  std::vector<EventPtr> waiting;
  for (auto& batch : the.batches) waiting.insert(waiting.end(), batch.begin(), batch.end());
  while (!waiting.empty()) {
    auto next = std::ranges::find_if(waiting, [&](const EventPtr& event) {
      return std::ranges::all_of(event->prev_events(), [&](const EventId& id) { return states.contains(id); });
    });
    ASSERT_NE(next, waiting.end());
    auto event = *next;
    waiting.erase(next);
    auto state = after(room, states, event->prev_events());
    state[{event->type(), *event->state_key()}] = event->event_id();
    states[event->event_id()] = std::move(state);
    for (auto& id : event->prev_events()) ends.erase(id);
    ends.insert(event->event_id());
  }
  EXPECT_EQ(after(room, states, {ends.begin(), ends.end()}), the.expected);
}

void batch_by_batch(const Case& the, const std::vector<std::vector<EventPtr>>& batches) {
  auto room = fill(the);
  LiteralState state;
  for (auto& batch : batches) {
    std::vector<LiteralState> sets;
    if (!state.empty()) sets.push_back(state);
    for (auto& event : batch) sets.push_back(state_of(room, {event->event_id()}));
    state = resolve_both_ways(room, sets);
  }
  EXPECT_EQ(state, the.expected);
}

TEST(StateResCases, EveryFileThreeWays) {
  auto named = std::getenv("MYELIN_STATE_RES_CASES");
  std::filesystem::path directory = named ? named : "../shared/state-res-cases";
  if (!exists(directory))
    GTEST_SKIP() << "left out: state resolution cases from outside, none in " << directory
                 << "; MYELIN_STATE_RES_CASES names another place";
  size_t count = 0;
  for (auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() != ".json") continue;
    auto the = read_case(file.path());
    SCOPED_TRACE(the.name);
    ++count;
    if (the.kind == "state_maps") {
      auto room = fill(the);
      std::vector<LiteralState> sets;
      for (auto& ids : the.state_maps) sets.push_back(state_of(room, ids));
      EXPECT_EQ(resolve_both_ways(room, sets), the.expected);
      continue;
    }
    event_by_event(the);
    batch_by_batch(the, the.batches);
    std::vector<EventPtr> all;
    for (auto& batch : the.batches) all.insert(all.end(), batch.begin(), batch.end());
    batch_by_batch(the, {all});
  }
  EXPECT_GT(count, 0u);
  std::cout << count << " cases of " << directory << ", three ways each\n";
}

}  // namespace
}  // namespace myelin
