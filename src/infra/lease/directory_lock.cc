#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>

#include "infra/lease/lease.h"

namespace myelin::lease {

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  auto path = directory + "/lock";
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::kUnavailable, fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char text[32] = {};
    auto n = ::read(fd, text, sizeof text - 1);
    ::close(fd);
    return fail(Code::kUnavailable,
                fmt::format("{} is in use by another process{}", directory,
                            n > 0 ? fmt::format(" ({})", std::string_view(text, static_cast<size_t>(n))) : ""));
  }
  auto mine = std::to_string(::getpid());
  bool written =
      ::ftruncate(fd, 0) == 0 && ::pwrite(fd, mine.data(), mine.size(), 0) == static_cast<ssize_t>(mine.size());
  if (!written) {
    ::close(fd);
    return fail(Code::kUnavailable, fmt::format("{} cannot be written", path));
  }
  return DirectoryLock(fd);
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace myelin::lease
