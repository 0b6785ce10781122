// What the JSON parser accepts survives being written and read again, and Boost.JSON accepts it too.
#include <cstdlib>

#include "matrix/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto value = json::parse(text);
  (void)json::parse_object(text, {.bytes = 4096, .depth = 5, .integers_only = true});
  if (!value) return 0;
  std::string written = json::serialize(*value);
  auto again = json::parse(written);
  if (!again || *again != *value || json::serialize(*again) != written) std::abort();
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 100;
  boost::json::parse(text, error, {}, options);
  if (error) std::abort();
  return 0;
}
