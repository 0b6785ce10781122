// The auth events of one room as numbers: who cites whom, and how deep. About 40 bytes an event. State resolution takes
// from it the auth difference and the conflicted subgraph, without stored chains.
//
// Threads: readers any, no writer beside them.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
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

  bool contains(uint32_t event_no) const { return index_.contains(event_no); }
  std::optional<uint32_t> generation(uint32_t event_no) const;
  std::span<const uint32_t> parents(uint32_t event_no) const;  // event numbers; empty when unknown
  size_t size() const { return nodes_.size(); }
  size_t memory_bytes() const;

  // One event of the state sets. `sets`: the sets that hold it, one bit each, ⌈count/64⌉ words; empty: all of them.
  struct Seed {
    uint32_t event_no;
    std::span<const uint64_t> sets;
  };
  // The events that are in the full auth chain (the set's events included) of some but not of all of `set_count` sets.
  // Visits only what lies above the youngest common ancestors. In no particular order. kNotFound: an event that is
  // needed is missing.
  Result<std::vector<uint32_t>> difference(std::span<const Seed>, size_t set_count) const;

  // The events on paths along auth events from one of these to another, these included (rooms/v12, conflicted state
  // subgraph). In no particular order.
  Result<std::vector<uint32_t>> subgraph_between(std::span<const uint32_t> events) const;

 private:
  struct Node {
    uint32_t event_no, generation, first_parent, parent_count;
  };
  std::span<const uint32_t> parents_of(const Node& node) const {
    return {parents_.data() + node.first_parent, node.parent_count};
  }
  boost::unordered_flat_map<uint32_t, uint32_t> index_;  // event number → place in nodes_
  std::vector<Node> nodes_;
  std::vector<uint32_t> parents_;
  uint32_t top_generation_ = 0;
};

}  // namespace myelin
