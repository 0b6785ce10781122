// Canonical JSON is a fixed point, its keys are sorted at every level, and both modes agree on what strict allows.
#include <cstdlib>

#include "matrix/json.h"

namespace {

using namespace myelin;

bool is_sorted(const json::Value& value) {
  if (auto object = value.if_object()) {
    std::optional<std::string> last;
    for (auto& member : *object) {
      std::string key(member.key());
      if ((last && key <= *last) || !is_sorted(member.value())) return false;
      last = std::move(key);
    }
  }
  if (auto array = value.if_array())
    for (auto& element : *array)
      if (!is_sorted(element)) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto value = json::parse(input);
  auto text = json::canonical_text(input, json::CanonicalMode::kLax);
  if (value.has_value() != text.has_value()) std::abort();
  if (!value) return 0;
  if (*json::canonical_text(*text, json::CanonicalMode::kLax) != *text || *json::parse(*text) != *value) std::abort();
  auto lax = json::canonical(*value, json::CanonicalMode::kLax),
       strict = json::canonical(*value, json::CanonicalMode::kStrict);
  if (!lax || (strict && (*strict != *lax || *text != *lax))) std::abort();
  auto again = json::parse(*lax);
  if (!again || !is_sorted(*again) || *json::canonical(*again, json::CanonicalMode::kLax) != *lax) std::abort();
  if (strict && !json::parse(*strict, {.integers_only = true})) std::abort();
  return 0;
}
