#include "components/sync/notify_out.h"

#include "base/fields.h"

namespace myelin::sync {

std::string encode(const NotifyOut& message) {
  std::string out;
  append_string(out, message.room.str());
  append_varint(out, static_cast<uint64_t>(message.ref.row()));
  append_varint(out, message.readers.size());
  for (const auto& reader : message.readers) append_string(out, reader.str());
  append_varint(out, message.taken_back ? 1 : 0);
  return out;
}

Result<NotifyOut> decode_notify_out(std::string_view body) {
  FieldReader in(body);
  NotifyOut message;
  message.room = RoomId::trusted(in.text());
  message.ref = rooms::EventRef::from_row(static_cast<int64_t>(in.number()));
  for (auto left = in.number(); left > 0 && in.ok(); --left) message.readers.push_back(UserId::trusted(in.text()));
  if (!in.ok()) return fail(Code::kCorrupt, "notify.out: a message cut short");
  message.taken_back = !in.at_end() && in.number() != 0;  // older messages end before it
  return message;
}

}  // namespace myelin::sync
