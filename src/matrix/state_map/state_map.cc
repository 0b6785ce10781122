// Reading: look-up, iteration, difference, garbage.
#include "matrix/state_map.h"

#include <boost/unordered/unordered_flat_set.hpp>

#include "matrix/state_map/fingerprint.h"
#include "matrix/state_map/page.h"

namespace myelin {
namespace {

using Visit = std::function<void(uint32_t key_no, uint32_t event_no)>;

Result<void> visit_all(PageStore& pages, const StateNode& node, uint32_t first_key, const Visit& visit) {
  for (unsigned i = 0; i < 16; ++i) {
    if (!node.has(i)) continue;
    uint32_t key = first_key | i << (4 * node.level);
    if (node.level == 0) {
      visit(key, node.value[i]);
      continue;
    }
    MYELIN_TRY(StateNode child, load_node(pages, node.child(i), static_cast<uint8_t>(node.level - 1)));
    MYELIN_CHECK(visit_all(pages, child, key, visit));
  }
  return {};
}

class Difference {
 public:
  Difference(PageStore& before, PageStore& after) : before_(before), after_(after) {}

  Result<void> compare(const std::optional<StateNode>& a, const std::optional<StateNode>& b, uint8_t level,
                       uint32_t first_key) {
    if (!a && !b) return {};
    for (unsigned i = 0; i < 16; ++i) {
      uint32_t key = first_key | i << (4 * level);
      if (level == 0) {
        add({key, entry(a, i), entry(b, i)});
        continue;
      }
      bool a_is_lower = a && a->level < level, b_is_lower = b && b->level < level;
      if (!a_is_lower && !b_is_lower && reference(a, i) == reference(b, i)) continue;
      MYELIN_TRY(auto a_child, child(before_, a, i, level));
      MYELIN_TRY(auto b_child, child(after_, b, i, level));
      MYELIN_CHECK(compare(a_child, b_child, static_cast<uint8_t>(level - 1), key));
    }
    return {};
  }
  std::vector<StateMapChange> take() { return std::move(changes_); }

 private:
  static std::optional<uint32_t> entry(const std::optional<StateNode>& node, unsigned i) {
    return node && node->has(i) ? std::optional(node->value[i]) : std::nullopt;
  }
  static NodeRef reference(const std::optional<StateNode>& node, unsigned i) {
    return node && node->has(i) ? node->child(i) : NodeRef();
  }
  // A node lower than `level` stands for one of that level whose first child leads to it.
  static Result<std::optional<StateNode>> child(PageStore& pages, const std::optional<StateNode>& node, unsigned i,
                                                uint8_t level) {
    if (!node) return std::nullopt;
    if (node->level < level) return i == 0 ? node : std::nullopt;
    if (!node->has(i)) return std::nullopt;
    return load_node(pages, node->child(i), static_cast<uint8_t>(level - 1));
  }
  void add(const StateMapChange& change) {
    if (change.before != change.after) changes_.push_back(change);
  }

  PageStore& before_;
  PageStore& after_;
  std::vector<StateMapChange> changes_;
};

Result<std::optional<StateNode>> top_node(const StateMap& map) {
  if (map.empty()) return std::nullopt;
  return load_node(map.pages(), top(map.root()));
}

}  // namespace

Result<std::optional<uint32_t>> StateMap::find(uint32_t key_no) const {
  MYELIN_TRY(auto node, top_node(*this));
  if (!node || !covers(node->level, key_no)) return std::nullopt;
  for (;;) {
    unsigned i = digit(key_no, node->level);
    if (!node->has(i)) return std::nullopt;
    if (node->level == 0) return node->value[i];
    MYELIN_TRY(node, load_node(*pages_, node->child(i), static_cast<uint8_t>(node->level - 1)));
  }
}

Result<void> StateMap::for_each(const Visit& visit) const {
  MYELIN_TRY(auto node, top_node(*this));
  return node ? visit_all(*pages_, *node, 0, visit) : Result<void>();
}

Result<size_t> StateMap::size() const {
  size_t count = 0;
  MYELIN_CHECK(for_each([&](uint32_t, uint32_t) { ++count; }));
  return count;
}

Result<void> StateMap::check(ItemSource& items) const {
  Uint128 sum = 0;
  Result<void> result;
  MYELIN_CHECK(for_each([&](uint32_t key_no, uint32_t event_no) {
    if (!result) return;
    auto item = items.item(key_no, event_no);
    if (item) {
      sum += number_of(*item);
    } else {
      result = std::unexpected(item.error());
    }
  }));
  MYELIN_CHECK(result);
  if (bytes_of(sum) != root_.fingerprint)
    return fail(Code::kCorrupt, "a state map has another fingerprint than its root");
  return {};
}

Result<std::vector<StateMapChange>> diff(const StateMap& before, const StateMap& after) {
  if (before == after) return {};
  MYELIN_TRY(auto a, top_node(before));
  MYELIN_TRY(auto b, top_node(after));
  uint8_t level = std::max(a ? a->level : uint8_t{0}, b ? b->level : uint8_t{0});
  Difference difference(before.pages(), after.pages());
  MYELIN_CHECK(difference.compare(a, b, level, 0));
  return difference.take();
}

Result<std::vector<uint32_t>> dead_pages(PageStore& pages, std::span<const StateRoot> roots,
                                         std::span<const uint32_t> all) {
  boost::unordered_flat_set<uint32_t> live;
  boost::unordered_flat_set<uint64_t> seen;  // inner nodes
  std::vector<NodeRef> open;
  for (auto& root : roots)
    if (root.page != 0) open.push_back(top(root));
  while (!open.empty()) {
    NodeRef ref = open.back();
    open.pop_back();
    if (!seen.insert(uint64_t{ref.page} * kNodesPerPage + ref.slot).second) continue;
    live.insert(ref.page);
    MYELIN_TRY(StateNode node, load_node(pages, ref));
    for (unsigned i = 0; i < 16 && node.level > 0; ++i) {
      if (!node.has(i)) continue;
      if (node.level > 1) {
        open.push_back(node.child(i));
      } else {
        live.insert(node.child(i).page);  // leaves lead nowhere
      }
    }
  }
  std::vector<uint32_t> dead;
  for (uint32_t page : all)
    if (!live.contains(page)) dead.push_back(page);
  return dead;
}

}  // namespace myelin
