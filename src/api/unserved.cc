// Endpoints of the specification that this server does not serve yet: another method on them is 405, as the
// specification wants it for known endpoints.
#include "api/client/routes.h"

namespace myelin::api {

void add_unserved(Router& router) {
  auto unserved = [](Call) -> Task<Result<std::string>> {
    co_return fail(Code::kUnrecognized, "this server does not serve this endpoint yet");
  };
  using enum net::Method;
  for (auto [method, path] :
       {std::pair(kGet, "/_matrix/federation/v1/version"), std::pair(kPost, "/_matrix/key/v2/query"),
        std::pair(kGet, "/_matrix/key/v2/server"), std::pair(kPost, "/_matrix/media/v3/upload")})
    router.add(method, path, Auth::kNone, unserved);
}

}  // namespace myelin::api
