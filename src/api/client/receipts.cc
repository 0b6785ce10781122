// Client-server API, Receipts and Read and unread markers.
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

constexpr std::string_view kFullyRead = "m.fully_read";

// "" when absent. kInvalidParam: not a string, or empty.
Result<std::string> parse_thread(const json::Object& body) {
  if (!body.contains("thread_id")) return std::string();
  auto thread = json::string_at(body, "thread_id");
  if (!thread || thread->empty()) return fail(Code::kInvalidParam, "thread_id must be a non-empty string");
  return std::string(*thread);
}

Task<Result<void>> mark(Components& components, UserId user, RoomId room, std::string type, EventId event,
                        std::string thread) {
  if (type != kFullyRead) co_return co_await components.presence.receipt(room, user, type, event, thread);
  if (!thread.empty()) co_return fail(Code::kInvalidParam, "m.fully_read has no threads");
  co_return co_await components.presence.fully_read(room, user, event);
}

Task<Result<std::string>> post_receipt(Components& components, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto event, EventId::parse(call.path("eventId")));
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  MYELIN_CO_TRY(auto thread, parse_thread(body));
  MYELIN_CO_CHECK(co_await mark(components, call.session().user, room, call.path("receiptType"), event, thread));
  co_return ok();
}

Task<Result<std::string>> post_read_markers(Components& components, Call call) {
  MYELIN_CO_TRY(auto room, RoomId::parse(call.path("roomId")));
  MYELIN_CO_TRY(auto body, call.body());
  std::vector<std::pair<std::string, EventId>> marks;
  for (std::string_view type : {"m.read", "m.read.private", kFullyRead.data()}) {
    const auto* value = body.if_contains(type);
    if (value == nullptr || value->is_null()) continue;
    auto text = json::string_at(body, type);
    if (!text) co_return fail(Code::kBadJson, std::string(type) + " must be an event id");
    MYELIN_CO_TRY(auto event, EventId::parse(*text));
    marks.emplace_back(type, std::move(event));
  }
  for (auto& [type, event] : marks)
    MYELIN_CO_CHECK(co_await mark(components, call.session().user, room, type, event, {}));
  co_return ok();
}

}  // namespace

void add_receipts(Router& router, Components& components) {
  router.add(net::Method::kPost, "/_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", Auth::kToken,
             [&components](Call call) { return post_receipt(components, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/rooms/{roomId}/read_markers", Auth::kToken,
             [&components](Call call) { return post_read_markers(components, std::move(call)); });
}

}  // namespace myelin::api::client
