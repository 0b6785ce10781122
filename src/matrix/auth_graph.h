// The auth events of one room as numbers: who cites whom, and how deep. About 50 bytes an event. State resolution takes
// from it the auth difference (rooms/fragments/v2-state-res, Auth difference) and, from room version 12 on, the
// conflicted state subgraph (rooms/v12, State resolution, Conflicted state subgraph), without stored chains.
//
// Threads: readers any, no writer beside them.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <ranges>
#include <span>
#include <vector>

#include "base/error.h"

namespace myelin {

class AuthGraph {
 public:
  // 1 + the highest of the parents' generations; 0 without parents. kNotFound when a parent is missing.
  Result<uint32_t> generation_above(std::span<const uint32_t> parents) const;
  // Adds an event whose parents may come later (when loading rows in any order). An event known already stays as it is.
  // `generation` must be above the parents', as generation_above() gave it once.
  void add(uint32_t event_no, uint32_t generation, std::span<const uint32_t> parents);
  // Both in one for a new event. kNotFound when a parent is missing: no cycle can ever be added.
  Result<uint32_t> add(uint32_t event_no, std::span<const uint32_t> parents);

  bool contains(uint32_t event_no) const { return generation(event_no).has_value(); }
  std::optional<uint32_t> generation(uint32_t event_no) const;
  // A view of event numbers, valid until the next add(); empty when the event is unknown.
  auto parents(uint32_t event_no) const {
    auto found = index_.find(event_no);
    return (found == index_.end() ? std::span<const uint32_t>() : parents_of(nodes_[found->second])) |
           std::views::transform([this](uint32_t place) { return nodes_[place].event_no; });
  }
  size_t size() const { return size_; }
  size_t memory_bytes() const;

  // One event of the state sets. `sets`: the sets that hold it, one bit each, ⌈count/64⌉ words; empty: all of them.
  struct Seed {
    uint32_t event_no;
    std::span<const uint64_t> sets;
  };
  // The events that are in the full auth chain (the set's events included) of some but not of all of `set_count` sets.
  // Visits only what lies above the youngest common ancestors. In no particular order. kNotFound: an event that is
  // needed is missing; kCorrupt: a generation is not above its parents'.
  Result<std::vector<uint32_t>> difference(std::span<const Seed>, size_t set_count) const;

  // The events on paths along auth events from one of these to another, these included (rooms/v12, Conflicted state
  // subgraph). In no particular order. kNotFound: an event that is needed is missing; kCorrupt: a generation is not
  // above its parents'.
  Result<std::vector<uint32_t>> subgraph_between(std::span<const uint32_t> events) const;

 private:
  static constexpr uint32_t kUnknown = UINT32_MAX;
  struct Node {
    uint32_t event_no, generation = kUnknown, first_parent = 0, parent_count = 0;  // kUnknown: only cited so far
  };
  std::span<const uint32_t> parents_of(const Node& node) const {
    return {parents_.data() + node.first_parent, node.parent_count};
  }
  uint32_t place_of(uint32_t event_no);                   // a new one where there is none
  Result<uint32_t> known_place(uint32_t event_no) const;  // kNotFound
  Result<void> check_parent(const Node& child, const Node& parent) const;
  template <size_t kWords>
  Result<std::vector<uint32_t>> difference_of(std::span<const Seed>, size_t set_count) const;

  boost::unordered_flat_map<uint32_t, uint32_t> index_;  // event number → place in nodes_
  std::vector<Node> nodes_;
  std::vector<uint32_t> parents_;  // places
  uint32_t top_generation_ = 0;
  size_t size_ = 0;
};

}  // namespace myelin
