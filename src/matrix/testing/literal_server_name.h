// A server name taken apart as its grammar says (appendices, Server Name). For fuzzers.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace myelin::testing {

struct LiteralServerName {
  explicit LiteralServerName(std::string_view valid);
  std::string text, host;
  std::optional<int> port;
  std::optional<std::string> address;  // of an IP literal, without brackets, as the system writes it
};

}  // namespace myelin::testing
