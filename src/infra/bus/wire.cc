#include "infra/bus/wire.h"

namespace myelin::bus {
namespace {

// generation, partition, sequence, body to the end; or, where there are several messages: generation, kMany, then of
// each partition, sequence, body with its length.
constexpr uint64_t kMany = kPartitions;

std::optional<Message> read_message(std::string_view& in, bool to_the_end) {
  auto partition = read_varint(in), seq = read_varint(in);
  if (!partition || !seq || *partition >= kPartitions) return std::nullopt;
  auto body = to_the_end ? std::exchange(in, {}) : read_string(in);
  if (!body) return std::nullopt;
  return Message{static_cast<uint32_t>(*partition), *seq, std::string(*body)};
}

}  // namespace

std::string encode_wire(std::string_view generation, std::span<const db::OutboxRow> rows) {
  std::string out;
  append_string(out, generation);
  if (rows.size() > 1) append_varint(out, kMany);
  for (const auto& row : rows) {
    append_varint(out, row.partition);
    append_varint(out, row.seq);
    if (rows.size() > 1)
      append_string(out, row.body);
    else
      out += row.body;
  }
  return out;
}

std::optional<Wire> decode_wire(std::string_view in) {
  auto generation = read_string(in);
  if (!generation) return std::nullopt;
  Wire out{*generation, {}};
  auto rest = in;
  bool is_many = read_varint(rest) == kMany;
  if (is_many) in = rest;
  do {
    auto message = read_message(in, !is_many);
    if (!message) return std::nullopt;
    out.messages.push_back(std::move(*message));
  } while (!in.empty());
  return out;
}

}  // namespace myelin::bus
