#include "components/push/job.h"

namespace myelin::push {

// A work row's body is text: the job is JSON.
std::string encode(const Job& job) {
  return json::serialize(json::Object{{"event", job.ref.row()}, {"tweaks", job.tweaks}, {"at", job.at}});
}

std::optional<Job> decode_job(std::string_view text) {
  auto object = json::parse_object(text);
  if (!object) return std::nullopt;
  auto row = json::integer_at(*object, "event"), at = json::integer_at(*object, "at");
  const auto* tweaks = json::object_at(*object, "tweaks");
  if (!row || !at || tweaks == nullptr) return std::nullopt;
  return Job{rooms::EventRef::from_row(*row), *tweaks, *at};
}

}  // namespace myelin::push
