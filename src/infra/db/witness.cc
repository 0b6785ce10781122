#include "infra/db/witness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace myelin::db {
namespace {

// One line of a fixed length for a history, so that it is written in place: "HISTORY 00000000000000000042\n".
std::string line_of(const Witness::Memory& memory) {
  return fmt::format("{} {:020}\n", memory.history, memory.messages);
}

std::optional<Witness::Memory> read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  auto space = line.rfind(' ');
  if (space == std::string::npos || space == 0) return std::nullopt;
  Witness::Memory out{line.substr(0, space), 0};
  auto* end = line.data() + line.size();
  auto [stop, error] = std::from_chars(line.data() + space + 1, end, out.messages);
  if (error != std::errc() || stop != end) return std::nullopt;
  return out;
}

}  // namespace

Witness::Witness(std::string path) : path_(std::move(path)), memory_(read_line(path_)) {}
Witness::~Witness() {
  if (fd_ >= 0) ::close(fd_);
}

bool Witness::write() {
  auto line = line_of(*memory_);
  return ::pwrite(fd_, line.data(), line.size(), 0) == static_cast<ssize_t>(line.size());
}

// A new file beside the old one, then renamed: at no moment is there half a line.
Result<void> Witness::remember(Memory memory) {
  std::lock_guard lock(mutex_);
  memory_ = std::move(memory);
  if (fd_ >= 0) ::close(fd_);
  auto fresh = path_ + ".new";
  fd_ = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool written = fd_ >= 0 && write() && ::fsync(fd_) == 0 && ::rename(fresh.c_str(), path_.c_str()) == 0;
  if (!written) return fail(Code::kUnavailable, fmt::format("{} cannot be written: {}", path_, std::strerror(errno)));
  int folder = ::open(std::filesystem::path(path_).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

void Witness::committed(size_t messages) {
  if (messages == 0) return;
  std::lock_guard lock(mutex_);
  if (fd_ < 0) return;
  memory_->messages += static_cast<int64_t>(messages);
  write();
}

}  // namespace myelin::db
