// A persistent map from state keys to events that shares structure between versions: a radix tree, 16-way, over dense
// key numbers (docs/decisions/0003-state-map.md has the format). Keys and events are numbers that the caller gives out
// per room; a map is a root and the pages behind it, which never change once written.
//
// Reading: StateMap{pages, root}. Writing: StateWriter collects new pages beside the old ones; the caller stores what
// new_pages() gives in the transaction that first stores a root naming them. Both are synchronous: on the loop with a
// PageSet, in a database closure with a PageStore that reads rows.
//
// Threads: Page and roots are immutable, any thread. PageStore, StateMap, StateWriter: one thread at a time.
#pragma once
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "matrix/ids.h"

namespace myelin {

using Fingerprint = std::array<uint8_t, 16>;  // little-endian number modulo 2^128

// Where a state map stands: the node that is its root, and a keyed fingerprint of what it holds. Equal fingerprints:
// equal maps. Page 0, slot 0, fingerprint 0 is the empty map; real pages are numbered from 1.
struct StateRoot {
  uint32_t page = 0, slot = 0;
  std::array<uint8_t, 16> fingerprint{};
  friend auto operator<=>(const StateRoot&, const StateRoot&) = default;
};

// Fingerprints of single entries. The key is secret and of one database: with a known one, maps that collide could be
// made to order. A map's fingerprint is the sum of its entries'.
class FingerprintKey {
 public:
  explicit FingerprintKey(std::string_view secret32);
  Fingerprint item(std::string_view type, std::string_view state_key, const EventId&) const;

 private:
  std::array<uint8_t, 32> secret_;
};

// Gives the fingerprint of an entry that a change adds or removes: computed from names, or remembered per event.
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  virtual Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) = 0;
};

struct NodeRef {
  uint32_t page = 0;
  uint8_t slot = 0;
  explicit operator bool() const { return page != 0; }
  friend auto operator<=>(const NodeRef&, const NodeRef&) = default;
};

// A node covers 16^(level+1) keys. Level 0 is a leaf and holds event numbers; the others hold references.
struct StateNode {
  uint8_t level = 0;
  uint16_t present = 0;              // bit i: entry i is there
  std::array<uint8_t, 16> slot{};    // inner nodes: the slot of child i
  std::array<uint32_t, 16> value{};  // leaf: the event number; inner: the page of child i
  bool has(unsigned i) const { return (present >> i & 1) != 0; }
  NodeRef child(unsigned i) const { return {value[i], slot[i]}; }
};

inline constexpr size_t kNodesPerPage = 64;

// One stored row: up to 64 nodes and a checksum, parsed.
class Page {
 public:
  // kCorrupt: the checksum, a length, a level or a reference is wrong. `page_no` is part of what the checksum covers.
  static Result<std::shared_ptr<const Page>> parse(uint32_t page_no, std::string_view bytes);
  const StateNode* node(unsigned slot) const { return slot < nodes_.size() ? &nodes_[slot] : nullptr; }
  const std::vector<StateNode>& nodes() const { return nodes_; }
  size_t memory_bytes() const { return sizeof(Page) + nodes_.size() * sizeof(StateNode); }

 private:
  friend class StateWriter;
  explicit Page(std::vector<StateNode> nodes) : nodes_(std::move(nodes)) {}
  std::vector<StateNode> nodes_;
};
using PagePtr = std::shared_ptr<const Page>;

struct NewPage {
  uint32_t page_no;
  std::string bytes;
};

class PageStore {
 public:
  virtual ~PageStore() = default;
  virtual Result<PagePtr> load(uint32_t page_no) = 0;  // kNotFound: not here
};

// Pages in memory. load() of another gives kNotFound and remembers its number: fetch those, add them, ask again.
class PageSet final : public PageStore {
 public:
  Result<PagePtr> load(uint32_t page_no) override;
  void add(uint32_t page_no, PagePtr page);
  Result<void> add(const NewPage&);  // kCorrupt
  void erase(uint32_t page_no);
  std::vector<uint32_t> take_missing() { return std::exchange(missing_, {}); }
  size_t size() const { return pages_.size(); }

 private:
  boost::unordered_flat_map<uint32_t, PagePtr> pages_;
  std::vector<uint32_t> missing_;
};

// One difference between two maps; nullopt: not there.
struct StateMapChange {
  uint32_t key_no = 0;
  std::optional<uint32_t> before, after;
  friend bool operator==(const StateMapChange&, const StateMapChange&) = default;
};

// A map to read. Cheap to copy; the store must outlive it. Errors are the store's, and kCorrupt.
class StateMap {
 public:
  explicit StateMap(PageStore& pages, StateRoot root = {}) : pages_(&pages), root_(root) {}
  const StateRoot& root() const { return root_; }
  PageStore& pages() const { return *pages_; }
  bool empty() const { return root_.page == 0; }

  Result<std::optional<uint32_t>> find(uint32_t key_no) const;
  // In the order of the key numbers.
  Result<void> for_each(const std::function<void(uint32_t key_no, uint32_t event_no)>&) const;
  Result<size_t> size() const;
  // Sums the fingerprint anew; kCorrupt when it is not the root's. For the scrub.
  Result<void> check(ItemSource&) const;

  friend bool operator==(const StateMap& a, const StateMap& b) { return a.root_.fingerprint == b.root_.fingerprint; }

 private:
  PageStore* pages_;
  StateRoot root_;
};

// What changed from one to the other, in the order of the key numbers; costs as much as they differ. Both maps must be
// of the same room (they may read through different stores).
Result<std::vector<StateMapChange>> diff(const StateMap& before, const StateMap& after);

// One change to make: nullopt removes the key.
struct StateEdit {
  uint32_t key_no = 0;
  std::optional<uint32_t> event_no;
  friend bool operator==(const StateEdit&, const StateEdit&) = default;
};

// Makes new maps from old ones. It is a PageStore itself: its new pages, then those of the store below. Errors are
// those of that store and of the ItemSource, and kCorrupt where a page is not the tree it should be; what was written
// before one stays in new_pages(), named by no root.
class StateWriter final : public PageStore {
 public:
  // New pages are numbered from `next_page_no` (at least 1), which the caller keeps with the room.
  StateWriter(PageStore& below, ItemSource& items, uint32_t next_page_no);

  Result<StateRoot> with(const StateRoot&, uint32_t key_no, uint32_t event_no);
  Result<StateRoot> without(const StateRoot&, uint32_t key_no);
  // Many at once: every node of the new map is written once. The last edit of a key counts.
  Result<StateRoot> apply(const StateRoot&, std::vector<StateEdit> edits);

  Result<PagePtr> load(uint32_t page_no) override;
  const std::vector<NewPage>& new_pages() const { return new_pages_; }  // to store, oldest first
  PagePtr parsed(uint32_t page_no) const;                               // one of the new ones, to keep in memory
  uint32_t next_page_no() const { return next_page_no_; }

 private:
  class Builder;
  PageStore* below_;
  ItemSource* items_;
  uint32_t next_page_no_;
  std::vector<NewPage> new_pages_;
  boost::unordered_flat_map<uint32_t, PagePtr> parsed_;
};

// Garbage collection: the pages of `all` that no root reaches. A page lives as long as one of its nodes does. Loads
// every inner page that is reachable, once. Errors are the store's, and kCorrupt: then nothing may be deleted.
Result<std::vector<uint32_t>> dead_pages(PageStore&, std::span<const StateRoot> roots, std::span<const uint32_t> all);

}  // namespace myelin
