// Database: an engine, its lanes and its readers.
#include "base/log.h"
#include "infra/db/committed.h"
#include "infra/db/lane.h"
#include "infra/db/readers.h"

namespace myelin::db {
namespace {

class EngineDatabase final : public Database {
 public:
  EngineDatabase(std::unique_ptr<Engine> engine, std::vector<std::unique_ptr<Session>> writers,
                 std::vector<std::unique_ptr<Session>> readers, const Options& options)
      : engine_(std::move(engine)), readers_(std::make_unique<Readers>(std::move(readers))) {
    for (auto& writer : writers) {
      lanes_.push_back(std::make_unique<Lane>(std::move(writer), LaneLimits{options.batch_closures, options.batch_time},
                                              committed_));
    }
  }
  ~EngineDatabase() override { stop(); }

  void on_committed(std::function<void(std::vector<OutboxRow>)> receiver) override {
    committed_.set_receiver(std::move(receiver));
  }
  std::string generation() const override { return engine_->generation(); }
  bool is_sqlite() const override { return engine_->dialect() == Dialect::kSqlite; }

  void stop() override {
    if (stopped_.exchange(true)) return;
    for (auto& lane : lanes_) lane->stop();
    readers_->stop();
    engine_->stop();
    lanes_.clear();  // closes their connections
    readers_.reset();
  }

 protected:
  void submit(Write write) override {
    if (stopped_) return write.done(fail(Code::kUnavailable, "the database is closed"));
    auto& lane = *lanes_[write.options.lane % lanes_.size()];
    lane.submit({write.options, std::move(write.run), std::move(write.done)});
  }
  void submit(Read read) override {
    if (stopped_) return read.done(fail(Code::kUnavailable, "the database is closed"));
    readers_->submit({std::move(read.run), std::move(read.done)});
  }

 private:
  std::unique_ptr<Engine> engine_;
  Committed committed_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Readers> readers_;
  std::atomic<bool> stopped_ = false;
};

// Positions given out before the database went back in time must not come again: every start moves the position past
// what the clock says could have been given out (docs/spine.md, rule A14).
Result<void> move_position(Session& session, const Clock& clock) {
  constexpr int64_t kPositionsPerMillisecond = 1'000;
  try {
    session.begin_write();
    Value floor = clock.now() * kPositionsPerMillisecond;
    session.post("UPDATE sync_head SET pos = $1 WHERE id = 1 AND pos < $1", {&floor, 1});
    session.settle();
    auto outcome = session.commit();
    if (outcome.result != CommitResult::kDone) return std::unexpected(outcome.error);
    return {};
  } catch (const Failure& failure) {
    session.rollback();
    return std::unexpected(failure.error);
  }
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(Options options, Executor, const Clock& clock) {
  bool sqlite = options.url.starts_with("sqlite:");
  MYELIN_TRY(auto engine, sqlite ? open_sqlite(options) : open_postgres(options));
  std::vector<std::unique_ptr<Session>> writers, readers;
  for (int i = 0; i < (sqlite ? 1 : std::max(1, options.lanes)); ++i) {
    MYELIN_TRY(auto session, engine->connect_writer());
    writers.push_back(std::move(session));
  }
  MYELIN_CHECK(migrate(*writers.front(), options.migrations.empty() ? all_migrations() : options.migrations, clock));
  MYELIN_CHECK(engine->after_migration(*writers.front()));
  if (!options.beside_a_server) MYELIN_CHECK(move_position(*writers.front(), clock));
  for (int i = 0; i < std::max(1, options.readers); ++i) {
    MYELIN_TRY(auto session, engine->connect_reader());
    readers.push_back(std::move(session));
  }
  return std::make_unique<EngineDatabase>(std::move(engine), std::move(writers), std::move(readers), options);
}

}  // namespace myelin::db
