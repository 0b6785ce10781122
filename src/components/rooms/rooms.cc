#include "components/rooms/rooms.h"

#include "components/rooms/owner/owner.h"
#include "components/rooms/query/reader.h"

namespace myelin::rooms {
namespace {

class RoomsImpl final : public Rooms {
 public:
  RoomsImpl(Config config, db::Database& db, bus::Bus&, Executor loop, const Clock& clock, Random& random,
            const SigningKey& key)
      : config_(std::move(config)),
        db_(db),
        loop_(loop),
        clock_(clock),
        random_(random),
        key_(key),
        pages_(config_.cache_bytes / 8),
        reader_(db, pages_, config_.cache_bytes / 2) {}

  Task<Result<void>> start() override {
    MYELIN_CO_TRY(auto secret, co_await secret_of_this_database());
    fingerprint_key_.emplace(secret);
    owner_ = std::make_unique<Owner>(config_, db_, pages_, loop_, clock_, random_, key_, *fingerprint_key_);
    owner_->on_erased = [this](const UserId& user, Milliseconds at) { reader_.erased(user, at); };
    MYELIN_CO_CHECK(co_await reader_.start());
    owner_->on_redacted = [this](const Redacts& what) { reader_.redacted(what.target); };
    owner_->on_written = [this](const UserId& sender, uint32_t room_no, int64_t order) {
      if (written_) written_(sender, room_no, order);
    };
    co_return co_await owner_->start();
  }
  void on_written(std::function<void(const UserId&, uint32_t, int64_t)> listener) override {
    written_ = std::move(listener);
  }
  Task<> stop() override { co_return; }
  Commands& commands() override { return *owner_; }
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

  Config config_;
  db::Database& db_;
  Executor loop_;
  const Clock& clock_;
  Random& random_;
  const SigningKey& key_;
  PageCache pages_;
  Reader reader_;
  std::optional<FingerprintKey> fingerprint_key_;
  std::unique_ptr<Owner> owner_;
  std::function<void(const UserId&, uint32_t, int64_t)> written_;
};

}  // namespace

std::unique_ptr<Rooms> Rooms::make(Config config, db::Database& db, bus::Bus& bus, Executor loop, const Clock& clock,
                                   Random& random, const SigningKey& key) {
  return std::make_unique<RoomsImpl>(std::move(config), db, bus, loop, clock, random, key);
}

}  // namespace myelin::rooms
