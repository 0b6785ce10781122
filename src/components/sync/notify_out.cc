#include "components/sync/notify_out.h"

#include "base/bytes.h"

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

Result<NotifyOut> decode_notify_out(std::string_view in) {
  auto corrupt = [] { return fail(Code::kCorrupt, "notify.out: message cut short"); };
  NotifyOut message;
  auto room = read_string(in);
  auto ref = read_varint(in);
  auto count = read_varint(in);
  if (!room || !ref || !count) return corrupt();
  message.room = RoomId::trusted(std::string(*room));
  message.ref = rooms::EventRef::from_row(static_cast<int64_t>(*ref));
  for (uint64_t i = 0; i < *count; ++i) {
    auto reader = read_string(in);
    if (!reader) return corrupt();
    message.readers.push_back(UserId::trusted(std::string(*reader)));
  }
  message.taken_back = read_varint(in).value_or(0) != 0;  // older messages end before it
  return message;
}

}  // namespace myelin::sync
