// Messages on topic notify.out: events that may make somebody's device ring. Partition: of the room id. Written by
// sync's transaction, so a pushed count is never ahead of what /sync says; read by push.
#pragma once
#include "components/sync/sync.h"

namespace myelin::sync {

inline constexpr bus::Topic kNotifyOut{"notify.out"};

struct NotifyOut {
  RoomId room;
  rooms::EventRef ref;          // absent (event 0): only badges changed
  std::vector<UserId> readers;  // whose badge went down (a receipt)
  bool taken_back = false;      // a counted event was redacted: so did the badges of members who had not read it
};
std::string encode(const NotifyOut&);
Result<NotifyOut> decode_notify_out(std::string_view);

}  // namespace myelin::sync
