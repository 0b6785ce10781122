#include "infra/db/sqlite_wal_vfs.h"

#include <fmt/format.h>

#include <memory>
#include <new>

namespace myelin::db {
namespace {

constexpr size_t kMost = 120 << 10;  // SQLite's own VFS for Unix takes less than 128 KiB at once

// SQLite allocates it, with the lower VFS's file behind it.
struct File {
  sqlite3_file base;
  std::unique_ptr<std::string> collected;
  sqlite3_int64 from;  // where it belongs
  sqlite3_file* lower() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File& file_of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

int flush(File& file) {
  auto& collected = *file.collected;
  if (collected.empty()) return SQLITE_OK;
  auto* lower = file.lower();
  int code = lower->pMethods->xWrite(lower, collected.data(), static_cast<int>(collected.size()), file.from);
  collected.clear();
  return code;
}

int write(sqlite3_file* base, const void* bytes, int amount, sqlite3_int64 from) {
  auto& file = file_of(base);
  auto& collected = *file.collected;
  auto size = static_cast<size_t>(amount);
  if (from != file.from + static_cast<sqlite3_int64>(collected.size()) || collected.size() + size > kMost) {
    if (int code = flush(file); code != SQLITE_OK) return code;
    file.from = from;
  }
  collected.append(static_cast<const char*>(bytes), size);
  return SQLITE_OK;
}

int close(sqlite3_file* base) {
  auto& file = file_of(base);
  int flushed = flush(file), closed = file.lower()->pMethods->xClose(file.lower());
  file.~File();
  return flushed != SQLITE_OK ? flushed : closed;
}

using Methods = sqlite3_io_methods;

template <auto method, class... Arguments>
int pass(sqlite3_file* base, Arguments... arguments) {
  auto* lower = file_of(base).lower();
  return (lower->pMethods->*method)(lower, arguments...);
}
template <auto method, class... Arguments>
int flush_and_pass(sqlite3_file* base, Arguments... arguments) {
  int code = flush(file_of(base));
  return code != SQLITE_OK ? code : pass<method>(base, arguments...);
}

constexpr Methods kMethods = {.iVersion = 1,
                              .xClose = close,
                              .xRead = flush_and_pass<&Methods::xRead, void*, int, sqlite3_int64>,
                              .xWrite = write,
                              .xTruncate = flush_and_pass<&Methods::xTruncate, sqlite3_int64>,
                              .xSync = flush_and_pass<&Methods::xSync, int>,
                              .xFileSize = flush_and_pass<&Methods::xFileSize, sqlite3_int64*>,
                              .xLock = pass<&Methods::xLock, int>,
                              .xUnlock = pass<&Methods::xUnlock, int>,
                              .xCheckReservedLock = pass<&Methods::xCheckReservedLock, int*>,
                              .xFileControl = pass<&Methods::xFileControl, int, void*>,
                              .xSectorSize = pass<&Methods::xSectorSize>,
                              .xDeviceCharacteristics = pass<&Methods::xDeviceCharacteristics>,
                              .xShmMap = nullptr,
                              .xShmLock = nullptr,
                              .xShmBarrier = nullptr,
                              .xShmUnmap = nullptr,
                              .xFetch = nullptr,
                              .xUnfetch = nullptr};

}  // namespace

SqliteWalVfs::SqliteWalVfs(const std::string& lower) {
  auto* found = sqlite3_vfs_find(lower.empty() ? nullptr : lower.c_str());
  if (found == nullptr) {  // opening says so
    name_ = lower;
    return;
  }
  static_cast<sqlite3_vfs&>(self_) = *found;  // its functions, which take this one for theirs
  self_.lower = found;
  name_ = fmt::format("{}, WAL in one piece, {}", found->zName, static_cast<const void*>(this));
  self_.zName = name_.c_str();
  self_.pNext = nullptr;
  self_.szOsFile = static_cast<int>(sizeof(File)) + found->szOsFile;
  self_.xOpen = open;
  sqlite3_vfs_register(&self_, 0);
}

SqliteWalVfs::~SqliteWalVfs() { sqlite3_vfs_unregister(&self_); }

int SqliteWalVfs::open(sqlite3_vfs* vfs, const char* path, sqlite3_file* base, int flags, int* out_flags) {
  auto* lower = static_cast<Registered*>(vfs)->lower;
  if ((flags & SQLITE_OPEN_WAL) == 0) return lower->xOpen(lower, path, base, flags, out_flags);
  auto& file = *new (base) File{{nullptr}, std::make_unique<std::string>(), 0};
  int code = lower->xOpen(lower, path, file.lower(), flags, out_flags);
  if (code == SQLITE_OK)
    file.base.pMethods = &kMethods;
  else
    file.~File();
  return code;
}

}  // namespace myelin::db
