#include "matrix/testing/room_model.h"

#include <fmt/format.h>

#include <stdexcept>

namespace myelin::testing {
namespace {

template <class T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

}  // namespace

RoomModel::RoomModel(const RoomRules& rules) { literal_.rules = &rules; }

uint32_t RoomModel::add(EventPtr event, bool rejected) {
  auto event_no = static_cast<uint32_t>(by_number_.size());
  std::vector<uint32_t> parents;
  for (auto& id : event->auth_events()) parents.push_back(numbers_.at(id));
  need(graph_.add(event_no, parents));
  if (event->is_state()) key_number({event->type(), *event->state_key()});
  numbers_[event->event_id()] = event_no;
  if (rejected) literal_.rejected.insert(event->event_id());
  literal_.events[event->event_id()] = event;
  by_number_.push_back(std::move(event));
  return event_no;
}

uint32_t RoomModel::key_number(const TypeAndKey& key) {
  auto [place, added] = keys_.try_emplace(key, static_cast<uint32_t>(keys_.size()));
  if (added) key_names_.push_back(key);
  return place->second;
}

StateRoot RoomModel::edit(const StateRoot& root, std::vector<StateEdit> edits) {
  StateWriter writer(pages_, *this, next_page_no_);
  auto result = need(writer.apply(root, std::move(edits)));
  for (auto& page : writer.new_pages()) pages_.add(page.page_no, writer.parsed(page.page_no));
  next_page_no_ = writer.next_page_no();
  return result;
}

StateRoot RoomModel::store(const LiteralState& state) {
  std::vector<StateEdit> edits;
  for (auto& [key, id] : state) edits.push_back({key_number(key), number(id)});
  return edit({}, std::move(edits));
}

LiteralState RoomModel::load(const StateRoot& root) {
  LiteralState state;
  auto read = StateMap(pages_, root).for_each([&](uint32_t key, uint32_t event_no) {
    state[key_names_.at(key)] = by_number_.at(event_no)->event_id();
  });
  if (!read) throw std::runtime_error(read.error().message);
  return state;
}

LiteralState RoomModel::resolve_fast(const std::vector<LiteralState>& sets) {
  std::vector<StateMap> maps;
  for (auto& set : sets) maps.emplace_back(pages_, store(set));
  auto resolution = need(resolve(rules(), maps, graph_, *this));
  last_full_conflicted_ = resolution.full_conflicted;
  return load(edit(maps.front().root(), resolution.edits));
}

Result<EventPtr> RoomModel::event(uint32_t event_no) {
  ++loads_;
  return by_number_.at(event_no);
}

Result<bool> RoomModel::rejected(uint32_t event_no) {
  return literal_.rejected.contains(by_number_.at(event_no)->event_id());
}

Result<std::optional<uint32_t>> RoomModel::key_no(std::string_view type, std::string_view state_key) {
  auto found = keys_.find({std::string(type), std::string(state_key)});
  return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

Result<Fingerprint> RoomModel::item(uint32_t key_no, uint32_t event_no) {
  auto& key = key_names_.at(key_no);
  return fingerprints_.item(key.type, key.state_key, by_number_.at(event_no)->event_id());
}

std::string describe(const LiteralState& state) {
  std::string text;
  for (auto& [key, id] : state) text += fmt::format("  {} \"{}\": {}\n", key.type, key.state_key, id);
  return text;
}

}  // namespace myelin::testing
