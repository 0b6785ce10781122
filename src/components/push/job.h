// What a row of work queue "push" asks for; its key is PusherKey::str(). Pure; any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "components/rooms/rooms.h"

namespace myelin::push {

inline constexpr std::string_view kQueue = "push";

struct Job {
  rooms::EventRef ref{};  // event 0: only the count of unread messages
  json::Object tweaks{};
  Milliseconds at = 0;  // when it was enqueued
  bool is_badge() const { return ref.event == 0; }
};
std::string encode(const Job&);
std::optional<Job> decode_job(std::string_view);

}  // namespace myelin::push
