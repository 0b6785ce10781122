#include "matrix/auth_graph.h"

#include <fmt/format.h>

#include <algorithm>

namespace myelin {
namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr uint32_t kMaxGeneration = 1U << 24;  // no room has that many state events in one line

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

// For each place the sets whose chain it is known to be in. kWords is 0 when only known at run time.
template <size_t kWords>
class Paint {
 public:
  Paint(size_t places, size_t set_count)
      : words_((set_count + 63) / 64), all_(words_, ~uint64_t{0}), sets_(places * words_) {
    if (set_count % 64 != 0) all_.back() = (uint64_t{1} << set_count % 64) - 1;
  }
  enum class Effect : uint8_t { kNothing, kFresh, kFreshAndFull, kFilled };
  Effect add(uint32_t place, const uint64_t* with) {
    uint64_t* own = of(place);
    if (is(own, all_.data())) return Effect::kNothing;
    bool fresh = std::all_of(own, own + words(), [](uint64_t word) { return word == 0; });
    for (size_t i = 0; i < words(); ++i) own[i] |= with[i];
    if (is(own, all_.data())) return fresh ? Effect::kFreshAndFull : Effect::kFilled;
    return fresh ? Effect::kFresh : Effect::kNothing;
  }
  bool full(uint32_t place) { return is(of(place), all_.data()); }
  uint64_t* of(uint32_t place) { return sets_.data() + place * words(); }
  const uint64_t* all() const { return all_.data(); }

 private:
  size_t words() const { return kWords == 0 ? words_ : kWords; }
  bool is(const uint64_t* a, const uint64_t* b) const { return std::equal(a, a + words(), b); }
  size_t words_;
  std::vector<uint64_t> all_, sets_;
};

}  // namespace

uint32_t AuthGraph::place_of(uint32_t event_no) {
  auto [found, added] = index_.try_emplace(event_no, static_cast<uint32_t>(nodes_.size()));
  if (added) nodes_.push_back({event_no});
  return found->second;
}

Result<uint32_t> AuthGraph::known_place(uint32_t event_no) const {
  auto found = index_.find(event_no);
  if (found == index_.end() || nodes_[found->second].generation == kUnknown) return missing(event_no);
  return found->second;
}

Result<uint32_t> AuthGraph::generation_above(std::span<const uint32_t> parents) const {
  uint32_t generation = 0;
  for (uint32_t parent : parents) {
    MYELIN_TRY(uint32_t place, known_place(parent));
    generation = std::max(generation, nodes_[place].generation + 1);
  }
  return generation;
}

void AuthGraph::add(uint32_t event_no, uint32_t generation, std::span<const uint32_t> parents) {
  uint32_t place = place_of(event_no);
  if (nodes_[place].generation != kUnknown) return;
  auto first_parent = static_cast<uint32_t>(parents_.size());
  for (uint32_t parent : parents) parents_.push_back(place_of(parent));
  nodes_[place] = {event_no, generation, first_parent, static_cast<uint32_t>(parents.size())};
  top_generation_ = std::max(top_generation_, generation);
  ++size_;
}

Result<uint32_t> AuthGraph::add(uint32_t event_no, std::span<const uint32_t> parents) {
  if (auto known = generation(event_no)) return *known;
  MYELIN_TRY(uint32_t above, generation_above(parents));
  add(event_no, above, parents);
  return above;
}

std::optional<uint32_t> AuthGraph::generation(uint32_t event_no) const {
  auto place = known_place(event_no);
  return place ? std::optional(nodes_[*place].generation) : std::nullopt;
}

size_t AuthGraph::memory_bytes() const {
  // A slot of the index is a pair and about one byte beside it.
  return sizeof(AuthGraph) + index_.bucket_count() * (sizeof(std::pair<uint32_t, uint32_t>) + 1) +
         nodes_.capacity() * sizeof(Node) + parents_.capacity() * sizeof(uint32_t);
}

// What holds for every graph that add() made of true rows, and every walk relies on.
Result<void> AuthGraph::check_parent(const Node& child, const Node& parent) const {
  if (parent.generation == kUnknown) return missing(parent.event_no);
  if (parent.generation >= child.generation)
    return fail(Code::kCorrupt, fmt::format("the auth generation of event {} is wrong", child.event_no));
  return {};
}

