#include "components/rooms/client_event.h"

#include <map>

namespace myelin::rooms {
namespace {

// Of JSON that we have written.
json::Value as_value(const std::string& text) {
  return json::parse(text, {.bytes = 1u << 20, .depth = 1000}).value_or(json::Value());
}

// The children to be shown inside their parents: latest edits and newest messages of threads.
std::vector<EventRef> children_of(const std::vector<Relations>& all) {
  std::vector<EventRef> out;
  for (const auto& relations : all) {
    if (relations.edit) out.push_back(*relations.edit);
    if (relations.thread) out.push_back(relations.thread->latest);
  }
  return out;
}

json::Object bundle(const Relations& relations, const std::map<EventRef, PlacedPtr>& children, const EventView& view) {
  json::Object out;
  if (relations.edit) out["m.replace"] = as_value(client_event(*children.at(*relations.edit), view));
  if (const auto& thread = relations.thread)
    out["m.thread"] = json::Object{{"latest_event", as_value(client_event(*children.at(thread->latest), view))},
                                   {"count", thread->count},
                                   {"current_user_participated", thread->participated}};
  if (!relations.references.empty()) {
    json::Array chunk;
    for (const auto& id : relations.references) chunk.push_back(json::Object{{"event_id", id.str()}});
    out["m.reference"] = json::Object{{"chunk", std::move(chunk)}};
  }
  return out;
}

}  // namespace

std::string client_event(const PlacedEvent& placed, const EventView& view, const json::Object* relations) {
  json::Object extra;
  if (view.format != ClientFormat::kStripped) {
    if (auto age = view.now - placed.event->origin_server_ts(); age >= 0) extra["age"] = age;
    if (placed.transaction && placed.event->sender() == view.user && placed.transaction->first == view.device)
      extra["transaction_id"] = placed.transaction->second;
    if (placed.prev_content) extra["prev_content"] = *placed.prev_content;
    if (placed.replaces_state) extra["replaces_state"] = placed.replaces_state->str();
    if (placed.redacted_because)
      extra["redacted_because"] = as_value(myelin::client_event(*placed.redacted_because, ClientFormat::kRoom));
    if (view.membership) extra["membership"] = *view.membership;
    if (relations != nullptr && !relations->empty()) extra["m.relations"] = *relations;
  }
  return myelin::client_event(*placed.event, view.format, extra);
}

Task<Result<std::vector<std::string>>> client_events(Queries& queries, std::vector<PlacedPtr> events,
                                                     std::vector<std::string> memberships, EventView view) {
  std::vector<EventRef> refs;
  for (const auto& event : events) refs.push_back(event->ref);
  MYELIN_CO_TRY(auto relations, co_await queries.relations(std::move(refs), Viewer{view.user}));
  std::map<EventRef, PlacedPtr> children;
  if (auto wanted = children_of(relations); !wanted.empty()) {
    MYELIN_CO_TRY(auto found, co_await queries.events(std::move(wanted)));
    for (auto& child : found) children[child->ref] = child;
  }
  auto child_view = view;
  child_view.membership.reset();
  std::vector<std::string> out;
  for (size_t i = 0; i < events.size(); ++i) {
    if (!memberships.empty()) view.membership = memberships[i];
    auto bundled = relations[i].empty() ? json::Object() : bundle(relations[i], children, child_view);
    out.push_back(client_event(*events[i], view, &bundled));
  }
  co_return out;
}

}  // namespace myelin::rooms
