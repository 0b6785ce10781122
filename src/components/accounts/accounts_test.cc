// Accounts through the public interface, on a real database.
#include "components/accounts/accounts.h"

#include <openssl/hmac.h>

#include "base/bytes.h"
#include "components/accounts/tables.h"
#include "components/testing/databases.h"
#include "components/testing/fake_bus.h"
#include "components/testing/fake_rooms.h"
#include "components/testing/loop.h"
#include "matrix/push_rules.h"

namespace myelin::accounts {
namespace {
using namespace myelin::testing;

constexpr const char* kPassword = "correct horse";

class AccountsTest : public OnBothDatabases {
 protected:
  AccountsTest() : database_(db::testing::temporary_database(GetParam())) { open({}); }
  ~AccountsTest() override { close(); }

  void open(Config config) {
    config.server_name = ServerName::trusted("here");
    config.registration_secret = "shared";
    config.argon2_memory_kib = 8;
    config.argon2_passes = 1;
    db_ = database_->open(loop.executor(), clock);
    bus_ = std::make_unique<FakeBus>(*db_);
    queues_ = work::Queues::make(*db_, *bus_, loop.executor(), clock, random_);
    accounts = make_accounts(config, *db_, *bus_, *queues_, rooms_, loop.executor(), clock, random_);
    check(loop.run(accounts->start()));
  }
  void close() {
    loop.run(accounts->stop());
    loop.run(queues_->stop());
    accounts.reset();
    queues_.reset();
    bus_.reset();
    db_->stop();
    db_.reset();
  }
  void reopen(Config config) {
    close();
    open(std::move(config));
  }

