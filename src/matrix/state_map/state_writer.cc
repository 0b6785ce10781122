#include <algorithm>

#include "matrix/state_map/fingerprint.h"
#include "matrix/state_map/page.h"

namespace myelin {

// One apply(): walks down to what the edits touch, and on the way back puts every node that changed into pages,
// children before parents.
class StateWriter::Builder {
 public:
  explicit Builder(StateWriter& writer) : writer_(writer) {}

  Result<StateRoot> build(const StateRoot& root, std::span<const StateEdit> edits) {
    sum_ = number_of(root.fingerprint);
    std::optional<Place> place;
    uint8_t level = 0;
    if (root.page != 0) {
      if (root.page >= writer_.next_page_no_) return fail(Code::kCorrupt, "the state is of a page yet to be written");
      auto ref = top(root);
      MYELIN_TRY(StateNode node, load_node(writer_, ref));
      place = Place{ref, node.level};
      level = node.level;
    }
    // A higher tree only for keys that come, not for those that would go.
    for (auto& edit : edits)
      while (edit.event_no && !covers(level, edit.key_no)) ++level;
    auto beyond = std::ranges::find_if(edits, [&](const StateEdit& edit) { return !covers(level, edit.key_no); });
    MYELIN_TRY(place, edit_node(place, level, edits.first(static_cast<size_t>(beyond - edits.begin()))));
    MYELIN_TRY(place, lowered(place));
    seal();
    if (!place) return StateRoot{};
    return StateRoot{place->ref.page, place->ref.slot, bytes_of(sum_)};
  }

 private:
  struct Place {
    NodeRef ref;
    uint8_t level;
  };

  // The node at `level` after the edits, which all fall below it. `old` may be lower: it then hangs at the first place.
  Result<std::optional<Place>> edit_node(std::optional<Place> old, uint8_t level, std::span<const StateEdit> edits) {
    bool raised = old && old->level < level;
    if (edits.empty() && !raised) return old;
    StateNode node;
    node.level = level;
    if (old && !raised) {
      MYELIN_TRY(node, load_node(writer_, old->ref, level));
    }
    bool changed = false;
    if (level == 0) {
      MYELIN_TRY(changed, edit_leaf(node, edits));
    } else {
      MYELIN_TRY(changed, edit_children(node, raised ? old : std::nullopt, edits));
    }
    if (node.present == 0) return std::nullopt;
    if (!changed) return old;
    return Place{emit(node), level};
  }

  Result<bool> edit_leaf(StateNode& node, std::span<const StateEdit> edits) {
    bool changed = false;
    for (auto& edit : edits) {
      unsigned i = digit(edit.key_no, 0);
      auto old = node.has(i) ? std::optional(node.value[i]) : std::nullopt;
      if (old == edit.event_no) continue;
      changed = true;
      if (old) {
        MYELIN_TRY(Fingerprint gone, writer_.items_->item(edit.key_no, *old));
        sum_ -= number_of(gone);
      }
      if (edit.event_no) {
        MYELIN_TRY(Fingerprint come, writer_.items_->item(edit.key_no, *edit.event_no));
        sum_ += number_of(come);
      }
      set(node, i, edit.event_no.has_value(), edit.event_no.value_or(0), 0);
    }
    return changed;
  }

  Result<bool> edit_children(StateNode& node, std::optional<Place> first_child, std::span<const StateEdit> edits) {
    bool changed = false;
    auto child_level = static_cast<uint8_t>(node.level - 1);
    auto next = edits.begin();
    for (unsigned i = 0; i < 16; ++i) {
      auto begin = next;
      while (next != edits.end() && digit(next->key_no, node.level) == i) ++next;
      auto old = node.has(i) ? std::optional(Place{node.child(i), child_level}) : std::nullopt;
      bool raised = i == 0 && first_child;
      if (raised) old = first_child;
      if (begin == next && !raised) continue;
      MYELIN_TRY(auto child, edit_node(old, child_level, {begin, next}));
      if (!raised &&
          (child ? std::optional(child->ref) : std::nullopt) == (old ? std::optional(old->ref) : std::nullopt))
        continue;
      changed = true;
      set(node, i, child.has_value(), child ? child->ref.page : 0, child ? child->ref.slot : uint8_t{0});
    }
    return changed;
  }

  static void set(StateNode& node, unsigned i, bool present, uint32_t value, uint8_t slot) {
    auto bit = static_cast<uint16_t>(1U << i);
    node.present = static_cast<uint16_t>(present ? node.present | bit : node.present & ~bit);
    node.value[i] = value;
    node.slot[i] = slot;
  }

  // Without nodes at the top that lead to their first child alone.
  Result<std::optional<Place>> lowered(std::optional<Place> place) {
    while (place && place->level > 0) {
      StateNode node;
      if (place->ref.page == writer_.next_page_no_) {
        node = open_[place->ref.slot];
      } else {
        MYELIN_TRY(node, load_node(writer_, place->ref, place->level));
      }
      if (node.present != 1) break;
      place = Place{node.child(0), static_cast<uint8_t>(place->level - 1)};
    }
    return place;
  }

  NodeRef emit(const StateNode& node) {
    if (open_.size() == kNodesPerPage) seal();
    open_.push_back(node);
    return {writer_.next_page_no_, static_cast<uint8_t>(open_.size() - 1)};
  }

  void seal() {
    if (open_.empty()) return;
    uint32_t page_no = writer_.next_page_no_++;
    writer_.new_pages_.push_back({page_no, encode_page(page_no, open_)});
    writer_.parsed_[page_no] = PagePtr(new Page(std::exchange(open_, {})));
  }

  StateWriter& writer_;
  std::vector<StateNode> open_;  // the nodes of the page next_page_no_, not yet written
  Uint128 sum_ = 0;
};

StateWriter::StateWriter(PageStore& below, ItemSource& items, uint32_t next_page_no)
    : below_(&below), items_(&items), next_page_no_(std::max(next_page_no, 1U)) {}

Result<StateRoot> StateWriter::with(const StateRoot& root, uint32_t key_no, uint32_t event_no) {
  return Builder(*this).build(root, std::array{StateEdit{key_no, event_no}});
}

Result<StateRoot> StateWriter::without(const StateRoot& root, uint32_t key_no) {
  return Builder(*this).build(root, std::array{StateEdit{key_no, std::nullopt}});
}

Result<StateRoot> StateWriter::apply(const StateRoot& root, std::vector<StateEdit> edits) {
  // By key; of equal keys the last one counts.
  std::vector<uint64_t> order(edits.size());
  for (size_t i = 0; i < edits.size(); ++i) order[i] = uint64_t{edits[i].key_no} << 32 | i;
  std::ranges::sort(order);
  std::vector<StateEdit> sorted;
  sorted.reserve(edits.size());
  for (uint64_t place : order) {
    auto& edit = edits[place & 0xFFFFFFFF];
    if (!sorted.empty() && sorted.back().key_no == edit.key_no) {
      sorted.back() = edit;
    } else {
      sorted.push_back(edit);
    }
  }
  return Builder(*this).build(root, sorted);
}

Result<PagePtr> StateWriter::load(uint32_t page_no) {
  if (auto page = parsed(page_no)) return page;
  return below_->load(page_no);
}

PagePtr StateWriter::parsed(uint32_t page_no) const {
  auto found = parsed_.find(page_no);
  return found == parsed_.end() ? nullptr : found->second;
}

}  // namespace myelin
