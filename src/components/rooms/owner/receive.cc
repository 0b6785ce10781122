// Events of other servers: taken in one at a time per room, while nothing of ours is built on it.
#include "components/rooms/owner/reception.h"

namespace myelin::rooms {
namespace {
constexpr auto kDeadline = std::chrono::seconds(30);
}  // namespace

Task<Result<Received>> Owner::receive(RoomId id, VerifiedEvent verified) {
  if (verified.event()->room_id() != id) co_return fail(Code::kInvalidParam, "the event is of another room");
  auto deadline = clock_.steady() + kDeadline;
  while (clock_.steady() < deadline) {
    MYELIN_CO_TRY(auto room, co_await this->room(id));
    while (room->merging) {
      auto seen = room->settled.generation();
      co_await room->settled.wait(seen, clock_.steady() + kDeadline);
    }
    struct Merging {
      RoomStatePtr room;
      explicit Merging(RoomStatePtr r) : room(std::move(r)) { room->merging = true; }
      ~Merging() {
        room->merging = false;
        room->settled.ring();
      }
    } merging(room);
    auto status = co_await settled(room);
    if (!status && status.error().code == Code::kStale) continue;
    if (!status) co_return std::unexpected(std::move(status).error());

    ReceivingRoom now{room->room_no, room->room, room->rules, room->head};
    auto reception = co_await db_.read([&pages = pages_, &key = fingerprint_key_, now, event = verified.event()](
                                           db::ReadTx& tx) { return receive_event(tx, pages, key, now, event); });
    if (!reception || !reception->staged) {
      status = co_await confirmed(room);
      if (!status && status.error().code == Code::kStale) continue;
      if (!status) co_return std::unexpected(std::move(status).error());
      if (!reception) co_return std::unexpected(std::move(reception).error());
      co_return reception->answer;
    }
    auto redacted = reception->staged->redacts;
    StagedWrite all{room->room_no,    room->room,     room->rules,     false,
                    room->version_no, next_version(), reception->head, {}};
    all.events.push_back(std::move(*reception->staged));
    auto fence = this->fence(id);
    if (!fence) co_return fail(Code::kFenced, "the room has another owner");
    status = co_await write(room, std::move(all), fence);
    room->broken = true;  // what is in memory is of before
    if (status) {
      if (redacted) on_redacted(*redacted);
      co_return reception->answer;
    }
    if (status.error().code != Code::kStale) co_return std::unexpected(std::move(status).error());
  }
  co_return fail(Code::kUnavailable, "the room changes too fast");
}

}  // namespace myelin::rooms
