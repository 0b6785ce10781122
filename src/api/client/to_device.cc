// Client-server API, Send-to-Device messaging.
#include "api/client/routes.h"

namespace myelin::api::client {

void add_to_device(Router& router, Components& components) {
  router.add(net::Method::kPut, "/_matrix/client/v3/sendToDevice/{eventType}/{txnId}", Auth::kToken,
             [&components](Call call) -> Task<Result<std::string>> {
               MYELIN_CO_TRY(auto body, call.body());
               const auto* messages = json::object_at(body, "messages");
               if (messages == nullptr)
                 co_return fail(body.contains("messages") ? Code::kBadJson : Code::kMissingParam,
                                "messages is required");
               MYELIN_CO_CHECK(co_await components.keys.send_to_device(call.session(), call.path("eventType"),
                                                                       call.path("txnId"), *messages));
               co_return ok();
             });
}

}  // namespace myelin::api::client
