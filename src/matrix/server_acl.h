// Server ACLs (client-server API, m.room.server_acl; server-server API, Server Access Control Lists). Immutable; any
// thread.
#pragma once
#include <string_view>
#include <vector>

#include "matrix/glob.h"
#include "matrix/ids.h"
#include "matrix/json.h"

namespace myelin {

class ServerAcl {
 public:
  ServerAcl() = default;  // a room without the event: allows every server
  explicit ServerAcl(
      const json::Object& content);  // of the m.room.server_acl event; what is malformed counts as absent
  bool allows(const ServerName&) const;

 private:
  bool present_ = false, allow_ip_literals_ = true;
  std::vector<Glob> allow_, deny_;
};

}  // namespace myelin
