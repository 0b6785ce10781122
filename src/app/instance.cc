#include "app/instance.h"

#include <algorithm>
#include <fstream>

#include "app/data_file.h"

namespace myelin::app {
namespace {
constexpr size_t kLength = 8;
}

Result<std::string> load_or_make_instance(const std::string& path, Random& random) {
  std::ifstream in(path);
  if (!in) {
    auto instance = random.token(kLength);
    MYELIN_CHECK(make_file(path, instance + "\n"));
    return instance;
  }
  std::string instance;
  in >> instance;
  bool ok = !instance.empty() && instance.size() <= 64 &&
            std::ranges::all_of(instance, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
  if (!ok) return fail(Code::kCorrupt, path + " must hold a name of letters and digits; without it, one is made");
  return instance;
}

}  // namespace myelin::app
