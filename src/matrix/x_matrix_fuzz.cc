// What is accepted as an X-Matrix header is the same after being written and read again. And a request is accepted with
// the signature that it was given, and no other: the input is its target, and from the second line on its body.
#include <cstdlib>

#include "matrix/x_matrix.h"

namespace {

using namespace myelin;

void sign_and_verify(std::string_view text) {
  static const SigningKey key = SigningKey::from_seed(std::string(32, 's'), "k").value();
  static const auto origin = ServerName::trusted("a.example"), destination = ServerName::trusted("b.example:1");
  size_t line = text.find('\n');
  SignedRequest request{"PUT", text.substr(0, line)};
  if (line != text.npos) request.body = text.substr(line + 1);
  auto authorization = sign_request(request, origin, destination, key);
  if (!authorization) {
    if (!request.body) std::abort();
    return;  // no JSON
  }
  auto arrived = XMatrix::parse(authorization->header());
  if (!arrived || !verify_request(request, *arrived, destination, key.public_key())) std::abort();
  std::string longer = std::string(request.uri) + "x";
  auto another_body = request.body ? std::nullopt : std::optional<std::string_view>("{}");
  for (auto& changed : {SignedRequest{"GET", request.uri, request.body}, SignedRequest{"PUT", longer, request.body},
                        SignedRequest{"PUT", request.uri, another_body}})
    if (verify_request(changed, *arrived, destination, key.public_key())) std::abort();
  if (verify_request(request, *arrived, origin, key.public_key())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sign_and_verify({reinterpret_cast<const char*>(data), size});
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
