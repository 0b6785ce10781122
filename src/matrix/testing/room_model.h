// A room in memory with everything state resolution needs: numbers for events and keys, the auth graph, pages of state
// maps. Resolves both ways. For tests, the oracle, fuzzers and benchmarks.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "matrix/auth_graph.h"
#include "matrix/state_map.h"
#include "matrix/state_res.h"
#include "matrix/testing/literal_resolver.h"

namespace myelin::testing {

class RoomModel final : public ResolutionSource, public ItemSource {
 public:
  explicit RoomModel(const RoomRules&);

  // Its auth events must have been added before.
  uint32_t add(EventPtr, bool rejected = false);
  const RoomRules& rules() const { return *literal_.rules; }
  const Event& event(const EventId& id) const { return *literal_.events.at(id); }
  bool contains(const EventId& id) const { return literal_.events.contains(id); }
  bool is_rejected(const EventId& id) const { return literal_.rejected.contains(id); }
  const AuthGraph& graph() const { return graph_; }
  PageSet& pages() { return pages_; }

  StateRoot store(const LiteralState&);
  StateRoot edit(const StateRoot&, std::vector<StateEdit>);
  LiteralState load(const StateRoot&);
  uint32_t number(const EventId& id) const { return numbers_.at(id); }
  uint32_t key_number(const TypeAndKey& key);

  LiteralState resolve_fast(const std::vector<LiteralState>&);
  LiteralState resolve_slowly(const std::vector<LiteralState>& sets, ToTheLetter letter = ToTheLetter::kNothing) const {
    return resolve_literally(literal_, sets, letter);
  }
  size_t last_full_conflicted() const { return last_full_conflicted_; }
  size_t loads() const { return loads_; }  // events that resolve() asked for so far

  Result<EventPtr> event(uint32_t event_no) override;
  Result<bool> rejected(uint32_t event_no) override;
  Result<std::optional<uint32_t>> key_no(std::string_view type, std::string_view state_key) override;
  Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) override;

 private:
  LiteralRoom literal_;
  std::vector<EventPtr> by_number_;
  std::map<EventId, uint32_t> numbers_;
  std::map<TypeAndKey, uint32_t> keys_;
  std::vector<TypeAndKey> key_names_;
  AuthGraph graph_;
  PageSet pages_;
  uint32_t next_page_no_ = 1;
  FingerprintKey fingerprints_{"the secret of a room in a test.."};
  size_t last_full_conflicted_ = 0, loads_ = 0;
};

std::string describe(const LiteralState&);

}  // namespace myelin::testing
