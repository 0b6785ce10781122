#include "matrix/state_res/steps.h"

namespace myelin::state_res {

Result<const Event*> Events::get(uint32_t event_no) {
  auto found = loaded_.find(event_no);
  if (found != loaded_.end()) return found->second.get();
  MYELIN_TRY(EventPtr event, source_.event(event_no));
  if (!event) return fail(Code::kNotFound, fmt::format("event {} is not known", event_no));
  return loaded_.emplace(event_no, std::move(event)).first->second.get();
}

Result<uint32_t> Events::auth_event(uint32_t event_no, std::string_view type, std::string_view state_key) {
  for (uint32_t parent : graph_.parents(event_no)) {
    MYELIN_TRY(const Event* event, get(parent));
    if (!event->is_state(type, state_key)) continue;
    if (graph_.generation(parent) >= graph_.generation(event_no))
      return fail(Code::kCorrupt, fmt::format("the auth generation of event {} is wrong", event_no));
    return parent;
  }
  return kNone;
}

}  // namespace myelin::state_res
