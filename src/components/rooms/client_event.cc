#include "components/rooms/client_event.h"

namespace myelin::rooms {

std::string client_event(const PlacedEvent& placed, const EventView& view) {
  json::Object extra;
  if (view.format != ClientFormat::kStripped) {
    if (auto age = view.now - placed.event->origin_server_ts(); age >= 0) extra["age"] = age;
    if (placed.transaction && placed.event->sender() == view.user && placed.transaction->first == view.device)
      extra["transaction_id"] = placed.transaction->second;
    if (placed.prev_content) extra["prev_content"] = *placed.prev_content;
    if (placed.replaces_state) extra["replaces_state"] = placed.replaces_state->str();
    if (placed.redacted_because)
      extra["redacted_because"] = boost::json::parse(myelin::client_event(*placed.redacted_because, ClientFormat::kRoom));
    if (view.membership) extra["membership"] = *view.membership;
  }
  return myelin::client_event(*placed.event, view.format, extra);
}

}  // namespace myelin::rooms
