#include "matrix/server_acl.h"

#include <algorithm>

#include "base/bytes.h"

namespace myelin {
namespace {

std::vector<Glob> globs(const json::Object& content, const char* key) {
  std::vector<Glob> out;
  auto list = json::array_at(content, key);
  if (!list) return out;
  for (auto& entry : *list)
    if (entry.is_string()) out.emplace_back(ascii_lower(std::string(entry.get_string())));
  return out;
}

}  // namespace

ServerAcl::ServerAcl(const json::Object& content)
    : present_(true),
      allow_ip_literals_(json::bool_at(content, "allow_ip_literals").value_or(true)),
      allow_(globs(content, "allow")),
      deny_(globs(content, "deny")) {}

bool ServerAcl::allows(const ServerName& server) const {
  if (!present_) return true;
  if (!allow_ip_literals_ && server.is_ip_literal()) return false;
  auto host = ascii_lower(std::string(server.host()));  // port numbers are not supported
  auto matches = [&](const Glob& glob) { return glob.matches(host); };
  return std::ranges::none_of(deny_, matches) && std::ranges::any_of(allow_, matches);
}

}  // namespace myelin
