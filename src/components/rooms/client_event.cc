#include "components/rooms/client_event.h"

#include "matrix/relations.h"

namespace myelin::rooms {
namespace {

// Of JSON that we have written.
json::Value as_value(const std::string& text) {
  return json::parse(text, {.bytes = 1u << 20, .depth = json::kMaxTransactionDepth}).value_or(json::Value());
}

// unsigned.m.relations.
json::Object relations_object(const ServedEvent& served, const EventView& view) {
  if (served.relations.empty()) return {};
  Aggregation out;
  if (!served.edit.empty()) out.replacement = as_value(client_event(served.edit.front(), view));
  if (const auto& thread = served.relations.thread; thread && !served.latest.empty())
    out.thread = {as_value(client_event(served.latest.front(), view)), thread->count, thread->participated};
  out.references = served.relations.references;
  return bundled(std::move(out));
}

}  // namespace

std::string client_event(const ServedEvent& served, const EventView& view) {
  const auto& placed = *served.event;
  json::Object extra;
  if (view.format != ClientFormat::kStripped) {
    if (auto age = view.now - placed.event->origin_server_ts(); age >= 0) extra["age"] = age;
    if (placed.transaction && placed.event->sender() == view.user && placed.transaction->first == view.device)
      extra["transaction_id"] = placed.transaction->second;
    if (served.prev_content) extra["prev_content"] = *served.prev_content;
    if (placed.replaces_state) extra["replaces_state"] = placed.replaces_state->str();
    if (served.redacted_because)
      extra["redacted_because"] = as_value(myelin::client_event(*served.redacted_because, ClientFormat::kRoom));
    if (!served.membership.empty()) extra["membership"] = served.membership;
    if (auto relations = relations_object(served, view); !relations.empty())
      extra["m.relations"] = std::move(relations);
  }
  return myelin::client_event(*placed.event, view.format, extra);
}

std::vector<std::string> client_events(const std::vector<ServedEvent>& events, const EventView& view) {
  std::vector<std::string> out;
  for (const auto& each : events)
    if (each.event) out.push_back(client_event(each, view));
  return out;
}

}  // namespace myelin::rooms
