// Client-server API, End-to-End Encryption: keys/upload, query, claim, changes, device_signing, signatures.
#include "api/client/fields.h"
#include "api/client/routes.h"

namespace myelin::api::client {
namespace {

// UIA is asked for only where the upload replaces or adds something (spec v1.11).
Task<Result<std::string>> upload_cross_signing(Components& components, Call call) {
  MYELIN_CO_TRY(auto body, call.body());
  auto first = co_await components.keys.upload_cross_signing(call.session(), body, keys::Authenticated::kNo);
  if (first) co_return ok();
  if (first.error().code != Code::kUiaIncomplete) co_return std::unexpected(first.error());
  MYELIN_CO_CHECK(co_await components.accounts.user_auth({.endpoint = "/keys/device_signing/upload",
                                                          .body = body,
                                                          .user = call.session().user,
                                                          .flows = {{"m.login.password"}},
                                                          .remote_address = call.remote_address()}));
  MYELIN_CO_CHECK(co_await components.keys.upload_cross_signing(call.session(), body, keys::Authenticated::kYes));
  co_return ok();
}

Task<Result<std::string>> changes(Components& components, Call call) {
  auto from = call.query("from"), to = call.query("to");
  if (!from || !to) co_return fail(Code::kMissingParam, "from and to are required");
  MYELIN_CO_TRY(auto answer, co_await components.sync.key_changes(call.session().user, *from, *to));
  co_return json::serialize(answer);
}

}  // namespace

void add_keys(Router& router, Components& components) {
  router.add(net::Method::kPost, "/_matrix/client/v3/keys/upload", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               MYELIN_CO_TRY(auto answer, co_await components.keys.upload(call.session(), std::move(body)));
               co_return json::serialize(answer);
             });
  router.add(net::Method::kPost, "/_matrix/client/v3/keys/query", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               MYELIN_CO_CHECK(optional_count(body, "timeout"));
               MYELIN_CO_TRY(auto answer, co_await components.keys.query(call.session(), std::move(body)));
               co_return json::serialize(answer);
             });
  router.add(net::Method::kPost, "/_matrix/client/v3/keys/claim", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               MYELIN_CO_CHECK(optional_count(body, "timeout"));
               MYELIN_CO_TRY(auto answer, co_await components.keys.claim(std::move(body)));
               co_return json::serialize(answer);
             });
  router.add(net::Method::kGet, "/_matrix/client/v3/keys/changes", Auth::kToken,
             [&components](Call call) { return changes(components, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/keys/device_signing/upload", Auth::kToken,
             [&components](Call call) { return upload_cross_signing(components, std::move(call)); });
  router.add(net::Method::kPost, "/_matrix/client/v3/keys/signatures/upload", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               MYELIN_CO_TRY(auto answer, co_await components.keys.upload_signatures(call.session(), std::move(body)));
               co_return json::serialize(answer);
             });
}

}  // namespace myelin::api::client
