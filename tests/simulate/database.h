// A process's database: the program's group commit on the shared one, without threads, as PostgreSQL is shared. Answers
// come later than what they tell of, or not at all. Thread: the one there is.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "infra/db/group_commit.h"
#include "infra/db/readers.h"
#include "tests/simulate/shared_database.h"
#include "tests/simulate/world.h"

namespace myelin::simulate {

// How likely what is, of each transaction; and what is true of a process at the moment.
struct DatabaseFaults {
  double refused = 0, failed = 0, unknown = 0, slow = 0;
};

class ProcessDatabase final : public db::Database {
 public:
  // `ends`: called when the database went back in time, which ends the process.
  ProcessDatabase(World&, SharedDatabase&, const DatabaseFaults&, std::string process, const Clock&,
                  std::function<void()> ends);
  ~ProcessDatabase() override;

  void cut(bool is_cut) { is_cut_ = is_cut; }
  void cut_leases(bool is_cut) { is_urgent_cut_ = is_cut; }  // the connection that renews them, only
  void at_owners_write(std::function<void()> call) { at_owners_write_ = std::move(call); }  // the next one
  void doubt_next_commit() { doubts_ = true; }                                              // of an owner
  void freeze(bool frozen);                                                                 // its threads stand still
  void abandon();  // what it was asked is never answered

  void on_committed(std::function<void(std::vector<db::OutboxRow>)> receiver) override {
    committed_.set_receiver(std::move(receiver));
  }
  std::string generation() const override { return generation_; }
  std::string history() const override { return generation_; }
  bool is_sqlite() const override { return false; }
  void stop() override { stopped_ = true; }

 protected:
  void submit(Write) override;
  void submit(Read) override;

 private:
  enum class Fate { kFine, kRefused, kFailed, kUnknownDone, kUnknownNotDone, kUnknownLate };
  class FaultySession;
  struct Told {  // an answer on its way
    std::function<void(Result<void>)> done;
    Result<void> status;
  };
  struct Lane {
    explicit Lane(ProcessDatabase&);
    db::Committed committed;  // of this lane's transaction under way
    std::vector<db::OutboxRow> rows;
    Fate fate = Fate::kFine;
    db::GroupCommit group;
    std::deque<db::Job> queue;
    std::vector<Told> told;
    bool is_busy = false;
  };
  void begin(size_t lane);
  void transact(size_t lane);
  void answer(size_t lane);
  std::vector<db::Job> take(Lane&);
  Fate draw_fate(size_t lane);
  Fate draw_doubt();
  bool is_of_a_former_time();
  void land_late(std::vector<db::Job>);
  void check_fences(const std::vector<std::optional<db::Fence>>&, const Lane&);
  void run_read(uint64_t number);
  void answer_read(uint64_t number);
  microseconds latency();
  void later(microseconds, std::function<void()>);  // unless it is abandoned by then

  struct Reading {
    db::ReadJob job;
    Result<void> status;
  };

  World& world_;
  SharedDatabase& shared_;
  const DatabaseFaults& faults_;
  std::string process_, generation_;
  std::function<void()> ends_;
  db::Committed committed_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // the last: urgent
  std::map<uint64_t, Reading> reads_;
  uint64_t last_read_ = 0;
  std::vector<std::function<void()>> when_thawed_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::function<void()> at_owners_write_;
  bool is_cut_ = false, is_urgent_cut_ = false, doubts_ = false, is_frozen_ = false, stopped_ = false;
};

}  // namespace myelin::simulate
