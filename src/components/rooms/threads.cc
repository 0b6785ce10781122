#include "components/rooms/threads.h"

#include "matrix/relations.h"

namespace myelin::rooms {
namespace {
constexpr int kMaxHops = 3;
}

Task<Result<std::string>> thread_of(Queries& queries, RoomId room, PlacedPtr event) {
  for (int hop = 0; hop < kMaxHops; ++hop) {
    auto relation = event->event->is_state() ? std::nullopt : relation_of(*event->event);
    if (!relation) break;
    if (relation->type == kThread) co_return relation->parent.str();
    auto parent = co_await queries.event(room, relation->parent);
    if (!parent && parent.error().code == Code::kNotFound) break;
    if (!parent) co_return std::unexpected(parent.error());
    event = *parent;
  }
  co_return std::string();
}

}  // namespace myelin::rooms
