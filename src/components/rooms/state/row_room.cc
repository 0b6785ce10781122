#include "components/rooms/state/row_room.h"

#include <algorithm>

#include "components/rooms/graph/auth_rows.h"

namespace myelin::rooms {

RowRoom::RowRoom(db::ReadTx& tx, PageCache& cache, uint32_t room_no, const RoomRules& rules,
                 const FingerprintKey& fingerprint_key)
    : tx_(tx), pages_(tx, cache, room_no), room_no_(room_no), rules_(rules), fingerprint_key_(fingerprint_key) {}

Result<const RowRoom::Held*> RowRoom::held(uint32_t event_no) {
  if (auto it = events_.find(event_no); it != events_.end()) return &it->second;
  Result<EventPtr> event = fail(Code::kCorrupt, "an event that is referred to is not there");
  bool rejected = false;
  tx_.query(
      "SELECT event_id, json, flags FROM event WHERE ref = $1",
      [&](const db::Row& row) {
        event = Event::restore(row.bytes(1), EventId::trusted(row.str(0)), rules_);
        rejected = (row.i64(2) & kRejectedFlag) != 0;
      },
      EventRef{room_no_, event_no}.row());
  MYELIN_CHECK(event);
  return &(events_[event_no] = {*std::move(event), rejected});
}

Result<EventPtr> RowRoom::event(uint32_t event_no) {
  MYELIN_TRY(const auto* found, held(event_no));
  return found->event;
}

Result<bool> RowRoom::rejected(uint32_t event_no) {
  MYELIN_TRY(const auto* found, held(event_no));
  return found->rejected;
}

void RowRoom::add_event(uint32_t event_no, EventPtr event, std::vector<uint32_t> auth_parents) {
  if (event->is_state()) added_.emplace_back(event_no, std::move(auth_parents));
  events_[event_no] = {std::move(event), false};
}

void RowRoom::add_key(uint32_t key_no, const TypeAndKey& key) {
  keys_[key] = key_no;
  names_[key_no] = key;
}

Result<std::optional<uint32_t>> RowRoom::key_no(std::string_view type, std::string_view state_key) {
  TypeAndKey key{std::string(type), std::string(state_key)};
  if (auto it = keys_.find(key); it != keys_.end()) return it->second;
  auto number = tx_.one(
      "SELECT key_no FROM state_key WHERE room_no = $1 AND type = $2 AND state_key = $3",
      [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, room_no_, type, state_key);
  if (number) names_[*number] = key;
  return keys_[std::move(key)] = number;
}

Result<const TypeAndKey*> RowRoom::name(uint32_t key_no) {
  if (auto it = names_.find(key_no); it != names_.end()) return &it->second;
  auto name = tx_.one(
      "SELECT type, state_key FROM state_key WHERE room_no = $1 AND key_no = $2",
      [](const db::Row& row) { return TypeAndKey{row.str(0), row.str(1)}; }, room_no_, key_no);
  if (!name) return fail(Code::kCorrupt, "a state key without a name");
  return &(names_[key_no] = *std::move(name));
}

Result<Fingerprint> RowRoom::item(uint32_t key_no, uint32_t event_no) {
  MYELIN_TRY(const auto* key, name(key_no));
  MYELIN_TRY(const auto* found, held(event_no));
  return fingerprint_key_.item(key->type, key->state_key, found->event->event_id());
}

Result<const AuthGraph*> RowRoom::auth_graph() {
  if (!graph_) {
    MYELIN_TRY(graph_, load_auth_graph(tx_, room_no_));
    for (const auto& [event_no, parents] : added_) MYELIN_CHECK(graph_->add(event_no, parents));
  }
  return &*graph_;
}

Result<std::optional<uint32_t>> RowRoom::find(PageStore& store, StateRoot root, std::string_view type,
                                              std::string_view state_key) {
  MYELIN_TRY(auto number, key_no(type, state_key));
  if (!number) return std::optional<uint32_t>();
  return StateMap(store, root).find(*number);
}

Result<StateRoot> RowRoom::merge(StateWriter& writer, std::span<const StateRoot> roots) {
  std::vector<StateRoot> distinct;
  for (const auto& root : roots)
    if (std::ranges::find(distinct, root.fingerprint, &StateRoot::fingerprint) == distinct.end())
      distinct.push_back(root);
  if (distinct.empty()) return StateRoot{};
  if (distinct.size() == 1) return distinct.front();
  std::vector<StateMap> sets;
  for (const auto& root : distinct) sets.emplace_back(writer, root);
  MYELIN_TRY(const auto* graph, auth_graph());
  MYELIN_TRY(auto resolution, resolve(rules_, sets, *graph, *this));
  return writer.apply(distinct.front(), std::move(resolution.edits));
}

}  // namespace myelin::rooms
