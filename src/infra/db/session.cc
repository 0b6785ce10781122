#include "infra/db/session.h"

#include <bit>
#include <mutex>
#include <set>

namespace myelin::db {

Sql lasting_sql(std::string_view text) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> texts;
  std::lock_guard lock(mutex);
  auto it = texts.find(text);
  if (it == texts.end()) it = texts.emplace(text).first;
  return std::bit_cast<Sql>(it->c_str());  // Sql's own constructor takes literals only
}

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

Result<void> in_snapshot(Session& session, const std::function<void()>& work) {
  try {
    session.begin_read();
    work();
    session.end_read();
    return {};
  } catch (const Failure& failure) {
    session.rollback();
    return std::unexpected(failure.error);
  }
}

}  // namespace myelin::db
