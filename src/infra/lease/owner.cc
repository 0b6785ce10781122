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
    for (uint32_t p = 0; p < bus::kPartitions; ++p)
      tx.exec(
          "INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ($1, $2, 0, 1) ON CONFLICT (topic, "
          "partition) DO NOTHING",
          topic, p);
    // In the order of the lanes: what a former owner has under way ends first.
    (void)tx.all(
        "SELECT epoch FROM outbox_head WHERE topic = $1 ORDER BY partition {for_update}",
        [](const db::Row& row) { return row.i64(0); }, topic);
    std::array<int64_t, bus::kPartitions> out{};
    tx.query(
        "UPDATE outbox_head SET epoch = epoch + 1 WHERE topic = $1 RETURNING partition, epoch",
        [&](const db::Row& row) { out.at(static_cast<size_t>(row.i64(0))) = row.i64(1); }, topic);
    tx.exec(
        "INSERT INTO lease (name, part, holder, epoch, taken_at) SELECT topic, partition, $2, epoch, $3 FROM "
        "outbox_head WHERE topic = $1 ON CONFLICT (name, part) DO UPDATE SET holder = excluded.holder, epoch = "
        "excluded.epoch, taken_at = excluded.taken_at",
        topic, holder, now);
    return out;
  });
  if (!epochs) co_return std::unexpected(std::move(epochs).error());
  crash_point("lease.bumped_before_load");
  co_return std::make_unique<AllPartitions>(topic, *epochs);
}

}  // namespace myelin::lease
