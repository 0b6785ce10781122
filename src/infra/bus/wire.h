// A message as it travels in a stream: generation, partition, sequence, body; and the answer to a command. Any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "infra/bus/bus.h"

namespace myelin::bus {

inline std::string encode_wire(std::string_view generation, uint32_t partition, uint64_t seq, std::string_view body) {
  std::string out;
  append_string(out, generation);
  append_varint(out, partition);
  append_varint(out, seq);
  out += body;
  return out;
}

struct Wire {
  std::string_view generation;
  Message message;
};
inline std::optional<Wire> decode_wire(std::string_view in) {
  auto generation = read_string(in);
  auto partition = read_varint(in), seq = read_varint(in);
  if (!generation || !partition || !seq || *partition >= kPartitions) return std::nullopt;
  return Wire{*generation, {static_cast<uint32_t>(*partition), *seq, std::string(in)}};
}

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
