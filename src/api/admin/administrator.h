#pragma once
#include "api/router.h"

namespace myelin::api {

inline Result<void> check_administrator(const Call& call) {
  if (!call.session().is_admin) return fail(Code::kForbidden, "only a server administrator may do this");
  return {};
}

}  // namespace myelin::api
