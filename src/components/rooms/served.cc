#include "components/rooms/served.h"

#include <map>

#include "components/rooms/query/reader.h"
#include "matrix/relations.h"

namespace myelin::rooms {
namespace {

// May they have what this state event replaced, whatever history visibility says of that?
bool knows_state_before(const ServedEvent& served, const UserId& viewer) {
  return served.membership == "join" || served.event->event->is_state("m.room.member", viewer.str());
}

enum class Before : bool { kOwnOnly, kAll };  // of which state events there is prev_content

Task<Result<std::vector<ServedEvent>>> attach(Queries& queries, std::vector<ServedEvent> served, Viewer viewer,
                                              Before before) {
  std::vector<EventRef> refs;
  std::vector<std::optional<Seen>> known;
  std::vector<size_t> owners;
  for (size_t i = 0; i < served.size(); ++i) {
    if (!served[i].event) continue;
    const auto& placed = *served[i].event;
    bool knows = knows_state_before(served[i], viewer.user);
    bool redacted = placed.redacted_by.has_value();
    if (!redacted && (!placed.replaces || (!knows && before == Before::kOwnOnly))) continue;
    refs.push_back(redacted ? *placed.redacted_by : *placed.replaces);
    known.push_back(!redacted && knows ? std::optional(Seen{true, {}}) : std::nullopt);
    owners.push_back(i);
  }
  if (refs.empty()) co_return served;
  MYELIN_CO_TRY(auto events, co_await queries.events(std::move(refs)));
  MYELIN_CO_TRY(auto attached, co_await serve(queries, std::move(events), std::move(known), Viewer{viewer.user}));
  for (size_t i = 0; i < attached.size(); ++i) {
    if (!attached[i].event) continue;
    auto& owner = served[owners[i]];
    const auto& event = attached[i].event->event;
    if (!owner.event->redacted_by) {
      owner.prev_content = std::shared_ptr<const json::Object>(event, &event->content());
    } else if (!viewer.ignores(event->sender())) {
      owner.redacted_because = event;
    } else {
      MYELIN_CO_TRY(auto info, co_await queries.room(owner.event->ref.room));
      MYELIN_CO_TRY(owner.redacted_because, redacted_form(*event, *info.rules));
    }
  }
  co_return served;
}

// Are children shown with their own children? The newest message of a thread is.
enum class Nested : bool { kNo, kYes };

Task<Result<std::vector<ServedEvent>>> bundle(Queries& queries, std::vector<ServedEvent> served, Viewer viewer,
                                              Nested nested) {
  std::vector<EventRef> parents, shown;
  std::vector<size_t> owners;
  for (size_t i = 0; i < served.size(); ++i) {
    if (!served[i].event) continue;
    parents.push_back(served[i].event->ref);
    owners.push_back(i);
  }
  MYELIN_CO_TRY(auto relations, co_await queries.relations(std::move(parents), viewer));
  std::vector<std::pair<size_t, bool>> places;  // of `shown`: whose, and is it a thread's?
  for (size_t i = 0; i < relations.size(); ++i) {
    for (bool of_thread : {false, true}) {
      if (of_thread ? !relations[i].thread : !relations[i].edit) continue;
      shown.push_back(of_thread ? relations[i].thread->latest : *relations[i].edit);
      places.emplace_back(owners[i], of_thread);
    }
    served[owners[i]].relations = std::move(relations[i]);
  }
  if (shown.empty()) co_return served;
  std::vector<std::optional<Seen>> known(shown.size(), Seen{true, {}});  // relations() names no others
  MYELIN_CO_TRY(auto events, co_await queries.events(std::move(shown)));
  MYELIN_CO_TRY(auto children, co_await serve(queries, std::move(events), std::move(known), viewer));
  MYELIN_CO_TRY(children, co_await with_attachments(queries, std::move(children), viewer));
  std::vector<ServedEvent> latest;
  for (size_t i = 0; i < children.size(); ++i)
    if (nested == Nested::kYes && places[i].second) latest.push_back(children[i]);
  MYELIN_CO_TRY(latest, co_await bundle(queries, std::move(latest), viewer, Nested::kNo));
  for (size_t i = 0, next = 0; i < children.size(); ++i) {
    auto& owner = served[places[i].first];
    if (places[i].second)
      owner.latest.push_back(nested == Nested::kYes ? std::move(latest[next++]) : std::move(children[i]));
    else if (relation_of(*children[i].event->event))  // an edit that is erased edits nothing
      owner.edit.push_back(std::move(children[i]));
  }
  co_return served;
}

}  // namespace

Task<Result<std::vector<ServedEvent>>> serve(Queries& queries, std::vector<PlacedPtr> events,
                                             std::vector<std::optional<Seen>> known, Viewer viewer) {
  std::vector<EventRef> unknown;
  for (size_t i = 0; i < events.size(); ++i)
    if (!known[i]) unknown.push_back(events[i]->ref);
  if (!unknown.empty()) {
    MYELIN_CO_TRY(auto seen, co_await queries.seen(std::move(unknown), viewer));
    size_t next = 0;
    for (auto& each : known)
      if (!each) each = std::move(seen[next++]);
  }
  MYELIN_CO_TRY(events, co_await queries.as_erased(std::move(events), viewer));
  std::vector<ServedEvent> out;
  for (size_t i = 0; i < events.size(); ++i) {
    out.push_back({nullptr, std::move(known[i]->membership)});
    if (known[i]->visible && (events[i]->event->is_state() || !viewer.ignores(events[i]->event->sender())))
      out.back().event = std::move(events[i]);
  }
  co_return out;
}

Task<Result<std::vector<ServedEvent>>> serve(Queries& queries, std::vector<PlacedPtr> events, Viewer viewer) {
  std::vector<std::optional<Seen>> known(events.size());
  co_return co_await serve(queries, std::move(events), std::move(known), std::move(viewer));
}

// What a state event replaced is the room's history, of which each would have to be judged by a state of its own: lists
// of the state have it of the viewer's own membership only.
Task<Result<std::vector<ServedEvent>>> serve_state(Queries& queries, std::vector<PlacedPtr> events, Viewer viewer) {
  std::vector<std::optional<Seen>> known(events.size(), Seen{true, {}});
  MYELIN_CO_TRY(auto served, co_await serve(queries, std::move(events), std::move(known), viewer));
  co_return co_await attach(queries, std::move(served), std::move(viewer), Before::kOwnOnly);
}

Task<Result<std::vector<ServedEvent>>> with_attachments(Queries& queries, std::vector<ServedEvent> served,
                                                        Viewer viewer) {
  co_return co_await attach(queries, std::move(served), std::move(viewer), Before::kAll);
}

Task<Result<std::vector<ServedEvent>>> with_children(Queries& queries, std::vector<ServedEvent> served, Viewer viewer) {
  co_return co_await bundle(queries, std::move(served), std::move(viewer), Nested::kYes);
}

}  // namespace myelin::rooms
