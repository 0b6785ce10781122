#include "matrix/testing/random_auth.h"

#include <fmt/format.h>

#include "matrix/testing/random_scene.h"

namespace myelin::testing {
namespace {

// Chooses what the event cites, now and then something it should not, and judges it.
class Court {
 public:
  explicit Court(uint64_t seed) : scene_(seed) {}

  AuthCase hold() {
    result_.rules = &scene_.rules();
    for (auto& [key, event] : scene_.state()) result_.known.push_back({event, false, true});
    auto spec = scene_.candidate();
    std::vector<EventPtr> cited;
    for (auto& key : auth_event_keys(scene_.rules(), spec.type, spec.sender, spec.state_key, spec.content))
      if (auto found = scene_.state().find(key); found != scene_.state().end()) cited.push_back(found->second);
    if (spec.type != "m.room.create" && scene_.chance(10)) spoil(cited);
    for (auto& event : cited) spec.auth.push_back(event ? event->event_id().str() : scene_.unknown_id());
    if (scene_.rules().auth.room_id_from_create && scene_.chance(3)) spec.room_id = other_room();
    result_.judged = make_hashed_event(scene_.rules(), spec);
    judge();
    return std::move(result_);
  }

 private:
  EventPtr create() { return scene_.state().find({"m.room.create", ""})->second; }

  // An event beside the state that may be cited.
  EventPtr known(EventPtr event) {
    result_.known.push_back({event, false, false});
    return event;
  }
  void reject(const EventPtr& event) {
    for (auto& entry : result_.known)
      if (entry.event == event) entry.rejected = true;
  }

  void spoil(std::vector<EventPtr>& cited) {
    auto one = scene_.pick(std::max<size_t>(cited.size(), 1));
    auto any = [&] { return scene_.one_of(result_.known).event; };
    if (cited.empty()) return cited.push_back(any());
    switch (scene_.pick(8)) {
      case 0:
        cited.erase(cited.begin() + one);
        break;
      case 1:
        cited.push_back(any());
        break;
      case 2:
        cited.push_back(cited[one]);
        break;
      case 3:  // another event of a key that is cited
        cited.push_back(known(scene_.another(*cited[one], scene_.room_id())));
        break;
      case 4:
        reject(cited[one]);
        break;
      case 5:
        if (cited[one]->type() == "m.room.create" && scene_.rules().auth.room_id_from_create) break;
        cited[one] = known(scene_.another(*cited[one], scene_.other_room_id()));
        break;
      case 6:
        cited.push_back(nullptr);  // not known here
        break;
      case 7:
        cited.insert(cited.begin(), create());
        break;
    }
  }

  // Version 12: no create event, none that is known, or one that was rejected.
  std::string other_room() {
    switch (scene_.pick(3)) {
      case 0:
        return "!" + scene_.one_of(result_.known).event->event_id().str().substr(1);
      case 1:
        return "!" + scene_.unknown_id().substr(1);
      default:
        reject(create());
        return scene_.room_id();
    }
  }

  void judge() {
    std::vector<AuthEvent> cited;
    AuthEventSet state;
    AuthEvent room_create;
    for (auto& entry : result_.known) {
      if (entry.in_state) state.add(entry.event.get());
      if ("!" + entry.event->event_id().str().substr(1) == result_.judged->room_id().str())
        room_create = {entry.event.get(), entry.rejected};
    }
    for (auto& id : result_.judged->auth_events()) {
      AuthEvent found;
      for (auto& entry : result_.known)
        if (entry.event->event_id() == id) found = {entry.event.get(), entry.rejected};
      cited.push_back(found);
    }
    result_.keys = authorizing_keys(scene_.rules(), *result_.judged);
    auto verdict = check_auth_events(scene_.rules(), *result_.judged, cited, room_create);
    if (verdict) verdict = authorize(scene_.rules(), *result_.judged, state);
    result_.allowed = verdict.has_value();
    if (!verdict) result_.reason = verdict.error().message;
  }

  RandomScene scene_;
  AuthCase result_;
};

}  // namespace

AuthCase random_auth_case(uint64_t seed) { return Court(seed).hold(); }

}  // namespace myelin::testing
