#include "api/client/room_access.h"

#include <charconv>

#include "components/accounts/ignored_users.h"

namespace myelin::api::client {
namespace {

constexpr size_t kMaxLimit = 1000;

std::unexpected<Error> not_allowed() { return fail(Code::kForbidden, "you are not in this room, and never were"); }

Task<Result<bool>> is_world_readable(rooms::Queries& queries, uint32_t room_no, StateRoot root) {
  std::vector<std::pair<std::string, std::string>> key{{"m.room.history_visibility", ""}};
  MYELIN_CO_TRY(auto events, co_await state_events(queries, room_no, root, std::move(key)));
  co_return !events.empty() &&
      json::string_at(events.front()->event->content(), "history_visibility") == "world_readable";
}

}  // namespace

Task<Result<std::vector<rooms::PlacedPtr>>> state_events(rooms::Queries& queries, uint32_t room_no, StateRoot root,
                                                         std::vector<std::pair<std::string, std::string>> keys) {
  MYELIN_CO_TRY(auto entries, co_await queries.state_of(room_no, root, std::move(keys)));
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries) refs.push_back(entry.ref);
  co_return co_await queries.events(std::move(refs));
}

Task<Result<json::Object>> current_content(rooms::Queries& queries, RoomId room, std::string type) {
  MYELIN_CO_TRY(auto info, co_await queries.room(room));
  MYELIN_CO_TRY(auto root, co_await queries.current_root(info.room_no));
  std::vector<std::pair<std::string, std::string>> key{{std::move(type), ""}};
  MYELIN_CO_TRY(auto events, co_await state_events(queries, info.room_no, root, std::move(key)));
  if (events.empty()) co_return json::Object();
  co_return events.front()->event->content();
}

Task<Result<RoomAccess>> room_access(Components& on, RoomId room, UserId user) {
  auto& queries = on.rooms.queries();
  auto info = co_await queries.room(room);
  if (!info) {
    if (info.error().code == Code::kNotFound) co_return not_allowed();
    co_return std::unexpected(info.error());
  }
  RoomAccess out{*info, {}, false, std::nullopt};
  MYELIN_CO_TRY(auto membership, co_await queries.membership(room, user));
  using enum rooms::Membership;
  if (membership && membership->membership == kJoin) {
    out.is_joined = true;
    MYELIN_CO_TRY(out.root, co_await queries.current_root(info->room_no));
    co_return out;
  }
  if (membership && !membership->forgotten) {
    MYELIN_CO_TRY(out.left, co_await queries.last_left(info->room_no, user));
    if (out.left) {
      MYELIN_CO_TRY(out.root, co_await queries.root_after(*out.left));
      co_return out;
    }
  }
  MYELIN_CO_TRY(out.root, co_await queries.current_root(info->room_no));
  MYELIN_CO_TRY(bool readable, co_await is_world_readable(queries, info->room_no, out.root));
  if (!readable) co_return not_allowed();
  co_return out;
}

Task<Result<rooms::Viewer>> viewer_of(Components& on, UserId user) {
  MYELIN_CO_TRY(auto ignored, co_await accounts::ignored_users(on.accounts, user));
  co_return rooms::Viewer{std::move(user), std::make_shared<const std::set<std::string>>(std::move(ignored))};
}

rooms::EventView view_of(const Components& on, const Call& call) {
  return {.user = call.session().user, .device = call.session().device, .now = on.clock.now()};
}

std::string joined_text(const std::vector<std::string>& events) { return fmt::format("[{}]", fmt::join(events, ",")); }

Result<size_t> limit_of(const Call& call, size_t otherwise) {
  auto text = call.query("limit");
  if (!text) return otherwise;
  size_t limit = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size())
    return fail(Code::kInvalidParam, "limit must be a number");
  return std::min(limit, kMaxLimit);
}

}  // namespace myelin::api::client
