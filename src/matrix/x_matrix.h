// The Authorization header between servers (server-server API, Request Authentication). Values; any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "matrix/ids.h"
#include "matrix/json.h"
#include "matrix/server_keys.h"
#include "matrix/signing.h"

namespace myelin {

struct XMatrix {
  ServerName origin;
  // Absent from servers older than v1.3 of the specification, which sign it all the same.
  std::optional<ServerName> destination;
  SigningKeyId key_id;
  std::string signature;  // base64

  // The value of an Authorization header. kUnauthorized.
  static Result<XMatrix> parse(std::string_view header);
  std::string header() const;
};

// What is signed. `uri` is the request target: the path from "/_matrix/…" and the query. `body` is JSON as it is sent,
// or nullopt when there is none: its text, for a json::Value would round the largest integers, and not its canonical
// form but what it says is signed.
struct SignedRequest {
  std::string_view method, uri;
  std::optional<std::string_view> body{};
};

// Our own requests. kBadJson, kNotJson, kTooLarge.
Result<XMatrix> sign_request(const SignedRequest&, const ServerName& origin, const ServerName& destination,
                             const SigningKey&);
// Requests to us, the server `own_name`. The key: one that may_sign_request(). kUnauthorized; kBadJson, kNotJson,
// kTooLarge: the body is no JSON that we read.
Result<void> verify_request(const SignedRequest&, const XMatrix&, const ServerName& own_name,
                            std::string_view public_key, const BannedKeys& = BannedKeys::known());

}  // namespace myelin
