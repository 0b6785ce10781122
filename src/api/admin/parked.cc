// Messages that could not be applied and wait, with those behind them, for a server administrator (docs/spine.md, rule
// A11).
#include "api/admin/administrator.h"
#include "api/client/routes.h"

namespace myelin::api {
namespace {

Task<Result<std::string>> list(bus::Bus& bus, Call call) {
  MYELIN_CO_CHECK(check_administrator(call));
  MYELIN_CO_TRY(auto parked, co_await bus.parked());
  json::Array out;
  for (const auto& item : parked)
    out.emplace_back(json::Object{
        {"consumer", item.consumer}, {"key", item.key}, {"reason", item.reason}, {"messages", item.messages}});
  co_return json::serialize(json::Object{{"parked", std::move(out)}});
}

// Applies them in order. What still cannot be applied stays, and is the error.
Task<Result<std::string>> retry(bus::Bus& bus, Call call) {
  MYELIN_CO_CHECK(check_administrator(call));
  MYELIN_CO_TRY(auto body, call.body());
  auto consumer = json::string_at(body, "consumer"), key = json::string_at(body, "key");
  if (!consumer || !key) co_return fail(Code::kBadJson, "consumer and key are strings");
  MYELIN_CO_CHECK(co_await bus.unpark(std::string(*consumer), std::string(*key)));
  co_return ok();
}

}  // namespace

void add_parked(Router& router, Components& components) {
  auto& bus = components.bus;
  router.add(net::Method::kGet, "/_myelin/admin/parked", Auth::kToken,
             [&bus](Call call) { return list(bus, std::move(call)); });
  router.add(net::Method::kPost, "/_myelin/admin/parked/retry", Auth::kToken,
             [&bus](Call call) { return retry(bus, std::move(call)); });
}

}  // namespace myelin::api
