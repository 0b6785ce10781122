// Any lines as a room: it is explained or refused, and the text steers no terminal.
#include <cstdlib>

#include "matrix/explain.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  auto explanation = explain_room({reinterpret_cast<const char*>(data), size});
  if (!explanation) {
    if (explanation.error().code != Code::kInvalidParam) std::abort();
    return 0;
  }
  for (auto& told : explanation->events)
    if ((told.verdict == Verdict::kAccept) != told.reason.empty()) std::abort();
  for (char c : to_text(*explanation))
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
  return 0;
}