Result<std::vector<uint32_t>> AuthGraph::difference(std::span<const Seed> seeds, size_t set_count) const {
  return set_count <= 64 ? difference_of<1>(seeds, set_count) : difference_of<0>(seeds, set_count);
}

// "Taking every event that doesn't appear in every auth chain" (rooms/fragments/v2-state-res, Auth difference).
// Every event carries the sets whose chain it is known to be in. Events are visited from the deepest generation up, so
// one has all its sets when its turn comes; those with all of them only pass them on. Once nothing else waits,
// everything above is in every chain.
template <size_t kWords>
Result<std::vector<uint32_t>> AuthGraph::difference_of(std::span<const Seed> seeds, size_t set_count) const {
  if (top_generation_ > kMaxGeneration) return fail(Code::kCorrupt, "the auth generations are wrong");
  Paint<kWords> paint(nodes_.size(), set_count);
  GenerationQueue queue(nodes_.size(), top_generation_);
  size_t partial = 0;  // events in the queue that lack a set
  auto put = [&](uint32_t place, const uint64_t* sets) {
    using Effect = typename Paint<kWords>::Effect;
    auto effect = paint.add(place, sets);
    if (effect == Effect::kFresh) ++partial;
    if (effect == Effect::kFilled) --partial;
    if (effect == Effect::kFresh || effect == Effect::kFreshAndFull) queue.put(place, nodes_[place].generation);
  };
  for (auto& seed : seeds) {
    MYELIN_TRY(uint32_t place, known_place(seed.event_no));
    put(place, seed.sets.empty() ? paint.all() : seed.sets.data());
  }
  std::vector<uint32_t> difference;
  while (partial > 0) {
    uint32_t place = queue.take();
    auto& node = nodes_[place];
    if (!paint.full(place)) {
      --partial;
      difference.push_back(node.event_no);
    }
    for (uint32_t parent : parents_of(node)) {
      MYELIN_CHECK(check_parent(node, nodes_[parent]));
      put(parent, paint.of(place));
    }
  }
  return difference;
}

// "Starting from an event in the conflicted state set and following auth_events edges may lead to another event in the
// conflicted state set. The union of all such paths …" (rooms/v12, Conflicted state subgraph). Down to the highest of
// them, what the events reach; then, from there back, what reaches one of them.
Result<std::vector<uint32_t>> AuthGraph::subgraph_between(std::span<const uint32_t> events) const {
  if (top_generation_ > kMaxGeneration) return fail(Code::kCorrupt, "the auth generations are wrong");
  enum : uint8_t { kReached = 1, kEndpoint = 2, kLeadsToOne = 4 };
  std::vector<uint8_t> marks(nodes_.size());
  GenerationQueue queue(nodes_.size(), top_generation_);
  uint32_t lowest = UINT32_MAX;
  for (uint32_t event_no : events) {
    MYELIN_TRY(uint32_t place, known_place(event_no));
    if (marks[place] != 0) continue;
    marks[place] = kReached | kEndpoint;
    queue.put(place, nodes_[place].generation);
    lowest = std::min(lowest, nodes_[place].generation);
  }
  std::vector<uint32_t> visited;  // places, deepest first
  for (uint32_t place; !events.empty() && (place = queue.take()) != kNone;) {
    visited.push_back(place);
    for (uint32_t parent : parents_of(nodes_[place])) {
      MYELIN_CHECK(check_parent(nodes_[place], nodes_[parent]));
      if (nodes_[parent].generation < lowest || marks[parent] != 0) continue;
      marks[parent] = kReached;
      queue.put(parent, nodes_[parent].generation);
    }
  }
  std::vector<uint32_t> result;
  for (size_t i = visited.size(); i-- > 0;) {
    auto& mark = marks[visited[i]];
    for (uint32_t parent : parents_of(nodes_[visited[i]]))
      if ((marks[parent] & (kEndpoint | kLeadsToOne)) != 0) mark |= kLeadsToOne;
    if ((mark & (kEndpoint | kLeadsToOne)) != 0) result.push_back(nodes_[visited[i]].event_no);
  }
  return result;
}

}  // namespace myelin
