#include "app/data_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace myelin::app {
namespace {

std::unexpected<Error> not_made(const std::string& path, int why) {
  return fail(Code::kUnavailable, fmt::format("{} cannot be made: {}", path, std::strerror(why)));
}

}  // namespace

Result<void> make_file(const std::string& path, const std::string& text) {
  auto unfinished = path + ".XXXXXX";
  int fd = ::mkostemp(unfinished.data(), O_CLOEXEC);  // for its owner only
  if (fd < 0) return not_made(path, errno);
  bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ok = ok && (::link(unfinished.c_str(), path.c_str()) == 0 || errno == EEXIST);
  auto why = errno;
  ::close(fd);
  ::unlink(unfinished.c_str());
  if (!ok) return not_made(path, why);
  return sync_directory(std::filesystem::absolute(path).parent_path());
}

Result<void> sync_directory(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd >= 0 && ::fsync(fd) == 0;
  auto why = errno;
  if (fd >= 0) ::close(fd);
  if (!ok) return fail(Code::kUnavailable, fmt::format("{} cannot be written: {}", path, std::strerror(why)));
  return {};
}

}  // namespace myelin::app
