#include "infra/db/session.h"

namespace myelin::db {

Result<std::unique_ptr<Engine>> open_postgres(const Options& options) {
  return fail(Code::kInvalidParam, fmt::format("unknown database url {}", options.url));
}

}  // namespace myelin::db
