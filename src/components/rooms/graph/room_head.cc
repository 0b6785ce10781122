#include "components/rooms/graph/room_head.h"

#include "base/bytes.h"
#include "components/rooms/state_root.h"

namespace myelin::rooms {

std::string encode(const RoomHead& head) {
  std::string out;
  append_varint(out, head.next_event_no);
  append_varint(out, head.next_key_no);
  append_varint(out, head.next_page_no);
  append_varint(out, static_cast<uint64_t>(head.next_order));
  append_varint(out, static_cast<uint64_t>(head.max_depth));
  append_string(out, encode_root(head.current));
  append_varint(out, head.extremities.size());
  for (const auto& extremity : head.extremities) {
    append_varint(out, extremity.event_no);
    append_varint(out, static_cast<uint64_t>(extremity.depth));
    append_string(out, extremity.event_id.str());
    append_string(out, extremity.reference_hash);
  }
  append_string(out, head.aside ? encode_root(*head.aside) : "");
  return out;
}

Result<RoomHead> decode_room_head(std::string_view in) {
  RoomHead head;
  auto event_no = read_varint(in), key_no = read_varint(in), page_no = read_varint(in), order = read_varint(in),
       depth = read_varint(in);
  auto root = read_string(in);
  auto count = read_varint(in);
  if (!event_no || !key_no || !page_no || !order || !depth || !root || !count)
    return fail(Code::kCorrupt, "room.head is cut short");
  head.next_event_no = static_cast<uint32_t>(*event_no);
  head.next_key_no = static_cast<uint32_t>(*key_no);
  head.next_page_no = static_cast<uint32_t>(*page_no);
  head.next_order = static_cast<int64_t>(*order);
  head.max_depth = static_cast<int64_t>(*depth);
  head.current = decode_root(*root);
  for (uint64_t i = 0; i < *count; ++i) {
    auto number = read_varint(in), extremity_depth = read_varint(in);
    auto id = read_string(in), hash = read_string(in);
    if (!number || !extremity_depth || !id || !hash) return fail(Code::kCorrupt, "room.head is cut short");
    head.extremities.push_back({static_cast<uint32_t>(*number), static_cast<int64_t>(*extremity_depth),
                                EventId::trusted(std::string(*id)), std::string(*hash)});
  }
  auto aside = read_string(in);
  if (!aside) return fail(Code::kCorrupt, "room.head is cut short");
  if (!aside->empty()) head.aside = decode_root(*aside);
  return head;
}

}  // namespace myelin::rooms
