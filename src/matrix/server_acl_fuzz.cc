// The first line is the content of m.room.server_acl, the second a server name: it is allowed as the specification
// says.
#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "matrix/server_acl.h"
#include "matrix/testing/literal_glob.h"
#include "matrix/testing/literal_server_name.h"

namespace {

using namespace myelin;

// Client-server API, m.room.server_acl.
bool by_definition(const json::Object& content, std::string_view server_name) {
  testing::LiteralServerName server(server_name);
  auto matches_one_of = [&](const char* list) {
    auto globs = json::array_at(content, list);
    return globs && std::ranges::any_of(*globs, [&](const json::Value& glob) {
             return glob.is_string() &&
                    testing::matches_literally(ascii_lower(std::string(glob.get_string())), ascii_lower(server.host));
           });
  };
  // "2. If the server name is an IP address (v4 or v6) literal, and allow_ip_literals is present and false, deny."
  if (server.address && json::bool_at(content, "allow_ip_literals") == false) return false;
  // "3. If the server name matches an entry in the deny list, deny."
  if (matches_one_of("deny")) return false;
  // "4. If the server name matches an entry in the allow list, allow. 5. Otherwise, deny."
  return matches_one_of("allow");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t line = text.find('\n');
  if (line == text.npos) return 0;
  auto content = json::parse_object(text.substr(0, line));
  auto server = ServerName::parse(text.substr(line + 1));
  if (!content || !server) return 0;
  bool allowed = by_definition(*content, server->str());
  // Neither the case nor the port changes the answer.
  auto upper = server->str();
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  for (auto& name : {server->str(), upper, std::string(server->host()) + ":1"})
    if (auto same = ServerName::parse(name); same && ServerAcl(*content).allows(*same) != allowed) std::abort();
  return 0;
}
