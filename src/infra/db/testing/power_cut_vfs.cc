#include "infra/db/testing/power_cut_vfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

namespace myelin::db::testing {

namespace {
constexpr int64_t kSector = 512;
using Sector = std::array<char, kSector>;
}  // namespace

// A file as the process sees it: what is on disk, and what is not there yet.
struct PowerCutVfs::Content {
  std::mutex mutex;
  std::string path;
  int64_t size = 0;
  int64_t cut_to = std::numeric_limits<int64_t>::max();  // a truncation that is not on disk yet
  std::map<int64_t, Sector> unsynced;

  int read_sector(sqlite3_file* real, int64_t number, Sector& out) {
    out.fill(0);
    if (auto it = unsynced.find(number); it != unsynced.end()) {
      out = it->second;
      return SQLITE_OK;
    }
    int64_t from = number * kSector;
    sqlite3_int64 on_disk = 0;
    if (int code = real->pMethods->xFileSize(real, &on_disk); code != SQLITE_OK) return code;
    auto length = std::min(kSector, std::min<int64_t>(on_disk, cut_to) - from);
    if (length <= 0) return SQLITE_OK;
    return real->pMethods->xRead(real, out.data(), static_cast<int>(length), from);
  }

  int read(sqlite3_file* real, char* out, int64_t amount, int64_t from) {
    std::lock_guard lock(mutex);
    auto available = std::clamp<int64_t>(size - from, 0, amount);
    auto next = unsynced.lower_bound(from / kSector);
    if (available == amount && from + amount <= cut_to &&
        (next == unsynced.end() || next->first * kSector >= from + amount)) {
      return real->pMethods->xRead(real, out, static_cast<int>(amount), from);
    }
    for (int64_t at = from; at < from + available;) {
      Sector sector;
      if (int code = read_sector(real, at / kSector, sector); code != SQLITE_OK) return code;
      auto length = std::min(kSector - at % kSector, from + available - at);
      std::memcpy(out + (at - from), sector.data() + at % kSector, static_cast<size_t>(length));
      at += length;
    }
    if (available == amount) return SQLITE_OK;
    std::memset(out + available, 0, static_cast<size_t>(amount - available));
    return SQLITE_IOERR_SHORT_READ;
  }

  int write(sqlite3_file* real, const char* in, int64_t amount, int64_t from) {
    std::lock_guard lock(mutex);
    for (int64_t at = from; at < from + amount;) {
      Sector sector;
      if (int code = read_sector(real, at / kSector, sector); code != SQLITE_OK) return code;
      auto length = std::min(kSector - at % kSector, from + amount - at);
      std::memcpy(sector.data() + at % kSector, in + (at - from), static_cast<size_t>(length));
      unsynced[at / kSector] = sector;
      at += length;
    }
    size = std::max(size, from + amount);
    return SQLITE_OK;
  }

  void truncate(sqlite3_file* real, int64_t to) {
    std::lock_guard lock(mutex);
    if (to < size && to % kSector != 0) {
      Sector sector;
      read_sector(real, to / kSector, sector);
      std::fill(sector.begin() + to % kSector, sector.end(), 0);
      unsynced[to / kSector] = sector;
    }
    unsynced.erase(unsynced.lower_bound((to + kSector - 1) / kSector), unsynced.end());
    if (to < size) cut_to = std::min(cut_to, to);
    size = to;
  }

  int put(sqlite3_file* real, int64_t number, const Sector& sector) {
    auto length = std::min(kSector, size - number * kSector);
    if (length <= 0) return SQLITE_OK;
    return real->pMethods->xWrite(real, sector.data(), static_cast<int>(length), number * kSector);
  }

  // All of it, or, for a sync that fails, what `keep` picks.
  int flush(sqlite3_file* real, const std::function<bool()>& keep) {
    std::lock_guard lock(mutex);
    sqlite3_int64 on_disk = 0;
    real->pMethods->xFileSize(real, &on_disk);
    if (!keep && cut_to < on_disk) real->pMethods->xTruncate(real, cut_to);
    for (auto it = unsynced.begin(); it != unsynced.end();) {
      if (keep && (cut_to != std::numeric_limits<int64_t>::max() || !keep())) {
        ++it;
        continue;
      }
      if (int code = put(real, it->first, it->second); code != SQLITE_OK) return code;
      it = keep ? std::next(it) : unsynced.erase(it);
    }
    if (!keep) cut_to = std::numeric_limits<int64_t>::max();
    return SQLITE_OK;
  }

  void write_through(sqlite3_file* real, uint64_t pick) {
    std::lock_guard lock(mutex);
    if (unsynced.empty() || cut_to != std::numeric_limits<int64_t>::max()) return;
    auto it = std::next(unsynced.begin(), static_cast<std::ptrdiff_t>(pick % unsynced.size()));
    put(real, it->first, it->second);
  }

