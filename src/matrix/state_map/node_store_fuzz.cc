// Two things, by the first byte. Even: the rest is the body of a page, its checksum made right: it is refused, or every
// walk over it ends, it survives being written again, and the maps in it can be changed. Odd: the rest is operations on
// maps, compared with std::map; then pages are taken away, first those that no root of a few reaches, then any, and
// others are damaged: what can still be answered is answered right, and all else is an error.
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

#include "matrix/state_map/page.h"

namespace {

using namespace myelin;
using Model = std::map<uint32_t, uint32_t>;
using Faults = std::map<uint32_t, Code>;  // by page

class NumberedItems final : public ItemSource {
 public:
  Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) override {
    return key_.item("t", std::to_string(key_no), EventId::trusted("$" + std::to_string(event_no)));
  }

 private:
  FingerprintKey key_{"0123456789abcdef0123456789abcdef"};
};

class FaultyPages final : public PageStore {
 public:
  FaultyPages(PageStore& whole, const Faults& faults) : whole_(whole), faults_(faults) {}
  Result<PagePtr> load(uint32_t page_no) override {
    auto fault = faults_.find(page_no);
    return fault == faults_.end() ? whole_.load(page_no) : fail(fault->second);
  }

 private:
  PageStore& whole_;
  const Faults& faults_;
};

void require(bool condition) {
  if (!condition) std::abort();
}

std::optional<uint32_t> value_at(const Model& model, uint32_t key) {
  auto found = model.find(key);
  return found == model.end() ? std::nullopt : std::optional(found->second);
}

void edit(Model& model, uint32_t key, std::optional<uint32_t> event_no) {
  if (event_no) {
    model[key] = *event_no;
  } else {
    model.erase(key);
  }
}

Result<Model> read(PageStore& pages, const StateRoot& root) {
  Model model;
  MYELIN_CHECK(StateMap(pages, root).for_each([&](uint32_t key, uint32_t event_no) {
    require(model.empty() || model.rbegin()->first < key);
    model[key] = event_no;
  }));
  return model;
}

bool finds(const StateMap& map, uint32_t key, std::optional<uint32_t> event_no) {
  auto found = map.find(key);
  return found && *found == event_no;
}

// Do the changes lead from one to the other, each by what it says, in the order of the keys?
bool lead(const std::vector<StateMapChange>& changes, Model from, const Model& to) {
  for (size_t i = 0; i < changes.size(); ++i) {
    auto& [key, before, after] = changes[i];
    if (before == after || before != value_at(from, key) || (i > 0 && changes[i - 1].key_no >= key)) return false;
    edit(from, key, after);
  }
  return from == to;
}

bool is_damage(const Error& error) { return error.code == Code::kCorrupt || error.code == Code::kNotFound; }

