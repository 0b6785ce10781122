// Client-server API, Push Rules: reading and changing them.
#include "matrix/push_rules.h"

#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

// kNotFound: there is no rule of an unknown kind.
Result<PushRuleKind> kind_of(const Call& call) {
  if (auto kind = push_rule_kind(call.path("kind"))) return *kind;
  return fail(Code::kNotFound, "there is no such kind of push rule");
}

Task<Result<std::string>> get_all(Components& on, Call call) {
  MYELIN_CO_TRY(auto rules, co_await on.accounts.push_rules(call.session().user));
  co_return json::serialize(*rules);
}

Task<Result<std::string>> get_global(Components& on, Call call) {
  MYELIN_CO_TRY(auto rules, co_await on.accounts.push_rules(call.session().user));
  co_return json::serialize(rules->at("global"));
}

// One rule, or one of its attributes ("" = all of it).
Task<Result<std::string>> get_rule(Components& on, Call call, std::string attribute) {
  MYELIN_CO_TRY(auto kind, kind_of(call));
  MYELIN_CO_TRY(auto rules, co_await on.accounts.push_rules(call.session().user));
  MYELIN_CO_TRY(const auto* rule, find_push_rule(*rules, kind, call.path("ruleId")));
  if (attribute.empty()) co_return json::serialize(*rule);
  json::Object answer;
  if (const auto* value = rule->if_contains(attribute)) answer[attribute] = *value;
  co_return json::serialize(answer);
}

Task<Result<std::string>> edit(Components& on, Call call, std::function<Result<void>(json::Object&)> change) {
  MYELIN_CO_CHECK(co_await on.accounts.edit_push_rules(call.session().user, std::move(change)));
  co_return ok();
}

Task<Result<std::string>> put_rule(Components& on, Call call) {
  auto kind = push_rule_kind(call.path("kind"));
  if (!kind) co_return fail(Code::kInvalidParam, "there is no such kind of push rule");
  MYELIN_CO_TRY(auto body, call.body());
  PushRulePlace place{call.query("before"), call.query("after")};
  auto change = [kind = *kind, id = call.path("ruleId"), body, place](json::Object& content) {
    return put_push_rule(content, kind, id, body, place);
  };
  co_return co_await edit(on, call, std::move(change));
}

Task<Result<std::string>> delete_rule(Components& on, Call call) {
  MYELIN_CO_TRY(auto kind, kind_of(call));
  auto change = [kind, id = call.path("ruleId")](json::Object& content) { return delete_push_rule(content, kind, id); };
  co_return co_await edit(on, call, std::move(change));
}

Task<Result<std::string>> put_enabled(Components& on, Call call) {
  MYELIN_CO_TRY(auto kind, kind_of(call));
  MYELIN_CO_TRY(auto body, call.body());
  if (!has(body, "enabled")) co_return fail(Code::kMissingParam, "enabled is required");
  MYELIN_CO_TRY(bool enabled, optional_flag(body, "enabled", true));
  auto change = [kind, id = call.path("ruleId"), enabled](json::Object& content) {
    return enable_push_rule(content, kind, id, enabled);
  };
  co_return co_await edit(on, call, std::move(change));
}

Task<Result<std::string>> put_actions(Components& on, Call call) {
  MYELIN_CO_TRY(auto kind, kind_of(call));
  MYELIN_CO_TRY(auto body, call.body());
  const auto* actions = body.if_contains("actions");
  if (actions == nullptr) co_return fail(Code::kMissingParam, "actions is required");
  auto change = [kind, id = call.path("ruleId"), actions = *actions](json::Object& content) {
    return set_push_rule_actions(content, kind, id, actions);
  };
  co_return co_await edit(on, call, std::move(change));
}

}  // namespace

void add_push_rules(Router& router, Components& on) {
  const std::string base = "/_matrix/client/v3/pushrules", rule = base + "/global/{kind}/{ruleId}";
  for (const char* end : {"", "/"}) {
    router.add(net::Method::kGet, base + end, Auth::kToken, [&on](Call call) { return get_all(on, std::move(call)); });
    router.add(net::Method::kGet, base + "/global" + end, Auth::kToken,
               [&on](Call call) { return get_global(on, std::move(call)); });
  }
  router.add(net::Method::kGet, rule, Auth::kToken, [&on](Call call) { return get_rule(on, std::move(call), ""); });
  router.add(net::Method::kPut, rule, Auth::kToken, [&on](Call call) { return put_rule(on, std::move(call)); });
  router.add(net::Method::kDelete, rule, Auth::kToken, [&on](Call call) { return delete_rule(on, std::move(call)); });
  router.add(net::Method::kGet, rule + "/enabled", Auth::kToken,
             [&on](Call call) { return get_rule(on, std::move(call), "enabled"); });
  router.add(net::Method::kPut, rule + "/enabled", Auth::kToken,
             [&on](Call call) { return put_enabled(on, std::move(call)); });
  router.add(net::Method::kGet, rule + "/actions", Auth::kToken,
             [&on](Call call) { return get_rule(on, std::move(call), "actions"); });
  router.add(net::Method::kPut, rule + "/actions", Auth::kToken,
             [&on](Call call) { return put_actions(on, std::move(call)); });
}

}  // namespace myelin::api::client
