#include <array>

#include "base/fault.h"
#include "infra/bus/bus.h"
#include "infra/lease/lease.h"

namespace myelin::lease {
namespace {

class AllPartitions final : public Owner {
 public:
  AllPartitions(std::string_view topic, std::array<int64_t, bus::kPartitions> epochs)
      : topic_(topic), epochs_(epochs) {}
  std::optional<db::Fence> fence(uint32_t partition) const override {
    if (partition >= bus::kPartitions) return std::nullopt;
    return db::Fence{topic_, partition, epochs_[partition]};
  }

 private:
  std::string_view topic_;
  std::array<int64_t, bus::kPartitions> epochs_;
};

}  // namespace

Task<Result<std::unique_ptr<Owner>>> Owner::take_all(db::Database& db, const Clock& clock, std::string_view topic,
                                                     std::string holder) {
  crash_point("lease.before_bump");
  auto epochs = co_await db.write({}, [topic, holder, now = clock.now()](db::Tx& tx) {
    std::array<int64_t, bus::kPartitions> out{};
    for (uint32_t p = 0; p < bus::kPartitions; ++p) {
      tx.exec(
          "INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ($1, $2, 0, 1) ON CONFLICT (topic, "
          "partition) DO NOTHING",
          topic, p);
      out[p] = tx.one(
                     "UPDATE outbox_head SET epoch = epoch + 1 WHERE topic = $1 AND partition = $2 RETURNING epoch",
                     [](const db::Row& row) { return row.i64(0); }, topic, p)
                   .value();
      tx.exec(
          "INSERT INTO lease (topic, partition, holder, epoch, taken_at) VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (topic, partition) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, taken_at = "
          "excluded.taken_at",
          topic, p, holder, out[p], now);
    }
    return out;
  });
  if (!epochs) co_return std::unexpected(std::move(epochs).error());
  crash_point("lease.bumped_before_load");
  co_return std::make_unique<AllPartitions>(topic, *epochs);
}

}  // namespace myelin::lease
