// Any JSON object as a filter.
#include <cstdlib>

#include "matrix/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  static const EventPtr event = *Event::parse(
      R"({"auth_events":[],"content":{"url":"mxc://x/y"},"depth":1,"hashes":{"sha256":""},"origin_server_ts":1,"prev_events":[],"room_id":"!r:x","sender":"@a:x","signatures":{},"type":"m.room.message"})",
      *find_room_version("11"));
  auto object = json::parse_object({reinterpret_cast<const char*>(data), size});
  if (!object) return 0;
  auto filter = Filter::parse(*object);
  if (!filter) return 0;
  for (auto part : {&filter->timeline(), &filter->state(), &filter->account_data(), &filter->presence()}) {
    if (part->limit() > kMaxFilterLimit) std::abort();
    bool by_parts = part->matches_type(event->type()) && part->matches_sender(event->sender().str()) &&
                    part->matches_room(event->room_id().str()) && part->contains_url().value_or(true);
    if (part->matches(*event) != by_parts) std::abort();
  }
  (void)filter->matches_room(event->room_id());
  return 0;
}
