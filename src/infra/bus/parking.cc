// Messages that cannot be applied, and those of their key that wait behind them (docs/spine.md, rule A11).
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/fault.h"
#include "infra/bus/consumer.h"

namespace myelin::bus {
namespace {
constexpr int kThrows = 3;  // in a row; then it is no accident
}

std::string Consumer::key_of(const Message& message) const {
  try {
    return spec_.key(message);
  } catch (const std::exception&) {
    return "";  // nobody can tell: all such share this one
  }
}

Task<Result<Effects>> Consumer::effects_of(std::vector<Message> messages) {
  auto thrown = [this](const std::exception& e) {
    return fail(++throws_ < kThrows ? Code::kUnavailable : Code::kInternal, fmt::format("it threw: {}", e.what()));
  };
  try {
    auto effects = co_await spec_.apply(std::move(messages));
    throws_ = 0;
    co_return effects;
  } catch (const boost::system::system_error& e) {
    if (e.code() == boost::asio::error::operation_aborted) throw;
    co_return thrown(e);
  } catch (const std::exception& e) {
    co_return thrown(e);
  }
}

// One that waits behind another is refused when that is gone: it was replayed meanwhile. The caller holds the row of
// the partition's cursor, as replay_first does, so on PostgreSQL too one of them sees what the other did.
Result<void> Consumer::insert_parked(db::Tx& tx, const std::string& consumer, std::string_view topic,
                                     const ParkedMessage& row) {
  const auto& message = row.message;
  int64_t inserted = tx.exec(
      "INSERT INTO parked (consumer, key, id, topic, partition, seq, body, reason) SELECT $1, $2, coalesce(max(id), 0) "
      "+ "
      "1, $3, $4, $5, $6, $7 FROM parked WHERE consumer = $1 AND key = $2 HAVING $8 = 0 OR count(CASE WHEN topic = $3 "
      "THEN 1 END) > 0",
      consumer, row.key, topic, message.partition, message.seq, db::Blob{message.body}, row.reason,
      static_cast<int>(row.behind));
  if (inserted == 0) return fail(Code::kStale, "nothing is parked before it any more");
  return {};
}

Task<Result<void>> Consumer::unpark(std::string key) {
  while (true) {
    MYELIN_CO_TRY(bool more, co_await replay_first(key));
    if (!more) co_return Result<void>{};
  }
}

// The effects and the end of the row are one transaction.
Task<Result<bool>> Consumer::replay_first(std::string key) {
  auto turn = co_await turn_.lock();
  if (stopped_) co_return fail(Code::kCorrupt, spec_.name + " has stopped");
  UnderWay under_way(*this);
  struct Row {
    int64_t id;
    Message message;
  };
  MYELIN_CO_TRY(auto row, co_await db_.read([name = spec_.name, topic = spec_.topic.name, key](db::ReadTx& tx) {
    return tx.one(
        "SELECT id, partition, seq, body FROM parked WHERE consumer = $1 AND topic = $2 AND key = $3 ORDER BY id LIMIT "
        "1",
        [](const db::Row& r) {
          return Row{r.i64(0), {static_cast<uint32_t>(r.i64(1)), static_cast<uint64_t>(r.i64(2)), r.bytes(3)}};
        },
        name, topic, key);
  }));
  if (!row) {
    parked_keys_.erase(key);
    co_return false;
  }
  std::vector<Message> one{row->message};
  MYELIN_CO_TRY(auto effects, co_await effects_of(std::move(one)));
  auto status = co_await db_.write(
      {},
      [name = spec_.name, topic = spec_.topic.name, key, id = row->id, p = row->message.partition,
       write = effects.write](db::Tx& tx) -> Result<void> {
        (void)tx.one(
            "SELECT seq FROM cursor WHERE consumer = $1 AND topic = $2 AND partition = $3 {for_update}",
            [](const db::Row& r) { return r.i64(0); }, name, topic, p);
        int64_t deleted = tx.exec("DELETE FROM parked WHERE consumer = $1 AND key = $2 AND id = $3", name, key, id);
        if (deleted == 0) return fail(Code::kStale, "replayed by another");
        crash_point("unpark.half");
        if (write) return write(tx);
        return {};
      });
  if (!status && status.error().code != Code::kStale) co_return std::unexpected(status.error());
  if (status && effects.committed) effects.committed();
  co_return true;
}

}  // namespace myelin::bus
