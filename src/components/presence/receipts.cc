#include "components/presence/receipts.h"

#include "components/rooms/room_out.h"
#include "components/rooms/threads.h"

namespace myelin::presence {
namespace {

constexpr std::string_view kMain = "main";
constexpr const char* kFullyRead = "m.fully_read";

}  // namespace

Receipts::Receipts(db::Database& db, accounts::Accounts& accounts, rooms::Queries& rooms, const Clock& clock)
    : db_(db), accounts_(accounts), rooms_(rooms), clock_(clock) {}

Task<Result<rooms::PlacedPtr>> Receipts::find(RoomId room, UserId user, EventId event) {
  MYELIN_CO_TRY(auto membership, co_await rooms_.membership(room, user));
  if (!membership || membership->membership != rooms::Membership::kJoin)
    co_return fail(Code::kForbidden, "only who is joined to the room can read in it");
  MYELIN_CO_TRY(auto placed, co_await rooms_.event(room, event));
  if (placed->rejected || placed->soft_failed) co_return fail(Code::kNotFound, "there is no such event in the room");
  co_return placed;
}

Task<Result<void>> Receipts::receipt(RoomId room, UserId user, std::string type, EventId event, std::string thread) {
  if (type != "m.read" && type != "m.read.private") co_return fail(Code::kInvalidParam, "unknown receipt type");
  MYELIN_CO_TRY(auto placed, co_await find(room, user, event));
  if (!thread.empty()) {
    MYELIN_CO_TRY(auto actual, co_await rooms::thread_of(rooms_, room, placed));
    bool fits = thread == kMain ? actual.empty() : actual == thread || event.str() == thread;
    if (!fits) co_return fail(Code::kInvalidParam, "the event is not in this thread");
  }
  rooms::ReceiptAdded added{user, type, thread, event, placed->ref, placed->order, clock_.now()};
  auto message = encode(rooms::RoomOut{placed->ref.room, room, std::move(added)});
  auto partition = bus::partition_of(room.str());
  auto write = [user, type, thread, event, partition, message = std::move(message), ref = placed->ref,
                order = placed->order](db::Tx& tx) {
    int64_t moved = tx.exec(
        "INSERT INTO presence_receipt (room_no, user_id, type, thread, order_no, event_id) VALUES ($1, $2, $3, $4, $5, "
        "$6) "
        "ON CONFLICT (room_no, user_id, type, thread) DO UPDATE SET order_no = excluded.order_no, "
        "event_id = excluded.event_id WHERE presence_receipt.order_no < excluded.order_no",
        static_cast<int64_t>(ref.room), user.str(), type, thread, order, event.str());
    if (moved > 0) tx.publish(rooms::kRoomOut.name, partition, message);
  };
  co_return co_await db_.write({.lane = bus::hash_of(user.str())}, std::move(write));
}

// The marker moves forward only. It is account data, which accounts keeps and announces.
Task<Result<void>> Receipts::fully_read(RoomId room, UserId user, EventId event) {
  MYELIN_CO_TRY(auto placed, co_await find(room, user, event));
  auto stored = co_await accounts_.account_data(user, room, kFullyRead);
  if (!stored && stored.error().code != Code::kNotFound) co_return std::unexpected(stored.error());
  auto content = stored ? json::parse_object(*stored) : fail(Code::kNotFound);
  auto before = content ? json::string_at(*content, "event_id") : std::nullopt;
  if (auto id = before ? EventId::parse(*before) : fail(Code::kNotFound); id) {
    auto marked = co_await rooms_.event(room, *id);
    if (marked && (*marked)->order >= placed->order) co_return Result<void>{};
  }
  co_return co_await accounts_.put_account_data(user, room, kFullyRead,
                                                json::serialize(json::Object{{"event_id", event.str()}}));
}

}  // namespace myelin::presence
