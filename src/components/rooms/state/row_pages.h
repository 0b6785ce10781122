// State pages read in a database closure, through a cache of pages that all readers share. Pages never change.
#pragma once
#include <mutex>

#include "base/lru.h"
#include "infra/db/db.h"
#include "matrix/state_map.h"

namespace myelin::rooms {

class PageCache {  // any thread
 public:
  explicit PageCache(size_t cap_bytes) : pages_("state_pages", cap_bytes) {}
  PagePtr find(uint32_t room_no, uint32_t page_no);
  void put(uint32_t room_no, uint32_t page_no, PagePtr);

 private:
  std::mutex mutex_;
  Lru<uint64_t, PagePtr> pages_;
};

class RowPages final : public PageStore {  // one closure
 public:
  RowPages(db::ReadTx& tx, PageCache& cache, uint32_t room_no) : tx_(tx), cache_(cache), room_no_(room_no) {}
  Result<PagePtr> load(uint32_t page_no) override;
  // Every page that was loaded so far.
  const std::vector<std::pair<uint32_t, PagePtr>>& loaded() const { return loaded_; }

 private:
  db::ReadTx& tx_;
  PageCache& cache_;
  uint32_t room_no_;
  std::vector<std::pair<uint32_t, PagePtr>> loaded_;
};

}  // namespace myelin::rooms
