// What is accepted as an X-Matrix header is the same after being written and read again.
#include <cstdlib>

#include "matrix/x_matrix.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  auto parsed = XMatrix::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  (void)verify_request({"GET", "/"}, *parsed, ServerName::trusted("x"), std::string(32, 'k'));
  auto header = parsed->header();
  if (header.size() > 4096) return 0;  // escapes made it longer than what is read
  auto again = XMatrix::parse(header);
  if (!again || again->origin != parsed->origin || again->destination != parsed->destination ||
      again->key_id != parsed->key_id || again->signature != parsed->signature)
    std::abort();
  return 0;
}
