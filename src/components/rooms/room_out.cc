#include "components/rooms/room_out.h"

#include "base/fields.h"
#include "components/rooms/state_root.h"

namespace myelin::rooms {
namespace {

// Numbers of forms: one that changes gets another (docs/upgrades.md).
constexpr uint64_t kEvent = 1, kReceipt = 2;

void append(std::string& out, const EventAdded& event) {
  append_varint(out, static_cast<uint64_t>(event.ref.row()));
  append_signed(out, event.order);
  append_signed(out, event.depth);
  append_string(out, encode_root(event.before));
  append_string(out, encode_root(event.after));
  append_string(out, event.sender.str());
  append_string(out, event.type);
  append_varint(out, (event.is_state ? 1U : 0U) | (event.soft_failed ? 2U : 0U) | (event.transaction ? 4U : 0U) |
                         (event.on_fork ? 8U : 0U));
  if (event.transaction) {
    append_string(out, event.transaction->device.str());
    append_string(out, event.transaction->path);
    append_string(out, event.transaction->id);
  }
  append_varint(out, event.memberships.size());
  for (const auto& change : event.memberships) {
    append_string(out, change.user.str());
    append_varint(out, change.before ? static_cast<uint64_t>(*change.before) + 1 : 0);
    append_varint(out, static_cast<uint64_t>(change.after));
    append_varint(out, static_cast<uint64_t>(change.ref.row()));
  }
  append_varint(out, event.redacts ? static_cast<uint64_t>(event.redacts->row()) : 0);
}

EventAdded read_event(FieldReader& in) {
  EventAdded event;
  event.ref = EventRef::from_row(static_cast<int64_t>(in.number()));
  event.order = in.signed_number();
  event.depth = in.signed_number();
  event.before = decode_root(in.text());
  event.after = decode_root(in.text());
  event.sender = UserId::trusted(in.text());
  event.type = in.text();
  auto flags = in.number();
  event.is_state = (flags & 1) != 0;
  event.soft_failed = (flags & 2) != 0;
  event.on_fork = (flags & 8) != 0;
  if ((flags & 4) != 0) {
    auto device = DeviceId::trusted(in.text());
    auto path = in.text();
    event.transaction = Transaction{event.sender, std::move(device), std::move(path), in.text()};
  }
  for (auto left = in.number(); left > 0 && in.ok(); --left) {
    MembershipChange change;
    change.user = UserId::trusted(in.text());
    if (auto before = in.number(); before > 0) change.before = static_cast<Membership>(before - 1);
    change.after = static_cast<Membership>(in.number());
    change.ref = EventRef::from_row(static_cast<int64_t>(in.number()));
    event.memberships.push_back(std::move(change));
  }
  if (auto row = static_cast<int64_t>(in.number()); row != 0) event.redacts = EventRef::from_row(row);
  return event;
}

void append(std::string& out, const ReceiptAdded& receipt) {
  append_string(out, receipt.user.str());
  append_string(out, receipt.type);
  append_string(out, receipt.thread);
  append_string(out, receipt.event_id.str());
  append_varint(out, static_cast<uint64_t>(receipt.ref.row()));
  append_signed(out, receipt.order);
  append_signed(out, receipt.ts);
}

ReceiptAdded read_receipt(FieldReader& in) {
  ReceiptAdded receipt;
  receipt.user = UserId::trusted(in.text());
  receipt.type = in.text();
  receipt.thread = in.text();
  receipt.event_id = EventId::trusted(in.text());
  receipt.ref = EventRef::from_row(static_cast<int64_t>(in.number()));
  receipt.order = in.signed_number();
  receipt.ts = in.signed_number();
  return receipt;
}

}  // namespace

std::string encode(const RoomOut& message) {
  std::string out;
  out.reserve(256);
  append_varint(out, std::holds_alternative<EventAdded>(message.what) ? kEvent : kReceipt);
  append_varint(out, message.room_no);
  append_string(out, message.room.str());
  std::visit([&](const auto& what) { append(out, what); }, message.what);
  return out;
}

Result<RoomOut> decode_room_out(std::string_view bytes) {
  FieldReader in(bytes);
  RoomOut message;
  auto kind = in.number();
  message.room_no = static_cast<uint32_t>(in.number());
  message.room = RoomId::trusted(in.text());
  if (kind == kEvent)
    message.what = read_event(in);
  else if (kind == kReceipt)
    message.what = read_receipt(in);
  else if (in.ok())
    return fail(Code::kUnavailable, fmt::format("room.out: form {} is of a newer program", kind));
  if (!in.ok()) return fail(Code::kCorrupt, "room.out: a message cut short");
  return message;
}

}  // namespace myelin::rooms