  // The disk after a power cut, written past SQLite.
  void lose(const std::function<bool()>& keep) {
    std::lock_guard lock(mutex);
    int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    for (auto& [number, sector] : unsynced) {
      auto length = std::min(kSector, size - number * kSector);
      if (length > 0 && keep()) {
        [[maybe_unused]] auto written = ::pwrite(fd, sector.data(), static_cast<size_t>(length), number * kSector);
      }
    }
    ::close(fd);
  }
};

namespace {

struct File {
  sqlite3_file base;
  PowerCutVfs* vfs;
  std::shared_ptr<PowerCutVfs::Content> content;  // null: a temporary file, passed through
  uint64_t boot;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  bool powered() const { return vfs->powered(boot); }
};

File& file_of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
sqlite3_file* real_of(sqlite3_file* file) { return file_of(file).real(); }
const sqlite3_io_methods& below(sqlite3_file* file) { return *real_of(file)->pMethods; }

int close(sqlite3_file* file) {
  auto& self = file_of(file);
  int code = below(file).xClose(self.real());
  self.~File();
  return code;
}

int read(sqlite3_file* file, void* out, int amount, sqlite3_int64 from) {
  auto& self = file_of(file);
  if (!self.powered()) return SQLITE_IOERR_READ;
  if (!self.content) return below(file).xRead(self.real(), out, amount, from);
  return self.content->read(self.real(), static_cast<char*>(out), amount, from);
}

int write(sqlite3_file* file, const void* in, int amount, sqlite3_int64 from) {
  auto& self = file_of(file);
  if (!self.powered()) return SQLITE_IOERR_WRITE;
  if (!self.content) return below(file).xWrite(self.real(), in, amount, from);
  if (int code = self.vfs->write_fault(); code != SQLITE_OK) return code;
  int code = self.content->write(self.real(), static_cast<const char*>(in), amount, from);
  if (code == SQLITE_OK && self.vfs->chance(0)) self.content->write_through(self.real(), self.vfs->random());
  return code;
}

int truncate(sqlite3_file* file, sqlite3_int64 to) {
  auto& self = file_of(file);
  if (!self.powered()) return SQLITE_IOERR_TRUNCATE;
  if (!self.content) return below(file).xTruncate(self.real(), to);
  self.content->truncate(self.real(), to);
  return SQLITE_OK;
}

int sync(sqlite3_file* file, int flags) {
  auto& self = file_of(file);
  if (!self.powered()) return SQLITE_IOERR_FSYNC;
  if (!self.content) return below(file).xSync(self.real(), flags);
  auto fault = self.vfs->sync_fault();
  if (fault == PowerCutVfs::Fault::kSyncIgnored) return SQLITE_OK;
  if (fault) {
    self.content->flush(self.real(), [&] { return self.vfs->chance(50); });
    return SQLITE_IOERR_FSYNC;
  }
  return self.content->flush(self.real(), nullptr);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  auto& self = file_of(file);
  if (!self.powered()) return SQLITE_IOERR_FSTAT;
  if (!self.content) return below(file).xFileSize(self.real(), size);
  std::lock_guard lock(self.content->mutex);
  *size = self.content->size;
  return SQLITE_OK;
}

int lock(sqlite3_file* file, int level) {
  return file_of(file).powered() ? below(file).xLock(real_of(file), level) : SQLITE_IOERR_LOCK;
}
int unlock(sqlite3_file* file, int level) { return below(file).xUnlock(real_of(file), level); }
int check_reserved_lock(sqlite3_file* file, int* out) { return below(file).xCheckReservedLock(real_of(file), out); }
int file_control(sqlite3_file* file, int op, void* argument) {
  if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_OK;  // they would touch the disk
  return below(file).xFileControl(real_of(file), op, argument);
}
int sector_size(sqlite3_file* file) { return below(file).xSectorSize(real_of(file)); }
int device_characteristics(sqlite3_file* file) { return below(file).xDeviceCharacteristics(real_of(file)); }
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (!file_of(file).powered()) return SQLITE_IOERR_SHMMAP;
  return below(file).xShmMap(real_of(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  if (!file_of(file).powered() && (flags & SQLITE_SHM_LOCK) != 0) return SQLITE_IOERR_SHMLOCK;
  return below(file).xShmLock(real_of(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { below(file).xShmBarrier(real_of(file)); }
int shm_unmap(sqlite3_file* file, int remove) { return below(file).xShmUnmap(real_of(file), remove); }

const sqlite3_io_methods kMethods = {.iVersion = 2,
                                     .xClose = close,
                                     .xRead = read,
                                     .xWrite = write,
                                     .xTruncate = truncate,
                                     .xSync = sync,
                                     .xFileSize = file_size,
                                     .xLock = lock,
                                     .xUnlock = unlock,
                                     .xCheckReservedLock = check_reserved_lock,
                                     .xFileControl = file_control,
                                     .xSectorSize = sector_size,
                                     .xDeviceCharacteristics = device_characteristics,
                                     .xShmMap = shm_map,
                                     .xShmLock = shm_lock,
                                     .xShmBarrier = shm_barrier,
                                     .xShmUnmap = shm_unmap,
                                     .xFetch = nullptr,
                                     .xUnfetch = nullptr};

PowerCutVfs& vfs_of(sqlite3_vfs* vfs) { return *static_cast<PowerCutVfs*>(vfs->pAppData); }

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto& owner = vfs_of(vfs);
  file->pMethods = nullptr;
  auto real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
  int code = owner.real()->xOpen(owner.real(), path, real, flags, out_flags);
  if (code != SQLITE_OK) return code;
  auto self = new (file) File{{&kMethods}, &owner, nullptr, owner.boot()};
  constexpr int kKept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  if (path != nullptr && (flags & kKept) != 0) self->content = owner.content(path, real);
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  auto& owner = vfs_of(vfs);
  owner.forget(path);
  return owner.real()->xDelete(owner.real(), path, sync_directory);
}

}  // namespace

PowerCutVfs::PowerCutVfs(std::string name, uint64_t seed, int write_through_percent)
    : name_(std::move(name)),
      real_(sqlite3_vfs_find(nullptr)),
      write_through_percent_(write_through_percent),
      random_(seed) {
  self_ = *real_;
  self_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
  self_.pNext = nullptr;
  self_.zName = name_.c_str();
  self_.pAppData = this;
  self_.xOpen = open;
  self_.xDelete = remove;
  self_.xAccess = [](sqlite3_vfs* vfs, const char* path, int flags, int* out) {
    return vfs_of(vfs).real()->xAccess(vfs_of(vfs).real(), path, flags, out);
  };
  self_.xFullPathname = [](sqlite3_vfs* vfs, const char* path, int size, char* out) {
    return vfs_of(vfs).real()->xFullPathname(vfs_of(vfs).real(), path, size, out);
  };
  sqlite3_vfs_register(&self_, 0);
}

PowerCutVfs::~PowerCutVfs() { sqlite3_vfs_unregister(&self_); }

std::shared_ptr<PowerCutVfs::Content> PowerCutVfs::content(const std::string& path, sqlite3_file* real) {
  std::lock_guard lock(mutex_);
  auto& content = contents_[path];
  if (!content) {
    content = std::make_shared<Content>();
    content->path = path;
    sqlite3_int64 size = 0;
    real->pMethods->xFileSize(real, &size);
    content->size = size;
  }
  return content;
}

void PowerCutVfs::forget(const std::string& path) {
  std::lock_guard lock(mutex_);
  contents_.erase(path);
}

void PowerCutVfs::cut() {
  ++boot_;
  std::mt19937_64 dice(random());
  std::map<std::string, std::shared_ptr<Content>> contents;
  {
    std::lock_guard lock(mutex_);
    contents.swap(contents_);
  }
  auto share = dice() % 3 * 50;  // of un-synced sectors that survive: none, half, all
  for (auto& [path, content] : contents) content->lose([&] { return dice() % 100 < share; });
}

void PowerCutVfs::fail_from(Fault fault, int64_t nth) {
  if (fault == Fault::kSyncError || fault == Fault::kSyncIgnored) {
    sync_kind_ = fault;
    fail_sync_at_ = syncs_ + nth;
    return;
  }
  write_code_ = fault == Fault::kDiskFull ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  fail_write_at_ = writes_ + nth;
}

void PowerCutVfs::heal() { fail_write_at_ = fail_sync_at_ = 0; }

int PowerCutVfs::write_fault() {
  auto number = ++writes_;
  return fail_write_at_ > 0 && number >= fail_write_at_ ? write_code_.load() : SQLITE_OK;
}
std::optional<PowerCutVfs::Fault> PowerCutVfs::sync_fault() {
  auto number = ++syncs_;
  if (fail_sync_at_ > 0 && number >= fail_sync_at_) return sync_kind_.load();
  return std::nullopt;
}

bool PowerCutVfs::chance(int percent) {
  std::lock_guard lock(mutex_);
  return random_() % 100 < static_cast<unsigned>(percent == 0 ? write_through_percent_ : percent);
}
uint64_t PowerCutVfs::random() {
  std::lock_guard lock(mutex_);
  return random_();
}

}  // namespace myelin::db::testing