void page_of_bytes(std::string_view body) {
  constexpr uint32_t kPage = 3;
  std::ignore = Page::parse(kPage, body);
  auto page = Page::parse(kPage, page_checksum(kPage, body) + std::string(body));
  if (!page) {
    require(page.error().code == Code::kCorrupt);
    return;
  }
  auto again = Page::parse(kPage, encode_page(kPage, (*page)->nodes()));
  require(again && (*again)->nodes().size() == (*page)->nodes().size());
  PageSet pages;
  pages.add(kPage, *page);
  NumberedItems items;
  std::vector<StateRoot> roots;
  std::vector<bool> trees;  // by slot: is all there, each node one level below its parent?
  std::vector<Result<Model>> models;
  size_t entries = 0;
  for (uint32_t slot = 0; slot < (*page)->nodes().size(); ++slot) {
    auto& node = (*page)->nodes()[slot];
    trees.push_back(true);
    for (unsigned i = 0; i < 16 && node.level > 0; ++i) {
      auto [child_page, child_slot] = node.child(i);
      if (node.has(i))
        trees[slot] = trees[slot] && child_page == kPage && trees[child_slot] &&
                      (*page)->nodes()[child_slot].level + 1 == node.level;
    }
    roots.push_back({kPage, slot, {static_cast<uint8_t>(slot + 1)}});
    StateMap map(pages, roots.back());
    // Nodes may share children, so that a walk of all entries can be long: only of small trees, and not too many.
    bool small = node.level < 3 && entries < 10'000;
    models.push_back(small ? read(pages, map.root()) : fail(Code::kCorrupt));
    auto& model = models.back();
    require(model ? trees[slot] : is_damage(model.error()) && !(small && trees[slot]));
    if (model)
      for (auto& [key, event_no] : *model) require(finds(map, key, event_no));
    entries += model ? model->size() : 0;
    for (size_t other : {size_t{0}, models.size() / 2}) {
      bool whole = model && models[other];
      if (!small || (*page)->nodes()[other].level >= 3) continue;
      auto changes = diff(StateMap(pages, roots[other]), map);
      require(changes ? !whole || lead(*changes, *models[other], *model) : !whole && is_damage(changes.error()));
    }
    StateEdit put{slot * 977, slot}, taken{model ? model->begin()->first : slot, {}};
    StateWriter writer(pages, items, kPage + 1);
    auto changed = writer.apply(map.root(), {put, taken});
    require(changed || (!model && is_damage(changed.error())));
    if (!changed) continue;
    StateMap changed_map(writer, *changed);
    require(finds(changed_map, taken.key_no, {}));
    require(put.key_no == taken.key_no || finds(changed_map, put.key_no, put.event_no));
    if (!model) continue;
    auto edited = *model;
    for (auto& each : {put, taken}) edit(edited, each.key_no, each.event_no);
    require(read(writer, *changed) == edited);
  }
  auto dead = dead_pages(pages, roots, std::array{kPage, kPage + 1});
  require(dead ? *dead == std::vector{kPage + 1} : is_damage(dead.error()));
}

