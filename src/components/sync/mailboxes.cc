#include "components/sync/mailboxes.h"

#include "base/log.h"

namespace myelin::sync {

Task<Result<void>> Mailboxes::acknowledge(accounts::Session session, int64_t position, SubscriberPtr subscriber) {
  auto& box = subscriber->mailboxes[session.device];  // from now on, what is sent is noted in it
  bool may_hold = box.first != 0 && box.first <= position;
  if (!box.known) {
    struct Stored {
      int64_t first, last;
    };
    MYELIN_CO_TRY(auto stored, co_await db_.read([session](db::ReadTx& tx) {
      return tx
          .one(
              "SELECT coalesce(min(pos), 0), coalesce(max(pos), 0) FROM to_device WHERE user_id = $1 AND device_id = "
              "$2",
              [](const db::Row& row) { return Stored{row.i64(0), row.i64(1)}; }, session.user.str(),
              session.device.str())
          .value_or(Stored{});
    }));
    may_hold = stored.first != 0 && stored.first <= position;
    box.last = std::max(box.last, stored.last);
  }
  if (may_hold) {
    auto deleted = co_await db_.write({.lane = bus::hash_of(session.user.str())}, [session, position](db::Tx& tx) {
      tx.exec("DELETE FROM to_device WHERE user_id = $1 AND device_id = $2 AND pos <= $3", session.user.str(),
              session.device.str(), position);
    });
    if (!deleted) {
      log::warning("sync: acknowledged messages to a device stay for now: {}", deleted.error().message);
      co_return Result<void>{};
    }
  }
  box.known = true;
  box.first = box.last > position ? position + 1 : 0;
  co_return Result<void>{};
}

}  // namespace myelin::sync
