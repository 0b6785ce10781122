#include "components/sync/token.h"

#include <fmt/format.h>

#include <charconv>

namespace myelin::sync {
namespace {
template <class T>
bool take_number(std::string_view& in, T& out) {
  auto [end, error] = std::from_chars(in.data(), in.data() + in.size(), out);
  if (error != std::errc() || end == in.data()) return false;
  in.remove_prefix(static_cast<size_t>(end - in.data()));
  return true;
}
bool take(std::string_view& in, char c) {
  if (!in.starts_with(c)) return false;
  in.remove_prefix(1);
  return true;
}
}  // namespace

std::string Token::str() const {
  auto out = fmt::format("s{}", position);
  if (process != 0) out += fmt::format("_{}.{}", process, typing);
  if (to_device >= 0) out += fmt::format("~{}", to_device);
  return out;
}

std::optional<Token> Token::parse(std::string_view in) {
  Token token;
  if (!take(in, 's') || !take_number(in, token.position) || token.position < 0) return std::nullopt;
  if (take(in, '_') && (!take_number(in, token.process) || !take(in, '.') || !take_number(in, token.typing)))
    return std::nullopt;
  if (take(in, '~') && (!take_number(in, token.to_device) || token.to_device < 0)) return std::nullopt;
  if (!in.empty()) return std::nullopt;
  return token;
}

}  // namespace myelin::sync