class History {
 public:
  History(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  void play() {
    while (versions_.size() < 40 && next() % 16 != 0) change();
    if (all_.empty()) return;
    collect_garbage();
    Faults faults;
    for (uint32_t count = 1 + next() % 4; count-- > 0;) {
      uint32_t page = pick(all_);
      faults[page] = damage(page);
    }
    check_with(faults);
  }

 private:
  struct Version {
    StateRoot root;
    Model model;
  };

  uint32_t next() { return at_ < size_ ? data_[at_++] : 0; }
  template <class List>
  const typename List::value_type& pick(const List& list) {  // the last one when there are no bytes left
    return list[list.size() - 1 - next() % list.size()];
  }

  std::vector<StateEdit> some_edits() {
    std::vector<StateEdit> edits;
    for (uint32_t count = next() % 9; count-- > 0;) {
      uint32_t shape = next(), key = next() << (shape % 25) | next(), event_no = next();
      edits.push_back({key, shape >= 200 ? std::nullopt : std::optional(event_no)});
    }
    return edits;
  }

  void change() {
    auto version = pick(versions_);
    auto edits = some_edits();
    for (auto& each : edits) edit(version.model, each.key_no, each.event_no);
    StateWriter writer(pages_, items_, next_page_no_);
    auto root = writer.apply(version.root, edits);
    require(root.has_value());
    for (auto& page : writer.new_pages()) {
      require(pages_.add(page).has_value());
      bytes_[page.page_no] = page.bytes;
      all_.push_back(page.page_no);
    }
    next_page_no_ = writer.next_page_no();
    version.root = *root;
    require(read(pages_, *root) == version.model);
    require(StateMap(pages_, *root).check(items_).has_value());
    auto& other = pick(versions_);
    auto changes = diff(StateMap(pages_, other.root), StateMap(pages_, *root));
    require(changes && lead(*changes, other.model, version.model));
    versions_.push_back(std::move(version));
  }

  // Every node that a root leads to, by following all references.
  void reach(NodeRef ref, std::set<NodeRef>& nodes) {
    if (!nodes.insert(ref).second) return;
    auto node = *load_node(pages_, ref);
    for (unsigned i = 0; i < 16 && node.level > 0; ++i)
      if (node.has(i)) reach(node.child(i), nodes);
  }
  std::set<uint32_t> pages_of(std::span<const StateRoot> roots) {
    std::set<NodeRef> nodes;
    for (auto& root : roots)
      if (root.page != 0) reach(top(root), nodes);
    std::set<uint32_t> pages;
    for (auto& node : nodes) pages.insert(node.page);
    return pages;
  }
  std::vector<uint32_t> not_in(const std::set<uint32_t>& live) const {
    std::vector<uint32_t> dead;
    for (uint32_t page : all_)
      if (!live.contains(page)) dead.push_back(page);
    return dead;
  }

  void collect_garbage() {
    std::vector<StateRoot> kept;
    for (uint32_t count = next() % 5; count-- > 0;) kept.push_back(pick(versions_).root);
    auto dead = dead_pages(pages_, kept, all_);
    require(dead == not_in(pages_of(kept)));
    Faults gone;
    for (uint32_t page : *dead) gone[page] = Code::kNotFound;
    FaultyPages left(pages_, gone);
    for (auto& version : versions_)
      if (std::ranges::find(kept, version.root) != kept.end()) require(read(left, version.root) == version.model);
    check_with(gone);
  }

  // What loading the page comes to then.
  Code damage(uint32_t page_no) {
    auto bytes = bytes_.at(page_no);
    uint32_t kind = next() % 4, place = next() << 8 | next();
    if (kind == 0) return Code::kNotFound;
    auto& byte = bytes[place / 8 % bytes.size()];
    if (kind == 1) byte = static_cast<char>(byte ^ 1 << place % 8);
    if (kind == 2) bytes.resize(place % bytes.size());
    if (kind == 3) bytes = bytes_.at(page_no == all_.front() ? all_.back() : page_no - 1);  // another's
    if (bytes == bytes_.at(page_no)) return Code::kNotFound;
    auto parsed = Page::parse(page_no, bytes);
    require(!parsed && parsed.error().code == Code::kCorrupt);
    return Code::kCorrupt;
  }

  void check_with(const Faults& faults) {
    FaultyPages faulty(pages_, faults);
    auto &a = pick(versions_), &b = pick(versions_);
    auto edits = some_edits();
    std::array roots{a.root, b.root};
    auto of_a = pages_of(std::array{a.root}), of_both = pages_of(roots);
    // Only a page that is asked for can be in the way, and the error is that page's.
    auto may_be = [&](const Error& error, const std::set<uint32_t>& asked) {
      return std::ranges::any_of(
          faults, [&](auto& fault) { return asked.contains(fault.first) && fault.second == error.code; });
    };
    bool whole = std::ranges::none_of(faults, [&](auto& fault) { return of_a.contains(fault.first); });

    StateMap map(faulty, a.root);
    auto model = read(faulty, a.root);
    require(model ? whole && *model == a.model : may_be(model.error(), of_a));
    auto checked = map.check(items_);
    require(checked ? whole : may_be(checked.error(), of_a));
    auto edited = a.model;
    for (auto& each : edits) {
      auto found = map.find(each.key_no);
      require(found ? *found == value_at(a.model, each.key_no) : may_be(found.error(), of_a));
      edit(edited, each.key_no, each.event_no);
    }
    auto changes = diff(map, StateMap(faulty, b.root));
    require(changes ? lead(*changes, a.model, b.model) : may_be(changes.error(), of_both));
    auto dead = dead_pages(faulty, roots, all_);
    require(dead ? *dead == not_in(of_both) : may_be(dead.error(), of_both));
    StateWriter writer(faulty, items_, next_page_no_);
    auto changed = writer.apply(a.root, edits);
    if (!changed) return require(may_be(changed.error(), of_a));
    for (auto& page : writer.new_pages()) require(pages_.add(page).has_value());
    require(read(pages_, *changed) == edited);
    require(StateMap(pages_, *changed).check(items_).has_value());
  }

  const uint8_t* data_;
  size_t size_, at_ = 0;
  PageSet pages_;
  NumberedItems items_;
  std::vector<Version> versions_{Version()};
  uint32_t next_page_no_ = 1;
  std::vector<uint32_t> all_;
  std::map<uint32_t, std::string> bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if (data[0] % 2 == 0) {
    page_of_bytes({reinterpret_cast<const char*>(data + 1), size - 1});
  } else {
    History(data + 1, size - 1).play();
  }
  return 0;
}
