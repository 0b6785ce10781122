#include "matrix/auth_graph.h"

#include <fmt/format.h>

#include <algorithm>

namespace myelin {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

std::unexpected<Error> missing(uint32_t event_no) {
  return fail(Code::kNotFound, fmt::format("the auth graph lacks event {}", event_no));
}

// Places waiting to be visited, deepest generation first. Putting and taking cost O(1).
class GenerationQueue {
 public:
  GenerationQueue(size_t places, uint32_t top_generation)
      : first_(size_t{top_generation} + 1, kNone), next_(places), generation_(top_generation) {}

  void put(uint32_t place, uint32_t generation) {
    next_[place] = first_[generation];
    first_[generation] = place;
  }
  uint32_t take() {  // kNone when empty; parents of what was taken may be put afterwards
    while (first_[generation_] == kNone) {
      if (generation_ == 0) return kNone;
      --generation_;
    }
    uint32_t place = first_[generation_];
    first_[generation_] = next_[place];
    return place;
  }

 private:
  std::vector<uint32_t> first_, next_;
  uint32_t generation_;
};

}  // namespace

Result<uint32_t> AuthGraph::generation_above(std::span<const uint32_t> parents) const {
  uint32_t generation = 0;
  for (uint32_t parent : parents) {
    auto found = index_.find(parent);
    if (found == index_.end()) return missing(parent);
    generation = std::max(generation, nodes_[found->second].generation + 1);
  }
  return generation;
}

void AuthGraph::add(uint32_t event_no, uint32_t generation, std::span<const uint32_t> parents) {
  auto [place, added] = index_.try_emplace(event_no, static_cast<uint32_t>(nodes_.size()));
  if (!added) return;
  nodes_.push_back(
      {event_no, generation, static_cast<uint32_t>(parents_.size()), static_cast<uint32_t>(parents.size())});
  parents_.insert(parents_.end(), parents.begin(), parents.end());
  top_generation_ = std::max(top_generation_, generation);
}

Result<uint32_t> AuthGraph::add(uint32_t event_no, std::span<const uint32_t> parents) {
  if (auto known = generation(event_no)) return *known;
  MYELIN_TRY(uint32_t above, generation_above(parents));
  add(event_no, above, parents);
  return above;
}

std::optional<uint32_t> AuthGraph::generation(uint32_t event_no) const {
  auto found = index_.find(event_no);
  return found == index_.end() ? std::nullopt : std::optional(nodes_[found->second].generation);
}

std::span<const uint32_t> AuthGraph::parents(uint32_t event_no) const {
  auto found = index_.find(event_no);
  return found == index_.end() ? std::span<const uint32_t>() : parents_of(nodes_[found->second]);
}

size_t AuthGraph::memory_bytes() const {
  // A slot of the index is a pair and about one byte beside it.
  return sizeof(AuthGraph) + index_.bucket_count() * (sizeof(std::pair<uint32_t, uint32_t>) + 1) +
         nodes_.capacity() * sizeof(Node) + parents_.capacity() * sizeof(uint32_t);
}

// Every event carries the sets whose chain it is known to be in. Events are visited from the deepest generation up, so
// one has all its sets when its turn comes; those with all of them only pass them on. Once nothing else waits,
// everything above is in every chain.
Result<std::vector<uint32_t>> AuthGraph::difference(std::span<const Seed> seeds, size_t set_count) const {
  size_t words = (set_count + 63) / 64;
  std::vector<uint64_t> all(words, ~uint64_t{0});
  if (set_count % 64 != 0) all.back() = (uint64_t{1} << set_count % 64) - 1;

  std::vector<uint64_t> sets(nodes_.size() * words);
  GenerationQueue queue(nodes_.size(), top_generation_);
  size_t partial = 0;  // events in the queue that lack a set
  auto sets_of = [&](uint32_t place) { return std::span(sets).subspan(place * words, words); };
  auto full = [&](std::span<const uint64_t> some) { return std::ranges::equal(some, all); };
  auto paint = [&](uint32_t place, std::span<const uint64_t> with) {
    auto own = sets_of(place);
    bool fresh = std::ranges::all_of(own, [](uint64_t word) { return word == 0; }), was_full = !fresh && full(own);
    if (was_full) return;
    for (size_t i = 0; i < words; ++i) own[i] |= with[i];
    bool is_full = full(own);
    if (fresh) queue.put(place, nodes_[place].generation);
    if (fresh && !is_full) ++partial;
    if (!fresh && is_full) --partial;
  };

  for (auto& seed : seeds) {
    auto found = index_.find(seed.event_no);
    if (found == index_.end()) return missing(seed.event_no);
    paint(found->second, seed.sets.empty() ? std::span<const uint64_t>(all) : seed.sets);
  }
  std::vector<uint32_t> difference;
  while (partial > 0) {
    uint32_t place = queue.take();
    auto own = sets_of(place);
    if (!full(own)) {
      --partial;
      difference.push_back(nodes_[place].event_no);
    }
    for (uint32_t parent : parents_of(nodes_[place])) {
      auto found = index_.find(parent);
      if (found == index_.end()) return missing(parent);
      paint(found->second, own);
    }
  }
  return difference;
}

// Down to the highest of them, what the events reach; then, from there back, what reaches one of them.
Result<std::vector<uint32_t>> AuthGraph::subgraph_between(std::span<const uint32_t> events) const {
  enum : uint8_t { kReached = 1, kEndpoint = 2, kLeadsToOne = 4 };
  std::vector<uint8_t> marks(nodes_.size());
  GenerationQueue queue(nodes_.size(), top_generation_);
  uint32_t lowest = UINT32_MAX;
  for (uint32_t event_no : events) {
    auto found = index_.find(event_no);
    if (found == index_.end()) return missing(event_no);
    auto& mark = marks[found->second];
    if (mark != 0) continue;
    mark = kReached | kEndpoint;
    queue.put(found->second, nodes_[found->second].generation);
    lowest = std::min(lowest, nodes_[found->second].generation);
  }
  std::vector<uint32_t> visited;  // places, deepest first
  for (uint32_t place; !events.empty() && (place = queue.take()) != kNone;) {
    visited.push_back(place);
    for (uint32_t parent : parents_of(nodes_[place])) {
      auto found = index_.find(parent);
      if (found == index_.end()) return missing(parent);
      if (nodes_[found->second].generation < lowest || marks[found->second] != 0) continue;
      marks[found->second] = kReached;
      queue.put(found->second, nodes_[found->second].generation);
    }
  }
  std::vector<uint32_t> result;
  for (size_t i = visited.size(); i-- > 0;) {
    auto& mark = marks[visited[i]];
    for (uint32_t parent : parents_of(nodes_[visited[i]]))
      if ((marks[index_.find(parent)->second] & (kEndpoint | kLeadsToOne)) != 0) mark |= kLeadsToOne;
    if ((mark & (kEndpoint | kLeadsToOne)) != 0) result.push_back(nodes_[visited[i]].event_no);
  }
  return result;
}

}  // namespace myelin
