// Client-server API, Syncing: GET /sync.
#include <algorithm>
#include <charconv>

#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

constexpr int64_t kMaxTimeoutMs = 5 * 60 * 1000;

Result<std::chrono::milliseconds> timeout_of(const Call& call) {
  auto text = call.query("timeout");
  if (!text) return std::chrono::milliseconds(0);
  int64_t ms = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), ms);
  if (error != std::errc() || end != text->data() + text->size() || ms < 0)
    return fail(Code::kInvalidParam, "timeout must be a number of milliseconds");
  return std::chrono::milliseconds(std::min(ms, kMaxTimeoutMs));
}

Result<bool> flag(const Call& call, std::string_view name) {
  auto text = call.query(name);
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return fail(Code::kInvalidParam, std::string(name) + " must be true or false");
}

// `filter` is a JSON object or the id of a stored one (client-server API, Filtering).
Task<Result<std::string>> filter_text(Call call, Components& on) {
  auto filter = call.query("filter");
  if (!filter || filter->empty() || filter->starts_with('{')) co_return filter.value_or("");
  auto stored = co_await on.accounts.filter(call.session().user, *filter);
  if (!stored && stored.error().code == Code::kNotFound) co_return fail(Code::kInvalidParam, "there is no such filter");
  co_return stored;
}

Task<Result<std::string>> get_sync(Call call, Components& on) {
  sync::SyncRequest request{call.session()};
  request.since = call.query("since");
  MYELIN_CO_TRY(request.timeout, timeout_of(call));
  MYELIN_CO_TRY(request.full_state, flag(call, "full_state"));
  MYELIN_CO_TRY(request.use_state_after, flag(call, "use_state_after"));
  MYELIN_CO_TRY(request.filter, co_await filter_text(call, on));
  auto state = presence::state_from(call.query("set_presence").value_or("online"));
  if (!state) co_return fail(Code::kInvalidParam, "set_presence must be online, unavailable or offline");
  on.presence.seen(call.session().user, *state, request.timeout);
  co_return co_await on.sync.wait(std::move(request));
}

}  // namespace

void add_sync(Router& router, Components& on) {
  router.add(net::Method::kGet, "/_matrix/client/v3/sync", Auth::kToken,
             [&on](Call call) { return get_sync(std::move(call), on); });
}

}  // namespace myelin::api::client