  Login sign_up(const std::string& name, bool refreshable = false) {
    Registration request;
    request.username = name;
    request.password = kPassword;
    request.device.refresh_token = refreshable;
    return value(loop.run(accounts->register_user(request)));
  }
  Result<Login> log_in(const std::string& name, const std::string& password = kPassword,
                       std::optional<std::string> device = {}) {
    PasswordLogin request;
    request.user = name;
    request.password = password;
    request.device.device_id = std::move(device);
    request.remote_address = "192.0.2.1";
    return loop.run(accounts->log_in(request));
  }
  Result<Session> session_of(const std::string& token) { return loop.run(accounts->authenticate(token, "192.0.2.1")); }
  bool soft_logout(const Result<Session>& refused) {
    EXPECT_EQ(error_of(refused), Code::kUnknownToken);
    return refused.error().fields->at("soft_logout").as_bool();
  }
  bool until(const std::function<bool()>& is_so) {
    for (int i = 0; i < 1'000 && !is_so(); ++i) loop.run(sleep_for(std::chrono::milliseconds(5)));
    return is_so();
  }
  template <class Kind>
  size_t count_published() {
    size_t count = 0;
    for (const auto& message : value(loop.run(bus_->messages(kUserOut))))
      count += std::holds_alternative<Kind>(value(decode_user_out(message.body)).what);
    return count;
  }

  std::unique_ptr<db::testing::TemporaryDatabase> database_;
  Loop loop;
  ManualClock clock;
  SeededRandom random_{7};
  FakeRooms rooms_;
  std::unique_ptr<db::Database> db_;
  std::unique_ptr<FakeBus> bus_;
  std::unique_ptr<work::Queues> queues_;
  std::unique_ptr<Accounts> accounts;
  const UserId alice = UserId::trusted("@alice:here");
};

TEST_P(AccountsTest, ANewAccountLogsInUnderAnySpellingOfItsName) {
  auto login = sign_up("Alice");
  EXPECT_EQ(login.user, alice);
  EXPECT_EQ(value(session_of(login.tokens->access_token)).device, *login.device);
  for (const char* name : {"alice", "ALICE", "@alice:here", "@Alice:here"}) EXPECT_TRUE(log_in(name)) << name;
  for (const char* name : {"bob", "@alice:elsewhere", "", "@", "al ice"})
    EXPECT_EQ(error_of(log_in(name)), Code::kForbidden) << name;
  EXPECT_EQ(error_of(log_in("alice", "wrong")), Code::kForbidden);
  EXPECT_EQ(value(loop.run(accounts->profile(alice))), (json::Object{{"displayname", "alice"}}));
}

TEST_P(AccountsTest, NamesAreCheckedAndTakenOnce) {
  sign_up("alice");
  auto check_name = [&](const char* name) { return error_of(loop.run(accounts->check_username(name, ""))); };
  EXPECT_EQ(check_name("alice"), Code::kUserInUse);
  EXPECT_EQ(check_name("aLiCe"), Code::kUserInUse);
  for (const char* name : {"", "a b", "ü", "a:b", "@a"}) EXPECT_EQ(check_name(name), Code::kInvalidUsername) << name;
  Registration again;
  again.username = "alice";
  again.password = kPassword;
  EXPECT_EQ(error_of(loop.run(accounts->register_user(again))), Code::kUserInUse);
  again.username = "bob";
  again.password = "short";
  EXPECT_EQ(error_of(loop.run(accounts->register_user(again))), Code::kWeakPassword);
}

TEST_P(AccountsTest, ALoginOfAKnownDeviceEndsItsFormerTokens) {
  sign_up("alice");
  auto first = value(log_in("alice", kPassword, "PHONE")), other = value(log_in("alice", kPassword, "TABLET"));
  EXPECT_TRUE(session_of(first.tokens->access_token));
  auto second = value(log_in("alice", kPassword, "PHONE"));
  EXPECT_FALSE(soft_logout(session_of(first.tokens->access_token)));
  EXPECT_TRUE(session_of(second.tokens->access_token));
  EXPECT_TRUE(session_of(other.tokens->access_token));
}

TEST_P(AccountsTest, ADeviceThatAnotherProcessDeletedIsForgotten) {
  auto login = sign_up("alice");
  auto other = value(log_in("alice"));
  EXPECT_TRUE(session_of(login.tokens->access_token));
  EXPECT_TRUE(session_of(other.tokens->access_token));
  check(loop.run(
      db_->write({}, [this, device = *login.device](db::Tx& tx) { erase_devices(tx, alice, {device.str()}); })));
  EXPECT_TRUE(session_of(login.tokens->access_token)) << "nothing has told it yet";
  accounts->forget_sessions({{alice, *login.device}});
  EXPECT_FALSE(soft_logout(session_of(login.tokens->access_token)));
  EXPECT_TRUE(session_of(other.tokens->access_token));
  auto again = value(log_in("alice", kPassword, login.device->str()));
  EXPECT_TRUE(session_of(again.tokens->access_token));
  EXPECT_TRUE(session_of(again.tokens->access_token)) << "made since, under the same id";
}

TEST_P(AccountsTest, ASessionIsNotBelievedForEver) {
  auto login = sign_up("alice");
  EXPECT_TRUE(session_of(login.tokens->access_token));
  check(loop.run(db_->write({}, [](db::Tx& tx) { tx.exec("DELETE FROM access_token"); })));
  clock.advance(60'000);
  EXPECT_FALSE(soft_logout(session_of(login.tokens->access_token)));
}

TEST_P(AccountsTest, SpineRuleB11TransactionIdsEndWithTheirDevice) {
  auto login = sign_up("alice");
  check(loop.run(accounts->log_out(value(session_of(login.tokens->access_token)))));
  queues_->start();
  for (int i = 0; i < 1'000 && rooms_.forgotten_devices.empty(); ++i) loop.run(sleep_for(std::chrono::milliseconds(5)));
  ASSERT_EQ(rooms_.forgotten_devices.size(), 1u);
  EXPECT_EQ(rooms_.forgotten_devices.front(), std::pair(alice, *login.device));
}

TEST_P(AccountsTest, LoggingOutDeletesTheDeviceAndTellsOfIt) {
  auto login = sign_up("alice");
  auto other = value(log_in("alice"));
  auto session = value(session_of(login.tokens->access_token));
  check(loop.run(accounts->log_out(session)));
  EXPECT_FALSE(soft_logout(session_of(login.tokens->access_token)));
  EXPECT_EQ(value(loop.run(accounts->devices(alice))).size(), 1u);
  EXPECT_EQ(count_published<DeviceDeleted>(), 1u);
  EXPECT_EQ(count_published<DeviceListChanged>(), 1u);
  check(loop.run(accounts->log_out_all(value(session_of(other.tokens->access_token)))));
  EXPECT_TRUE(value(loop.run(accounts->devices(alice))).empty());
  EXPECT_EQ(error_of(session_of("")), Code::kMissingToken);
}

TEST_P(AccountsTest, ARefreshKeepsTheFormerPairUntilTheNewOneIsUsed) {
  auto login = sign_up("alice", true);
  EXPECT_EQ(login.tokens->expires_in_ms, 3'600'000);
  auto traded = value(loop.run(accounts->refresh(*login.tokens->refresh_token)));
  EXPECT_TRUE(session_of(login.tokens->access_token)) << "the answer may have been lost";
  auto again = value(loop.run(accounts->refresh(*login.tokens->refresh_token)));
  EXPECT_TRUE(session_of(again.access_token));
  EXPECT_FALSE(soft_logout(session_of(login.tokens->access_token)));
  EXPECT_FALSE(soft_logout(session_of(traded.access_token))) << "the pair that was not used";
  auto refused = loop.run(accounts->refresh(*login.tokens->refresh_token));
  EXPECT_EQ(error_of(refused), Code::kUnknownToken);
  EXPECT_TRUE(refused.error().fields->at("soft_logout").as_bool());
  clock.advance(3'600'001);
  EXPECT_TRUE(soft_logout(session_of(again.access_token)));
  EXPECT_TRUE(loop.run(accounts->refresh(*again.refresh_token)));
}

TEST_P(AccountsTest, ARegistrationTokenIsGoodForItsUses) {
  auto token = value(loop.run(accounts->new_registration_token(1)));
  EXPECT_TRUE(value(loop.run(accounts->registration_token_valid(token))));
  Registration request;
  request.username = "alice";
  request.password = kPassword;
  request.registration_token = token;
  value(loop.run(accounts->register_user(request)));
  EXPECT_FALSE(value(loop.run(accounts->registration_token_valid(token))));
  request.username = "bob";
  EXPECT_EQ(error_of(loop.run(accounts->register_user(request))), Code::kForbidden);
  EXPECT_FALSE(value(loop.run(accounts->user_exists(UserId::trusted("@bob:here")))));
}

TEST_P(AccountsTest, OneTokenIsToldAtEachStartUntilThereIsAnAccount) {
  auto token = value(loop.run(accounts->start_token()));
  ASSERT_TRUE(token);
  auto own = value(loop.run(accounts->new_registration_token(1)));
  reopen({});
  EXPECT_EQ(value(loop.run(accounts->start_token())), token);
  auto valid = [&](const std::string& each) { return value(loop.run(accounts->registration_token_valid(each))); };
  EXPECT_TRUE(valid(*token));
  sign_up("alice");  // in another way
  EXPECT_EQ(value(loop.run(accounts->start_token())), std::nullopt);
  EXPECT_FALSE(valid(*token));
  EXPECT_TRUE(valid(own)) << "what the administrator made stays";
}

TEST_P(AccountsTest, AStartTokenThatIsUsedUpIsFollowedByAnother) {
  auto token = value(loop.run(accounts->start_token()));
  Registration request;
  request.username = "alice";
  request.password = kPassword;
  request.registration_token = token;
  value(loop.run(accounts->register_user(request)));
  check(loop.run(accounts->deactivate(alice, true)));
  auto next = value(loop.run(accounts->start_token()));
  ASSERT_TRUE(next);
  EXPECT_NE(next, token);
}

TEST_P(AccountsTest, UsersAreListedWithWhatTheyAre) {
  sign_up("bob");
  Registration request;
  request.username = "ann";
  request.password = kPassword;
  request.is_admin = true;
  value(loop.run(accounts->register_user(request)));
  check(loop.run(accounts->deactivate(UserId::trusted("@bob:here"), false)));
  auto users = value(loop.run(accounts->users()));
  ASSERT_EQ(users.size(), 2u);
  EXPECT_EQ(users[0].user.str(), "@ann:here");
  EXPECT_TRUE(users[0].is_admin && !users[0].is_deactivated);
  EXPECT_EQ(users[1].user.str(), "@bob:here");
  EXPECT_TRUE(!users[1].is_admin && users[1].is_deactivated);
}

std::string mac_of(const std::string& nonce, const std::string& name, bool admin) {
  std::string text = nonce + '\0' + name + '\0' + kPassword + '\0' + (admin ? "admin" : "notadmin");
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  HMAC(EVP_sha1(), "shared", 6, as_bytes(text).data(), text.size(), reinterpret_cast<unsigned char*>(out.data()),
       &length);
  return hex(out.substr(0, length));
}

TEST_P(AccountsTest, SharedSecretRegistrationWantsTheSecretAndAFreshNonce) {
  auto nonce = value(loop.run(accounts->registration_nonce()));
  auto attempt = [&](const std::string& with, const std::string& name, const std::string& mac) {
    return loop.run(accounts->register_with_secret(with, name, kPassword, true, mac));
  };
  EXPECT_EQ(error_of(attempt(nonce, "root", mac_of(nonce, "root", false))), Code::kForbidden);
  EXPECT_EQ(error_of(attempt(nonce + "x", "root", mac_of(nonce + "x", "root", true))), Code::kInvalidParam);
  auto login = value(attempt(nonce, "root", mac_of(nonce, "root", true)));
  EXPECT_TRUE(value(session_of(login.tokens->access_token)).is_admin);
  EXPECT_EQ(error_of(attempt(nonce, "other", mac_of(nonce, "other", true))), Code::kInvalidParam) << "used";
  auto late = value(loop.run(accounts->registration_nonce()));
  clock.advance(60'001);
  EXPECT_EQ(error_of(attempt(late, "other", mac_of(late, "other", true))), Code::kInvalidParam);
}

class UserAuth : public AccountsTest {
 protected:
  Result<void> attempt(json::Object auth, const std::string& endpoint = "/x", json::Object body = {}) {
    UiaRequest request;
    request.endpoint = endpoint;
    request.body = std::move(body);
    if (!auth.empty()) request.body["auth"] = std::move(auth);
    request.user = alice;
    request.flows = {{"m.login.password", "m.login.dummy"}};
    return loop.run(accounts->user_auth(request));
  }
  json::Object incomplete(const Result<void>& result) {
    EXPECT_EQ(error_of(result), Code::kUiaIncomplete);
    return *result.error().fields;
  }
};

TEST_P(UserAuth, StagesAddUpInASessionOfOneEndpoint) {
  sign_up("alice");
  auto first = incomplete(attempt({}));
  auto session = std::string(first.at("session").as_string());
  EXPECT_FALSE(first.contains("completed"));
  auto wrong = incomplete(attempt({{"type", "m.login.password"}, {"password", "no"}, {"session", session}}));
  EXPECT_EQ(wrong.at("errcode").as_string(), "M_FORBIDDEN");
  EXPECT_EQ(wrong.at("session").as_string(), session);
  auto half = incomplete(attempt({{"type", "m.login.password"}, {"password", kPassword}, {"session", session}}));
  EXPECT_EQ(half.at("completed"), json::Value(json::Array{"m.login.password"}));
  auto foreign = incomplete(attempt({{"type", "m.login.dummy"}, {"session", session}}, "/y"));
  EXPECT_NE(foreign.at("session").as_string(), session) << "a session is for one endpoint";
  check(attempt({{"type", "m.login.dummy"}, {"session", session}}));
  incomplete(attempt({{"type", "m.login.dummy"}, {"session", session}}));
}

TEST_P(UserAuth, ASessionIsOfOneRequest) {
  sign_up("alice");
  json::Object body{{"devices", json::Array{"PHONE"}}};
  auto session = std::string(incomplete(attempt({}, "/x", body)).at("session").as_string());
  json::Object password{{"type", "m.login.password"}, {"password", kPassword}, {"session", session}};
  auto other = incomplete(attempt(password, "/x", {{"devices", json::Array{"TABLET"}}}));
  EXPECT_EQ(other.at("errcode").as_string(), "M_FORBIDDEN");
  EXPECT_NE(other.at("session").as_string(), session);
  EXPECT_FALSE(other.contains("completed"));
  EXPECT_TRUE(incomplete(attempt(password, "/x", body)).contains("completed"));
  password["session"] = "unknown";
  EXPECT_FALSE(incomplete(attempt(password, "/x", body)).contains("completed"));
}

TEST_P(UserAuth, WhatIsNoAuthenticationIsBadJson) {
  sign_up("alice");
  for (json::Value auth : {json::Value(5), json::Value("m.login.password"), json::Value(json::Array()),
                           json::Value(json::Object{{"type", 5}}), json::Value(json::Object{{"session", false}})}) {
    UiaRequest request{.endpoint = "/x", .body = {{"auth", auth}}, .user = alice, .flows = {{"m.login.password"}}};
    EXPECT_EQ(error_of(loop.run(accounts->user_auth(request))), Code::kBadJson) << json::serialize(auth);
  }
  UiaRequest none{.endpoint = "/x", .body = {{"auth", nullptr}}, .user = alice, .flows = {{"m.login.password"}}};
  EXPECT_EQ(error_of(loop.run(accounts->user_auth(none))), Code::kUiaIncomplete);
}

TEST_P(UserAuth, AnotherUsersPasswordDoesNotHelp) {
  sign_up("alice");
  sign_up("bob");
  json::Object identifier{{"type", "m.id.user"}, {"user", "bob"}};
  EXPECT_EQ(error_of(attempt({{"type", "m.login.password"}, {"identifier", identifier}, {"password", kPassword}})),
            Code::kForbidden);
}

TEST_P(AccountsTest, ANewPasswordEndsTheOtherDevices) {
  auto login = sign_up("alice");
  auto other = value(log_in("alice"));
  auto kept = value(session_of(login.tokens->access_token));
  check(loop.run(accounts->change_password(alice, "another password", kept)));
  EXPECT_TRUE(session_of(login.tokens->access_token));
  EXPECT_FALSE(soft_logout(session_of(other.tokens->access_token)));
  EXPECT_EQ(error_of(log_in("alice")), Code::kForbidden);
  EXPECT_TRUE(log_in("alice", "another password"));
}

TEST_P(AccountsTest, ADeactivatedAccountIsGoneAndItsNameStaysTaken) {
  auto login = sign_up("alice");
  check(loop.run(accounts->put_account_data(alice, std::nullopt, "x", "{}")));
  check(loop.run(accounts->deactivate(alice, true)));
  EXPECT_FALSE(soft_logout(session_of(login.tokens->access_token)));
  EXPECT_EQ(error_of(log_in("alice")), Code::kUserDeactivated);
  EXPECT_EQ(error_of(loop.run(accounts->check_username("alice", ""))), Code::kUserInUse);
  EXPECT_EQ(error_of(loop.run(accounts->account_data(alice, std::nullopt, "x"))), Code::kNotFound);
  auto users = value(loop.run(accounts->users()));
  ASSERT_EQ(users.size(), 1u);
  EXPECT_TRUE(users[0].is_deactivated);
  EXPECT_EQ(error_of(loop.run(accounts->deactivate(alice, true))), Code::kNotFound);
}

TEST_P(AccountsTest, ErasureIsAskedForAndPassedOn) {
  sign_up("alice");
  sign_up("bob");
  check(loop.run(accounts->deactivate(UserId::trusted("@bob:here"), false)));
  clock.advance(5);
  check(loop.run(accounts->deactivate(alice, true)));
  queues_->start();
  EXPECT_TRUE(until([&] { return !rooms_.erased.empty(); }));
  EXPECT_EQ(rooms_.erased, (std::map<UserId, Milliseconds>{{alice, clock.now()}}));
}

// A join was under way, or its COMMIT in doubt, when all rooms were seen to.
TEST_P(AccountsTest, SpineRuleA12WhoJoinsLateIsSeenToAgain) {
  sign_up("alice");
  auto early = rooms_.add_room(RoomId::trusted("!early")), late = rooms_.add_room(RoomId::trusted("!late"));
  rooms_.join(early, alice, "alice");
  queues_->start();
  auto is_done = [&](std::string_view queue) {
    return value(loop.run(db_->read([queue](db::ReadTx& tx) {
      return !tx.one("SELECT 1 FROM work WHERE queue = $1", [](const db::Row&) { return 1; }, queue);
    })));
  };
  auto joins_between = [&](std::string_view first, std::string_view again) {
    EXPECT_TRUE(until([&] { return is_done(first); }));
    rooms_.join(late, alice, "alice");
    queues_->retry_now(again, alice.str());
    EXPECT_TRUE(until([&] { return is_done(again); }));
  };
  check(loop.run(accounts->set_profile(alice, {"displayname", json::Value("Alice")})));
  EXPECT_TRUE(until([&] { return is_done(kProfileQueue); }));
  EXPECT_EQ(rooms_.member(early, alice).at("displayname"), "Alice");
  rooms_.join(early, alice, "Al, here");  // so named by the user since
  joins_between(kProfileQueue, kProfileAgainQueue);
  EXPECT_EQ(rooms_.member(late, alice).at("displayname"), "Alice");
  EXPECT_EQ(rooms_.member(early, alice).at("displayname"), "Al, here");
  check(loop.run(accounts->deactivate(alice, true)));
  joins_between(kDeactivationQueue, kDeactivationAgainQueue);
  for (auto room : {early, late}) EXPECT_EQ(rooms_.member(room, alice).at("membership"), "leave");
}

TEST_P(AccountsTest, ProfilesHoldAnyFieldWithinLimits) {
  sign_up("alice");
  auto set = [&](const std::string& field, std::optional<json::Value> to) {
    return loop.run(accounts->set_profile(alice, {field, std::move(to)}));
  };
  check(set("displayname", json::Value("Alice")));
  check(set("m.tz", json::Value("Europe/Paris")));
  EXPECT_EQ(value(loop.run(accounts->member_profile(alice))).displayname, "Alice");
  EXPECT_EQ(value(loop.run(accounts->profile(alice))).at("m.tz").as_string(), "Europe/Paris");
  EXPECT_EQ(error_of(set("displayname", json::Value(5))), Code::kInvalidParam);
  EXPECT_EQ(error_of(set(std::string(256, 'k'), json::Value(1))), Code::kKeyTooLarge);
  EXPECT_EQ(error_of(set("big", json::Value(std::string(66'000, 'v')))), Code::kProfileTooLarge);
  check(set("displayname", json::Value("")));
  EXPECT_FALSE(value(loop.run(accounts->profile(alice))).contains("displayname"));
  EXPECT_EQ(error_of(loop.run(accounts->profile(UserId::trusted("@bob:here")))), Code::kNotFound);
}

TEST_P(AccountsTest, FiltersWithTheSameContentHaveTheSameId) {
  sign_up("alice");
  auto id = value(loop.run(accounts->put_filter(alice, {{"a", 1}, {"b", 2}})));
  EXPECT_EQ(value(loop.run(accounts->put_filter(alice, {{"b", 2}, {"a", 1}}))), id);
  EXPECT_EQ(value(loop.run(accounts->filter(alice, id))), R"({"a":1,"b":2})");
  EXPECT_EQ(error_of(loop.run(accounts->filter(UserId::trusted("@bob:here"), id))), Code::kNotFound);
}

TEST_P(AccountsTest, DeviceNamesHaveALimit) {
  auto login = sign_up("alice");
  std::string name, longer;
  for (int i = 0; i < 100; ++i) name += "\u00fc";
  longer = name + "x";
  auto rename = [&](const std::string& to) { return loop.run(accounts->rename_device(alice, *login.device, to)); };
  check(rename(name));
  EXPECT_EQ(error_of(rename(longer)), Code::kInvalidParam);
  EXPECT_EQ(value(loop.run(accounts->device(alice, *login.device))).display_name, name);
  PasswordLogin request{.user = "alice", .password = kPassword};
  request.device.initial_device_display_name = longer;
  EXPECT_EQ(error_of(loop.run(accounts->log_in(request))), Code::kInvalidParam);
  Registration other{.username = "bob", .password = kPassword};
  other.device.initial_device_display_name = longer;
  EXPECT_EQ(error_of(loop.run(accounts->register_user(other))), Code::kInvalidParam);
}

TEST_P(AccountsTest, AccountDataHasALimitForEachUser) {
  Config config;
  config.account_data_bytes = 10'000;
  reopen(config);
  sign_up("alice");
  sign_up("bob");
  auto room = RoomId::trusted("!room:here");
  auto put = [&](std::optional<RoomId> in, std::string type, size_t size) {
    auto content = json::serialize(json::Object{{"a", std::string(size, 'x')}});
    return loop.run(accounts->put_account_data(alice, std::move(in), std::move(type), std::move(content)));
  };
  check(put({}, "one", 6'000));
  EXPECT_EQ(error_of(put({}, "two", 6'000)), Code::kTooLarge);
  EXPECT_EQ(error_of(put(room, "two", 6'000)), Code::kTooLarge) << "rooms count too";
  check(put({}, "one", 9'000));
  EXPECT_EQ(error_of(loop.run(accounts->edit_account_data(alice, room, "m.tag",
                                                          [](json::Object& content) -> Result<void> {
                                                            content["a"] = std::string(6'000, 'x');
                                                            return {};
                                                          }))),
            Code::kTooLarge);
  check(put(room, "m.fully_read", 2'000));
  check(put({}, "one", 8'900));  // less than before, though more than there may be
  auto small = loop.run(accounts->put_account_data(UserId::trusted("@bob:here"), std::nullopt, "one", "{}"));
  EXPECT_TRUE(small) << "others have their own";
}

TEST_P(AccountsTest, StoredFiltersHaveLimits) {
  sign_up("alice");
  auto put = [&](size_t size, int which) {
    return loop.run(accounts->put_filter(alice, {{"a", std::string(size, 'x')}, {"b", which}}));
  };
  EXPECT_EQ(error_of(put(66'000, 0)), Code::kTooLarge);
  int stored = 0;
  while (stored < 100 && put(60'000, stored)) ++stored;
  EXPECT_EQ(stored, (1 << 20) / 60'000);
  EXPECT_TRUE(put(60'000, 0)) << "it is there already";
  EXPECT_EQ(error_of(put(60'000, stored)), Code::kResourceLimitExceeded);
}

TEST_P(AccountsTest, PushRulesAreTheDefaultUntilTheyAreEdited) {
  sign_up("alice");
  EXPECT_EQ(*value(loop.run(accounts->push_rules(alice))), default_push_rules(alice));
  EXPECT_TRUE(value(loop.run(accounts->with_own_push_rules({alice}))).empty());
  check(loop.run(accounts->edit_push_rules(alice, [](json::Object& content) {
    return enable_push_rule(content, PushRuleKind::kOverride, ".m.rule.master", true);
  })));
  auto rules = value(loop.run(accounts->push_rules(alice)));
  EXPECT_TRUE(value(find_push_rule(*rules, PushRuleKind::kOverride, ".m.rule.master"))->at("enabled").as_bool());
  EXPECT_EQ(value(loop.run(accounts->with_own_push_rules({alice}))), std::vector<UserId>{alice});
  EXPECT_EQ(count_published<AccountDataChanged>(), 1u);
}

// Once there was no bound but that of a request.
TEST_P(AccountsTest, WhatAnEarlierReleaseAcceptedIsRead) {
  sign_up("alice");
  std::string nested = std::string(json::kMaxBodyDepth, '[') + std::string(json::kMaxBodyDepth, ']');
  auto large = json::Object{{"rule_id", "!r:here"}, {"actions", json::Array{}}, {"x", std::string(2 << 20, 'x')}};
  auto global = json::Object{{"room", json::Array{std::move(large)}}};
  global["sender"] = json::Array{json::Object{{"rule_id", "@a:here"}, {"actions", *json::parse(nested)}}};
  check(loop.run(accounts->edit_push_rules(alice, [&](json::Object& content) -> Result<void> {
    content = {{"global", global}};
    return {};
  })));
  auto rules = value(loop.run(accounts->push_rules(alice)));
  EXPECT_TRUE(find_push_rule(*rules, PushRuleKind::kRoom, "!r:here"));
  check(loop.run(accounts->edit_push_rules(alice, [](json::Object& content) {
    return put_push_rule(content, PushRuleKind::kRoom, "!r:here", {{"actions", json::Array{}}});
  })));
  check(loop.run(accounts->edit_push_rules(
      alice, [](json::Object& content) { return delete_push_rule(content, PushRuleKind::kSender, "@a:here"); })));

  auto tag = [&](const char* name, json::Value content) {
    return loop.run(accounts->edit_account_data(alice, RoomId::trusted("!r:here"), "m.tag", [=](json::Object& tags) {
      tags[name] = content;
      return Result<void>{};
    }));
  };
  check(loop.run(
      accounts->put_account_data(alice, RoomId::trusted("!r:here"), "m.tag", "{\"u.old\":{\"x\":" + nested + "}}")));
  check(tag("u.new", json::Object{}));
  check(tag("u.old", json::Object{}));
  EXPECT_EQ(error_of(tag("u.new", json::Object{{"x", *json::parse(nested)}})), Code::kBadJson);
}

TEST_P(AccountsTest, AnEditThatFailsOrChangesNothingStoresNothing) {
  sign_up("alice");
  auto edit = [&](std::function<Result<void>(json::Object&)> change) {
    return loop.run(accounts->edit_account_data(alice, std::nullopt, "x", std::move(change)));
  };
  auto add = [](json::Object& content) -> Result<void> {
    content["k"] = 1;
    return {};
  };
  check(edit(add));
  check(edit(add));
  EXPECT_EQ(count_published<AccountDataChanged>(), 1u);
  EXPECT_EQ(error_of(edit([](json::Object& content) -> Result<void> {
              content["k"] = 2;
              return fail(Code::kInvalidParam, "no");
            })),
            Code::kInvalidParam);
  EXPECT_EQ(value(loop.run(accounts->account_data(alice, std::nullopt, "x"))), R"({"k":1})");
}

TEST_P(AccountsTest, GuessingPasswordsIsSlowedDown) {
  sign_up("alice");
  Code last = Code::kForbidden;
  for (int i = 0; i < 11 && last == Code::kForbidden; ++i) last = error_of(log_in("alice", "guess"));
  EXPECT_EQ(last, Code::kLimitExceeded);
  auto refused = log_in("alice");
  EXPECT_EQ(error_of(refused), Code::kLimitExceeded);
  clock.advance(refused.error().fields->at("retry_after_ms").as_int64());
  EXPECT_TRUE(log_in("alice"));
  Config open_door;
  open_door.rate_limits = false;
  reopen(open_door);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(error_of(log_in("alice", "guess")), Code::kForbidden);
}

TEST_P(AccountsTest, AskingWhichNamesAreTakenIsSlowedDown) {
  sign_up("alice");
  auto ask = [&](const char* name, const char* address) { return loop.run(accounts->check_username(name, address)); };
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(error_of(ask("alice", "192.0.2.1")), Code::kUserInUse);
    EXPECT_TRUE(ask("free", "192.0.2.1"));
  }
  EXPECT_EQ(error_of(ask("alice", "192.0.2.1")), Code::kLimitExceeded);
  EXPECT_EQ(error_of(ask("free", "192.0.2.1")), Code::kLimitExceeded) << "the limit tells nothing of the name";
  EXPECT_EQ(error_of(ask("alice", "192.0.2.2")), Code::kUserInUse);
}

TEST_P(AccountsTest, SessionsOutliveARestart) {
  auto login = sign_up("alice");
  reopen({});
  EXPECT_EQ(value(session_of(login.tokens->access_token)).user, alice);
}

MYELIN_ON_BOTH_DATABASES(AccountsTest);
MYELIN_ON_BOTH_DATABASES(UserAuth);

}  // namespace
}  // namespace myelin::accounts
