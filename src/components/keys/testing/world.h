// What the tests of this component stand on: a real database, stand-ins for the rest, clients that sign.
#pragma once
#include "base/bytes.h"
#include "components/accounts/user_out.h"
#include "components/keys/keys.h"
#include "components/testing/databases.h"
#include "components/testing/fake_accounts.h"
#include "components/testing/fake_bus.h"
#include "components/testing/fake_rooms.h"
#include "components/testing/loop.h"
#include "matrix/signing.h"

namespace myelin::keys::testing {
using namespace myelin::testing;

class World {
 public:
  explicit World(db::testing::Kind kind) : database(db::testing::temporary_database(kind)) { open(); }
  ~World() { close(); }
  void restart() {
    close();
    open();
  }

  accounts::Session session(const UserId& user, const std::string& device) {
    accounts::Session out;
    out.user = user;
    out.device = DeviceId::trusted(device);
    return out;
  }
  // Messages of user.out so far, decoded.
  std::vector<accounts::UserOut> published() {
    std::vector<accounts::UserOut> out;
    for (const auto& message : value(loop.run(bus->messages(accounts::kUserOut))))
      out.push_back(value(accounts::decode_user_out(message.body)));
    return out;
  }
  template <class Kind>
  size_t count_published(const UserId& user) {
    size_t count = 0;
    for (const auto& message : published()) count += message.user == user && std::holds_alternative<Kind>(message.what);
    return count;
  }
  // What accounts would do when a device goes.
  void delete_device(const UserId& user, const std::string& device) {
    accounts.remove(user, device);
    publish_deleted(user, device);
  }
  void publish_deleted(const UserId& user, const std::string& device) {
    check(loop.run(db->write({}, [user, device](db::Tx& tx) {
      tx.publish(accounts::kUserOut.name, bus::partition_of(user.str()),
                 encode(accounts::UserOut{user, accounts::DeviceDeleted{DeviceId::trusted(device)}}));
    })));
  }

  std::unique_ptr<db::testing::TemporaryDatabase> database;
  Loop loop;
  ManualClock clock;
  SeededRandom random{7};
  FakeAccounts accounts;
  FakeRooms rooms;
  std::unique_ptr<db::Database> db;
  std::unique_ptr<FakeBus> bus;
  std::unique_ptr<Keys> keys;
  const UserId alice = UserId::trusted("@alice:here"), bob = UserId::trusted("@bob:here");
  const UserId elsewhere = UserId::trusted("@eve:elsewhere");

 private:
  void open() {
    db = database->open(loop.executor(), clock);
    bus = std::make_unique<FakeBus>(*db);
    keys = make_keys(ServerName::trusted("here"), *db, *bus, accounts, rooms, loop.executor(), clock, random);
    check(loop.run(keys->start()));
  }
  void close() {
    loop.run(keys->stop());
    keys.reset();
    bus.reset();
    db->stop();
    db.reset();
  }
};

inline json::Object object(std::string_view text) { return value(json::parse_object(text)); }

// A device that signs what it uploads.
class Client {
 public:
  Client(UserId user, std::string device, uint64_t seed)
      : user_(std::move(user)),
        device_(std::move(device)),
        random_(seed),
        key_(SigningKey::generate(random_, device_)) {}

  json::Object device_keys() const {
    json::Object out = unsigned_device_keys();
    check(sign_json(out, user_.str(), key_, json::CanonicalMode::kStrict));
    return out;
  }
  json::Object unsigned_device_keys() const {
    return {{"user_id", user_.str()},
            {"device_id", device_},
            {"algorithms", json::Array{"m.olm.v1.curve25519-aes-sha2"}},
            {"keys", json::Object{{"ed25519:" + device_, base64(key_.public_key())},
                                  {"curve25519:" + device_, base64(key_.public_key())}}},
            {"signatures", json::Object()}};
  }
  // One signed one-time key under each id; the same id, the same key.
  json::Object one_time_keys(int first, int count) const {
    json::Object out;
    for (int id = first; id < first + count; ++id) {
      json::Object key{{"key", base64(std::string(32, static_cast<char>(id)))}};
      check(sign_json(key, user_.str(), key_, json::CanonicalMode::kStrict));
      out["signed_curve25519:" + std::to_string(id)] = std::move(key);
    }
    return out;
  }
  const SigningKey& key() const { return key_; }

 private:
  UserId user_;
  std::string device_;
  SeededRandom random_;
  SigningKey key_;
};

// A cross-signing key and what to upload of it.
class CrossSigner {
 public:
  CrossSigner(UserId user, uint64_t seed) : user_(std::move(user)), random_(seed), seed_(seed32()) {}
  std::string public_key() const { return base64(named("x").public_key()); }
  // Its signatures carry its public key as their name.
  SigningKey key() const { return named(public_key()); }
  json::Object upload(std::string_view usage) const {
    return {{"user_id", user_.str()},
            {"usage", json::Array{usage}},
            {"keys", json::Object{{"ed25519:" + public_key(), public_key()}}}};
  }
  json::Object upload(std::string_view usage, const CrossSigner& master) const {
    auto out = upload(usage);
    check(sign_json(out, user_.str(), master.key(), json::CanonicalMode::kStrict));
    return out;
  }

 private:
  std::string seed32() {
    std::string out(32, '\0');
    random_.fill({reinterpret_cast<uint8_t*>(out.data()), out.size()});
    return out;
  }
  SigningKey named(std::string name) const { return value(SigningKey::of_client(seed_, name)); }
  UserId user_;
  SeededRandom random_;
  std::string seed_;
};

}  // namespace myelin::keys::testing
