// A room as its rows tell it, inside one database closure: state at a root, keys, events, auth graph. What state
// resolution and received events are judged with.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "components/rooms/rooms.h"
#include "components/rooms/state/row_pages.h"
#include "matrix/auth.h"
#include "matrix/auth_graph.h"
#include "matrix/state_res.h"

namespace myelin::rooms {

inline constexpr int64_t kRejectedFlag = 1, kSoftFailedFlag = 2;  // of event.flags

class RowRoom final : public ResolutionSource, public ItemSource {
 public:
  RowRoom(db::ReadTx&, PageCache&, uint32_t room_no, const RoomRules&, const FingerprintKey&);

  RowPages& pages() { return pages_; }
  Result<EventPtr> event(uint32_t event_no) override;
  Result<bool> rejected(uint32_t event_no) override;
  Result<std::optional<uint32_t>> key_no(std::string_view type, std::string_view state_key) override;
  Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) override;
  Result<const AuthGraph*> auth_graph();

  // Events and keys that are about to be stored are told of first.
  void add_event(uint32_t event_no, EventPtr, std::vector<uint32_t> auth_parents);
  void add_key(uint32_t key_no, const TypeAndKey& name);

  // The number of the state event at a root read through `store`; nullopt: none.
  Result<std::optional<uint32_t>> find(PageStore& store, StateRoot, std::string_view type, std::string_view state_key);
  // One state out of many: what the roots resolve to. New pages go to `writer`.
  Result<StateRoot> merge(StateWriter& writer, std::span<const StateRoot> roots);

 private:
  struct Held {
    EventPtr event;
    bool rejected = false;
  };
  Result<const Held*> held(uint32_t event_no);
  Result<const TypeAndKey*> name(uint32_t key_no);
  db::ReadTx& tx_;
  RowPages pages_;
  uint32_t room_no_;
  const RoomRules& rules_;
  const FingerprintKey& fingerprint_key_;
  std::unordered_map<uint32_t, Held> events_;
  std::map<TypeAndKey, std::optional<uint32_t>> keys_;
  std::unordered_map<uint32_t, TypeAndKey> names_;
  std::vector<std::pair<uint32_t, std::vector<uint32_t>>> added_;  // not in table auth_event yet
  std::optional<AuthGraph> graph_;
};

}  // namespace myelin::rooms
