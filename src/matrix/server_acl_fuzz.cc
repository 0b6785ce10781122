// The first line is the content of m.room.server_acl, the second a server name.
#include <cstdlib>

#include "matrix/server_acl.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t line = text.find('\n');
  if (line == text.npos) return 0;
  auto content = json::parse_object(text.substr(0, line));
  auto server = ServerName::parse(text.substr(line + 1));
  if (!content || !server) return 0;
  bool allowed = ServerAcl(*content).allows(*server);
  // Neither the case nor the port changes the answer.
  auto upper = server->str();
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  auto other_port = ServerName::parse(std::string(server->host()) + ":1");
  if (auto same = ServerName::parse(upper); same && ServerAcl(*content).allows(*same) != allowed) std::abort();
  if (other_port && ServerAcl(*content).allows(*other_port) != allowed) std::abort();
  return 0;
}
