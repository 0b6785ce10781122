#include "components/rooms/rooms.h"

#include "base/log.h"
#include "components/rooms/query/reader.h"
#include "components/rooms/remote/routed_commands.h"

namespace myelin::rooms {
namespace {

constexpr auto kForgetCommands = std::chrono::minutes(10);
constexpr Milliseconds kCommandsKept = 3'600'000;
constexpr auto kPollErased = std::chrono::seconds(10);
constexpr const char* kErasedSubject = "rooms.erased";

class RoomsImpl final : public Rooms {
 public:
  RoomsImpl(Config config, db::Database& db, bus::Bus& bus, lease::Leases& leases, Executor loop, const Clock& clock,
            Random& random, const SigningKey& key)
      : config_(std::move(config)),
        db_(db),
        bus_(bus),
        leases_(leases),
        loop_(loop),
        clock_(clock),
        random_(random),
        key_(key),
        is_shared_(!db.is_sqlite()),
        pages_(config_.cache_bytes / 8),
        reader_(db, pages_, config_.cache_bytes / 2),
        tasks_(loop) {
    // What other processes change (in this one, the owner says so itself).
    bus_.follow(
        {kRoomOut, [this](const bus::Message& message) { heard(message); }, [this] { reader_.forget_events(); }});
    bus_.on_hint(kErasedSubject, [this](std::string) { tasks_.spawn("rooms: erased users", read_erased()); });
    if (!config_.owns_rooms) return;
    leases_.want({.name = std::string(kRoomOut.name),
                  .parts = bus::kPartitions,
                  .is_topic = true,
                  .taken = [this](uint32_t partition) { owner_->taken(partition); },
                  .let_go = [this](uint32_t partition) { return owner_->let_go(partition); },
                  .lost = [this](uint32_t partition) { owner_->lost(partition); }});
  }

  Task<Result<void>> start() override {
    MYELIN_CO_TRY(auto secret, co_await secret_of_this_database());
    fingerprint_key_.emplace(secret);
    owner_ = std::make_unique<Owner>(config_, db_, pages_, loop_, clock_, random_, key_, *fingerprint_key_, leases_);
    owner_->on_erased = [this](const UserId& user, Milliseconds at) {
      reader_.erased(user, at);
      if (is_shared_) bus_.hint(kErasedSubject, "");
    };
    owner_->on_redacted = [this](const Redacts& what) { reader_.redacted(what.target); };
    owner_->on_written = [this](const StagedWrite& write, bool is_newest) {
      if (is_newest)
        for (const auto& staged : write.events)
          if (auto placed = as_placed(staged)) reader_.keep(std::move(placed));
      const auto& newest = write.events.back();
      if (written_ && !newest.rejected) written_(newest.event->sender(), write.room_no, newest.order);
    };
    commands_ = std::make_unique<RoutedCommands>(*owner_, bus_, leases_, clock_, random_, is_shared_);
    commands_->serve(config_.instance);
    MYELIN_CO_CHECK(co_await reader_.read_erased());
    if (is_shared_) tasks_.supervise("rooms: erased users", [this] { return poll_erased(); });
    if (is_shared_ && config_.owns_rooms) tasks_.supervise("rooms: old commands", [this] { return forget_commands(); });
    co_return Result<void>{};
  }
  void on_written(std::function<void(const UserId&, uint32_t, int64_t)> listener) override {
    written_ = std::move(listener);
  }
  Task<> stop() override {
    tasks_.cancel();
    co_await tasks_.join();
  }
  Commands& commands() override { return *commands_; }
  Queries& queries() override { return reader_; }

 private:
  Task<Result<std::string>> secret_of_this_database() {
    std::string fresh(32, '\0');
    random_.fill({reinterpret_cast<uint8_t*>(fresh.data()), fresh.size()});
    co_return co_await db_.write({}, [fresh](db::Tx& tx) {
      tx.exec("INSERT INTO room_secret (id, fingerprint_key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
              db::Blob{fresh});
      return tx
          .one("SELECT fingerprint_key FROM room_secret WHERE id = 1", [](const db::Row& row) { return row.bytes(0); })
          .value();
    });
  }

  void heard(const bus::Message& message) {
    auto decoded = decode_room_out(message.body);
    const auto* added = decoded ? std::get_if<EventAdded>(&decoded->what) : nullptr;
    if (added != nullptr && added->redacts) reader_.redacted(*added->redacts);
  }
  Task<> read_erased() { (void)co_await reader_.read_erased(); }
  Task<> poll_erased() {  // a hint may be lost
    while (true) {
      co_await sleep_for(kPollErased);
      co_await read_erased();
    }
  }

  // Nobody asks again for a command whose deadline is long over.
  Task<> forget_commands() {
    while (true) {
      co_await sleep_for(kForgetCommands);
      auto forgotten = co_await db_.write({}, [before = clock_.now() - kCommandsKept](db::Tx& tx) {
        tx.exec("DELETE FROM command WHERE at < $1", before);
      });
      if (!forgotten) log::warning("rooms: old commands stay for now: {}", forgotten.error().message);
    }
  }

  Config config_;
  db::Database& db_;
  bus::Bus& bus_;
  lease::Leases& leases_;
  Executor loop_;
  const Clock& clock_;
  Random& random_;
  const SigningKey& key_;
  bool is_shared_;  // by several processes
  PageCache pages_;
  Reader reader_;
  std::optional<FingerprintKey> fingerprint_key_;
  std::unique_ptr<Owner> owner_;
  std::unique_ptr<RoutedCommands> commands_;
  std::function<void(const UserId&, uint32_t, int64_t)> written_;
  TaskSet tasks_;
};

}  // namespace

std::unique_ptr<Rooms> Rooms::make(Config config, db::Database& db, bus::Bus& bus, lease::Leases& leases, Executor loop,
                                   const Clock& clock, Random& random, const SigningKey& key) {
  return std::make_unique<RoomsImpl>(std::move(config), db, bus, leases, loop, clock, random, key);
}

}  // namespace myelin::rooms
