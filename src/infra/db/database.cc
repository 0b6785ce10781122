// Database: an engine, its lanes and its readers.
#include "base/fault.h"
#include "base/log.h"
#include "infra/db/committed.h"
#include "infra/db/identity.h"
#include "infra/db/lane.h"
#include "infra/db/move_mark.h"
#include "infra/db/position.h"
#include "infra/db/readers.h"
#include "infra/db/witness.h"

namespace myelin::db {
namespace {

class EngineDatabase final : public Database {
 public:
  EngineDatabase(std::unique_ptr<Engine> engine, std::unique_ptr<Witness> witness,
                 std::vector<std::unique_ptr<Session>> writers, std::unique_ptr<Session> urgent,
                 std::vector<std::unique_ptr<Session>> readers, const Options& options)
      : engine_(std::move(engine)),
        witness_(std::move(witness)),
        checks_marks_(options.beside_a_server && is_sqlite()),
        readers_(std::make_unique<Readers>(std::move(readers))) {
    LaneLimits limits{options.batch_closures, options.batch_time};
    if (!is_sqlite()) limits.patience = options.write_patience;
    for (auto& writer : writers)
      lanes_.push_back(std::make_unique<Lane>(std::move(writer), limits, committed_, witness_.get()));
    if (urgent) urgent_ = std::make_unique<Lane>(std::move(urgent), limits, committed_, witness_.get());
  }
  ~EngineDatabase() override { stop(); }

  void on_committed(std::function<void(std::vector<OutboxRow>)> receiver) override {
    committed_.set_receiver(std::move(receiver));
  }
  std::string generation() const override { return engine_->generation(); }
  std::string history() const override { return engine_->history(); }
  bool is_sqlite() const override { return engine_->dialect() == Dialect::kSqlite; }

  void stop() override {
    if (stopped_.exchange(true)) return;
    for (auto& lane : lanes_) lane->stop();
    if (urgent_) urgent_->stop();
    readers_->stop();
    engine_->stop();
    lanes_.clear();  // closes their connections
    urgent_.reset();
    readers_.reset();
  }

 protected:
  void submit(Write write) override {
    if (stopped_) return write.done(fail(Code::kUnavailable, "the database is closed"));
    if (checks_marks_)
      write.run = [run = std::move(write.run)](Tx& tx) {
        check_not_moved(tx);
        return run(tx);
      };
    auto& lane = write.options.urgent && urgent_ ? *urgent_ : *lanes_[write.options.lane % lanes_.size()];
    lane.submit({write.options, std::move(write.run), std::move(write.done)});
  }
  void submit(Read read) override {
    if (stopped_) return read.done(fail(Code::kUnavailable, "the database is closed"));
    readers_->submit({std::move(read.run), std::move(read.done)});
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Witness> witness_;
  bool checks_marks_;
  Committed committed_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Lane> urgent_;  // null: they go to lanes_ like all
  std::unique_ptr<Readers> readers_;
  std::atomic<bool> stopped_ = false;
};

Result<void> bring_up_to_date(Session& session, const Options& options, const Clock& clock) {
  auto migrations = options.migrations.empty() ? all_migrations() : options.migrations;
  MYELIN_TRY(bool is_old, has_schema(session));
  return options.keeps_schema && is_old ? check_schema(session, migrations) : migrate(session, migrations, clock);
}

// Asks the witness whether the database went back in time; then its history goes on under another name (rules A13,
// A15).
Result<std::unique_ptr<Witness>> ask_witness(Engine& engine, Session& session, const Options& options) {
  MYELIN_TRY(auto identity, identify(session));
  engine.identify(identity.token);
  if (options.witness.empty() || (options.beside_a_server && !identity.is_new)) return nullptr;
  auto witness = std::make_unique<Witness>(options.witness);
  const auto& memory = witness->memory();
  if (!identity.is_new && is_earlier_state(memory, engine.history(), identity.messages, engine.dialect())) {
    bool is_known = memory && memory->history == engine.history();
    log::warning(
        "the database was put back to an earlier state{}: one-time keys that may have been given out since are "
        "forgotten",
        is_known ? fmt::format(" ({} messages are missing)", memory->messages - identity.messages) : "");
    auto token = new_token();
    MYELIN_CHECK(in_transaction(session, [&] { set_identity(session, token); }));
    crash_point("restore.named");
    engine.identify(token);
  }
  MYELIN_CHECK(witness->remember({engine.history(), identity.messages}));
  return witness;
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
  MYELIN_CHECK(check_not_moved(*writers.front(), !options.beside_a_server));
  MYELIN_CHECK(bring_up_to_date(*writers.front(), options, clock));
  MYELIN_TRY(auto witness, ask_witness(*engine, *writers.front(), options));
  if (!options.beside_a_server) MYELIN_CHECK(move_position(*writers.front(), engine->history(), clock.now()));
  std::unique_ptr<Session> urgent;
  if (!sqlite && !options.beside_a_server) {
    MYELIN_TRY(urgent, engine->connect_writer());
  }
  for (int i = 0; i < std::max(1, options.readers); ++i) {
    MYELIN_TRY(auto session, engine->connect_reader());
    readers.push_back(std::move(session));
  }
  return std::make_unique<EngineDatabase>(std::move(engine), std::move(witness), std::move(writers), std::move(urgent),
                                          std::move(readers), options);
}

Task<Result<void>> renew_history(Database& db) {
  co_return co_await db.write(
      {}, [token = new_token()](Tx& tx) { tx.exec("UPDATE database_identity SET token = $1 WHERE id = 1", token); });
}

}  // namespace myelin::db
