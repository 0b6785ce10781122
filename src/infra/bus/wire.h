// A message as it travels in a stream: generation, partition, sequence, body. Any thread.
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

}  // namespace myelin::bus
