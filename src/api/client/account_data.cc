// Client-server API, Client Config (account data) and Room Tagging.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

constexpr std::string_view kTags = "m.tag";

Result<void> own(const Call& call) {
  if (call.path("userId") == call.session().user.str()) return {};
  return fail(Code::kForbidden, "this is another user's account data");
}
Result<std::optional<RoomId>> room_of(const Call& call) {
  if (call.path("roomId").empty()) return std::nullopt;
  return RoomId::parse(call.path("roomId"));
}

Task<Result<std::string>> get(Components& on, Call call) {
  MYELIN_CO_CHECK(own(call));
  MYELIN_CO_TRY(auto room, room_of(call));
  co_return co_await on.accounts.account_data(call.session().user, room, call.path("type"));
}

Task<Result<std::string>> put(Components& on, Call call) {
  MYELIN_CO_CHECK(own(call));
  MYELIN_CO_TRY(auto room, room_of(call));
  MYELIN_CO_TRY(auto body, call.body());
  const auto& type = call.path("type");
  if (type == "m.fully_read" || type == "m.push_rules")
    co_return fail(Code::kServerManaged, type + " has endpoints of its own");
  if (type.size() > kMaxFieldBytes) co_return fail(Code::kInvalidParam, "the type is too long");
  MYELIN_CO_CHECK(co_await on.accounts.put_account_data(call.session().user, room, type, json::serialize(body)));
  co_return ok();
}

Task<Result<std::string>> get_tags(Components& on, Call call) {
  MYELIN_CO_CHECK(own(call));
  MYELIN_CO_TRY(auto room, room_of(call));
  auto content = co_await on.accounts.account_data(call.session().user, room, std::string(kTags));
  if (!content && content.error().code == Code::kNotFound) co_return std::string(R"({"tags":{}})");
  co_return content;
}

// `edit` gets the tags.
Task<Result<std::string>> edit_tags(Components& on, Call call, std::function<void(json::Object&)> edit) {
  MYELIN_CO_CHECK(own(call));
  MYELIN_CO_TRY(auto room, room_of(call));
  auto apply = [edit = std::move(edit)](json::Object& content) -> Result<void> {
    auto& tags = content["tags"];
    if (!tags.is_object()) tags = json::Object();
    edit(tags.as_object());
    return {};
  };
  MYELIN_CO_CHECK(
      co_await on.accounts.edit_account_data(call.session().user, room, std::string(kTags), std::move(apply)));
  co_return ok();
}

Task<Result<std::string>> put_tag(Components& on, Call call) {
  MYELIN_CO_TRY(auto body, call.body_or_empty());
  if (const auto* order = body.if_contains("order"); order != nullptr && !order->is_number())
    co_return fail(Code::kBadJson, "order must be a number");
  auto edit = [tag = call.path("tag"), body](json::Object& tags) { tags[tag] = body; };
  co_return co_await edit_tags(on, call, std::move(edit));
}

Task<Result<std::string>> delete_tag(Components& on, Call call) {
  auto edit = [tag = call.path("tag")](json::Object& tags) { tags.erase(tag); };
  co_return co_await edit_tags(on, call, std::move(edit));
}

}  // namespace

void add_account_data(Router& router, Components& on) {
  for (const char* path : {"/_matrix/client/v3/user/{userId}/account_data/{type}",
                           "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}"}) {
    router.add(net::Method::kGet, path, Auth::kToken, [&on](Call call) { return get(on, std::move(call)); });
    router.add(net::Method::kPut, path, Auth::kToken, [&on](Call call) { return put(on, std::move(call)); });
  }
  router.add(net::Method::kGet, "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags", Auth::kToken,
             [&on](Call call) { return get_tags(on, std::move(call)); });
  router.add(net::Method::kPut, "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", Auth::kToken,
             [&on](Call call) { return put_tag(on, std::move(call)); });
  router.add(net::Method::kDelete, "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", Auth::kToken,
             [&on](Call call) { return delete_tag(on, std::move(call)); });
}

}  // namespace myelin::api::client
