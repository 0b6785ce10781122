// Identifiers of every kind: what is accepted has the parts that its kind promises.
#include <cstdlib>

#include "matrix/ids.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto require = [](bool condition) {
    if (!condition) std::abort();
  };
  if (auto name = ServerName::parse(text)) {
    require(!name->host().empty() && text.starts_with(name->host()));
    require(ServerName::parse(name->host())->is_ip_literal() == name->is_ip_literal());
    require(UserId::parse("@a:" + name->str()).has_value() == (size + 3 <= 255));
  }
  if (auto user = UserId::parse(text))
    require("@" + std::string(user->localpart()) + ":" + std::string(user->server()) == text && is_valid_utf8(text));
  if (auto alias = RoomAlias::parse(text))
    require("#" + std::string(alias->localpart()) + ":" + std::string(alias->server()) == text && is_valid_utf8(text));
  for (bool accepted :
       {RoomId::parse(text).has_value(), EventId::parse(text).has_value(), DeviceId::parse(text).has_value()})
    require(!accepted || (size <= 255 && is_valid_utf8(text)));
  return 0;
}
