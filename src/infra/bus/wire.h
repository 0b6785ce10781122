// What travels in a stream: messages of one topic that were committed together; and the answer to a command. Any
// thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "infra/bus/bus.h"
#include "infra/db/db.h"

namespace myelin::bus {

struct Wire {
  std::string_view generation;
  std::vector<Message> messages;  // one at least
};
std::string encode_wire(std::string_view generation, std::span<const db::OutboxRow>);  // of one topic
inline std::string encode_wire(std::string_view generation, const db::OutboxRow& row) {
  return encode_wire(generation, std::span(&row, 1));
}
std::optional<Wire> decode_wire(std::string_view);

// The first byte tells whether the rest is what the handler answered, or why it did not.
inline constexpr char kAnswered = '+', kFailed = '-';
inline std::string encode_answer(char kind, std::string_view text) {
  std::string out(1, kind);
  return out += text;
}
inline Result<std::string> decode_answer(std::string in) {
  char kind = in.empty() ? '\0' : in.front();
  if (kind != kAnswered && kind != kFailed) return fail(Code::kInternal, "an answer that cannot be read");
  in.erase(0, 1);
  if (kind == kFailed) return fail(Code::kInternal, std::move(in));
  return in;
}

}  // namespace myelin::bus
