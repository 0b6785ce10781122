#include "components/rooms/client_event.h"

#include <map>

#include "matrix/relations.h"

namespace myelin::rooms {
namespace {

// Of JSON that we have written.
json::Value as_value(const std::string& text) {
  return json::parse(text, {.bytes = 1u << 20, .depth = json::kMaxTransactionDepth}).value_or(json::Value());
}

// Are children shown with their own children? The newest message of a thread is.
enum class Nested : bool { kNo, kYes };

// unsigned.m.relations of each parent.
Task<Result<std::vector<json::Object>>> bundles(Queries& queries, std::vector<EventRef> parents, EventView view,
                                                Nested nested) {
  MYELIN_CO_TRY(auto relations, co_await queries.relations(std::move(parents), Viewer{view.user, view.ignored}));
  std::vector<EventRef> shown, latest;
  for (const auto& each : relations) {
    if (each.edit) shown.push_back(*each.edit);
    if (each.thread) latest.push_back(each.thread->latest);
  }
  std::map<EventRef, json::Object> of_latest;
  if (nested == Nested::kYes && !latest.empty()) {
    MYELIN_CO_TRY(auto inner, co_await bundles(queries, latest, view, Nested::kNo));
    for (size_t i = 0; i < latest.size(); ++i) of_latest[latest[i]] = std::move(inner[i]);
  }
  shown.insert(shown.end(), latest.begin(), latest.end());
  std::map<EventRef, PlacedPtr> children;
  if (!shown.empty()) {
    MYELIN_CO_TRY(auto found, co_await queries.events(std::move(shown)));
    MYELIN_CO_TRY(found, co_await queries.served(std::move(found), Viewer{view.user}));
    for (auto& child : found) children[child->ref] = child;
  }
  std::vector<json::Object> out;
  for (auto& each : relations) {
    Aggregation aggregation;
    // An edit that is erased edits nothing.
    if (each.edit && relation_of(*children.at(*each.edit)->event))
      aggregation.replacement = as_value(client_event(*children.at(*each.edit), view));
    if (const auto& thread = each.thread) {
      auto event = client_event(*children.at(thread->latest), view, &of_latest[thread->latest]);
      aggregation.thread = {as_value(event), thread->count, thread->participated};
    }
    aggregation.references = std::move(each.references);
    out.push_back(bundled(std::move(aggregation)));
  }
  co_return out;
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
  MYELIN_CO_TRY(events, co_await queries.served(std::move(events), Viewer{view.user}));
  std::vector<EventRef> refs;
  for (const auto& event : events) refs.push_back(event->ref);
  auto child_view = view;
  child_view.membership.reset();
  MYELIN_CO_TRY(auto relations, co_await bundles(queries, std::move(refs), child_view, Nested::kYes));
  std::vector<std::string> out;
  for (size_t i = 0; i < events.size(); ++i) {
    if (!memberships.empty()) view.membership = memberships[i];
    out.push_back(client_event(*events[i], view, &relations[i]));
  }
  co_return out;
}

}  // namespace myelin::rooms
