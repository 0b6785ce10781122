#include "components/rooms/state/row_pages.h"

#include <algorithm>

namespace myelin::rooms {
namespace {
uint64_t key_of(uint32_t room_no, uint32_t page_no) { return static_cast<uint64_t>(room_no) << 32 | page_no; }
}  // namespace

PagePtr PageCache::find(uint32_t room_no, uint32_t page_no) {
  std::lock_guard lock(mutex_);
  auto* page = pages_.find(key_of(room_no, page_no));
  return page == nullptr ? nullptr : *page;
}

void PageCache::put(uint32_t room_no, uint32_t page_no, PagePtr page) {
  auto bytes = page->memory_bytes() + 128;
  std::lock_guard lock(mutex_);
  pages_.put(key_of(room_no, page_no), std::move(page), bytes);
}

Result<PagePtr> RowPages::load(uint32_t page_no) {
  // The newest pages are asked for again and again: look there before taking the cache's lock.
  auto recent = std::ranges::subrange(loaded_.size() > 8 ? loaded_.end() - 8 : loaded_.begin(), loaded_.end());
  auto known = std::ranges::find(recent, page_no, &std::pair<uint32_t, PagePtr>::first);
  if (known != recent.end()) return known->second;
  auto page = cache_.find(room_no_, page_no);
  if (!page) {
    auto bytes = tx_.one(
        "SELECT nodes FROM state_page WHERE room_no = $1 AND page_no = $2",
        [](const db::Row& row) { return row.bytes(0); }, room_no_, page_no);
    if (!bytes) return fail(Code::kCorrupt, "a state page is not there");
    MYELIN_TRY(page, Page::parse(page_no, *bytes));
    cache_.put(room_no_, page_no, page);
  }
  loaded_.emplace_back(page_no, page);
  return page;
}

}  // namespace myelin::rooms
