#include "components/rooms/owner/room_state.h"

#include "matrix/redaction.h"

namespace myelin::rooms {
namespace {

const HeldState kAbsent;

size_t weight(const TypeAndKey& key, const HeldState& held) {
  return 160 + key.type.size() + key.state_key.size() + (held.event ? held.event->memory_bytes() : 0);
}

}  // namespace

const HeldState* RoomState::find(std::string_view type, std::string_view state_key) const {
  auto it = held_.find(std::pair(type, state_key));
  if (it != held_.end()) return &it->second;
  return complete_ ? &kAbsent : nullptr;
}

void RoomState::fetched(TypeAndKey key, HeldState state) {
  auto bytes = weight(key, state);
  if (held_.emplace(std::move(key), std::move(state)).second) bytes_ += bytes;
}

void RoomState::put(TypeAndKey key, HeldState state) {
  bytes_ += weight(key, state);
  held_.insert_or_assign(std::move(key), std::move(state));
}

void RoomState::fetched(uint32_t page_no, const PagePtr& page) { put(page_no, page); }

void RoomState::put(uint32_t page_no, const PagePtr& page) {
  pages.add(page_no, page);
  page_numbers_.push_back(page_no);
  bytes_ += page->memory_bytes() + 64;
}

json::Object RoomState::content(const HeldState& held) const {
  if (!held.event) return {};
  if (!held.redacted && !redacted_.contains(held.event_no)) return held.event->content();
  return redact(held.event->object(), *rules).at("content").as_object();
}

// Only with nothing under way: what is not committed yet cannot be read again.
void RoomState::trim() {
  if (begun != ended) return;
  held_.clear();
  for (auto page_no : page_numbers_) pages.erase(page_no);
  page_numbers_.clear();
  redacted_.clear();
  complete_ = false;
  bytes_ = 4096;
  ++trims_;
}

const HeldState& Look::operator()(std::string_view type, std::string_view state_key) {
  if (const auto* held = room_.find(type, state_key)) return *held;
  missing_.keys.push_back({std::string(type), std::string(state_key)});
  return kAbsent;
}

}  // namespace myelin::rooms
