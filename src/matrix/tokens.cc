#include "matrix/tokens.h"

#include <fmt/format.h>

#include <charconv>

namespace myelin {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  template <class Number>
  bool take(Number& out) {
    auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }

 private:
  std::string_view rest_;
};

// Only the one way to write it: no leading zeros, nothing after it.
template <class Token>
std::optional<Token> if_exact(const Token& token, std::string_view text) {
  return token.str() == text ? std::optional(token) : std::nullopt;
}

}  // namespace

std::string PageToken::str() const { return fmt::format("t{}_{}_{}", depth, order, arrived_before); }

std::optional<PageToken> PageToken::parse(std::string_view text) {
  PageToken token;
  Reader in(text);
  if (!in.take('t') || !in.take(token.depth) || !in.take('_') || !in.take(token.order) || !in.take('_') ||
      !in.take(token.arrived_before))
    return std::nullopt;
  return if_exact(token, text);
}

std::string SyncToken::str() const {
  auto out = fmt::format("s{}", position);
  if (process != 0) out += fmt::format("_{}.{}", process, typing);
  if (to_device >= 0) out += fmt::format("~{}", to_device);
  return out;
}

std::optional<SyncToken> SyncToken::parse(std::string_view text) {
  SyncToken token;
  Reader in(text);
  if (!in.take('s') || !in.take(token.position) || token.position < 0) return std::nullopt;
  if (in.take('_') && (!in.take(token.process) || !in.take('.') || !in.take(token.typing))) return std::nullopt;
  if (in.take('~') && !in.take(token.to_device)) return std::nullopt;
  return if_exact(token, text);
}

std::string OffsetToken::str() const { return fmt::format("p{}", offset); }

std::optional<OffsetToken> OffsetToken::parse(std::string_view text) {
  OffsetToken token;
  Reader in(text);
  if (!in.take('p') || !in.take(token.offset)) return std::nullopt;
  return if_exact(token, text);
}

}  // namespace myelin
