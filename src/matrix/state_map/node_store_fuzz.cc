// Two things, by the first byte. Even: the rest is the body of a page, its checksum made right: it is refused, or every
// walk over it ends and it survives being written again. Odd: the rest is operations on maps, compared with std::map.
#include <cstdlib>
#include <map>

#include "matrix/state_map/page.h"

namespace {

using namespace myelin;

class NumberedItems final : public ItemSource {
 public:
  Result<Fingerprint> item(uint32_t key_no, uint32_t event_no) override {
    return key_.item("t", std::to_string(key_no), EventId::trusted("$" + std::to_string(event_no)));
  }

 private:
  FingerprintKey key_{"0123456789abcdef0123456789abcdef"};
};

void require(bool condition) {
  if (!condition) std::abort();
}

void page_of_bytes(std::string_view body) {
  constexpr uint32_t kPage = 3;
  (void)Page::parse(kPage, body);
  auto page = Page::parse(kPage, page_checksum(kPage, body) + std::string(body));
  if (!page) {
    require(page.error().code == Code::kCorrupt);
    return;
  }
  auto again = Page::parse(kPage, encode_page(kPage, (*page)->nodes()));
  require(again && (*again)->nodes().size() == (*page)->nodes().size());
  PageSet pages;
  pages.add(kPage, *page);
  std::vector<StateRoot> roots;
  for (uint32_t slot = 0; slot < (*page)->nodes().size(); ++slot) {
    roots.push_back({kPage, slot, {static_cast<uint8_t>(slot + 1)}});
    StateMap map(pages, roots.back());
    std::optional<uint32_t> last;
    // Nodes may share children, so that a walk of all entries can be long: only of small trees.
    if ((*page)->nodes()[slot].level < 3) {
      (void)map.for_each([&](uint32_t key, uint32_t event_no) {
        require(!last || *last < key);
        last = key;
        auto found = map.find(key);
        require(found && *found == event_no);
      });
      for (auto& other : roots) (void)diff(StateMap(pages, other), map);
    }
    (void)map.find(slot * 977);
  }
  (void)dead_pages(pages, roots, std::array{kPage, kPage + 1});
}

void operations(const uint8_t* data, size_t size) {
  struct Version {
    StateRoot root;
    std::map<uint32_t, uint32_t> model;
  };
  PageSet pages;
  NumberedItems items;
  uint32_t next_page_no = 1;
  std::vector<Version> versions(1);
  std::vector<uint32_t> all;
  size_t at = 0;
  auto next = [&]() -> uint32_t { return at < size ? data[at++] : 0; };
  while (at < size && versions.size() < 40) {
    auto version = versions[next() % versions.size()];
    std::vector<StateEdit> edits;
    for (uint32_t count = next() % 9; count-- > 0;) {
      uint32_t shape = next(), key = next() << (shape % 25) | next(), event_no = next();
      edits.push_back({key, shape >= 200 ? std::nullopt : std::optional(event_no)});
      if (shape >= 200) {
        version.model.erase(key);
      } else {
        version.model[key] = event_no;
      }
    }
    StateWriter writer(pages, items, next_page_no);
    auto root = writer.apply(version.root, edits);
    require(root.has_value());
    for (auto& page : writer.new_pages()) {
      require(pages.add(page).has_value());
      all.push_back(page.page_no);
    }
    next_page_no = writer.next_page_no();
    version.root = *root;
    std::map<uint32_t, uint32_t> read;
    StateMap map(pages, *root);
    require(map.for_each([&](uint32_t key, uint32_t event_no) { read[key] = event_no; }).has_value());
    require(read == version.model);
    require(map.check(items).has_value());
    auto& other = versions[next() % versions.size()];
    auto changes = diff(StateMap(pages, other.root), map);
    require(changes.has_value());
    auto changed = other.model;
    for (auto& change : *changes) {
      auto before = changed.find(change.key_no);
      require(change.before == (before == changed.end() ? std::nullopt : std::optional(before->second)));
      require(change.before != change.after);
      if (change.after) {
        changed[change.key_no] = *change.after;
      } else {
        changed.erase(change.key_no);
      }
    }
    require(changed == version.model);
    versions.push_back(std::move(version));
  }
  auto kept = versions[next() % versions.size()];
  auto dead = dead_pages(pages, std::array{kept.root}, all);
  require(dead.has_value());
  for (uint32_t page : *dead) pages.erase(page);
  std::map<uint32_t, uint32_t> read;
  require(
      StateMap(pages, kept.root).for_each([&](uint32_t key, uint32_t event_no) { read[key] = event_no; }).has_value());
  require(read == kept.model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if (data[0] % 2 == 0) {
    page_of_bytes({reinterpret_cast<const char*>(data + 1), size - 1});
  } else {
    operations(data + 1, size - 1);
  }
  return 0;
}
