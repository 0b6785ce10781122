#include "infra/db/session.h"

namespace myelin::db {

Result<void> in_transaction(Session& session, const std::function<void()>& work) {
  try {
    session.begin_write();
    work();
    session.settle();
    auto outcome = session.commit();
    if (outcome.result != CommitResult::kDone) return std::unexpected(outcome.error);
    return {};
  } catch (const Failure& failure) {
    session.rollback();
    return std::unexpected(failure.error);
  }
}

}  // namespace myelin::db
