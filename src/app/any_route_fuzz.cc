// Any request to any route of a whole server, on a database in memory and a bus without an engine. An input is
//
//   METHOD TARGET USER     USER: alice, bob, nobody, or an access token
//   body
//
// in which {alice}, {bob}, {room}, {old_room}, {event}, {device}, {backup} and {since} stand for what is really there.
// No answer may be a 5xx, every answer is JSON, every error has an errcode, and what was stored can be delivered.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "app/house.h"
#include "base/log.h"
#include "components/testing/fake_bus.h"
#include "infra/db/testing/databases.h"

namespace myelin::app {
namespace {

// Deadlines have always passed: nothing waits, and what would have had to answers 504; readiness is 503 then.
class ImpatientClock final : public Clock {
 public:
  Milliseconds now() const override { return system_.now(); }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(-std::chrono::hours(1'000));
  }

 private:
  SystemClock system_;
};

class NobodyThere final : public net::HttpClient {
 public:
  Task<Result<net::Response>> send(net::OutboundRequest) override { co_return fail(Code::kUnavailable, "no network"); }
};

Config test_config() {
  Sources sources;
  for (auto [key, value] :
       {std::pair("server_name", "here"), std::pair("registration", "open"), std::pair("registration_secret", "secret"),
        std::pair("rate_limits", "off"), std::pair("argon2_memory_kib", "8"), std::pair("argon2_passes", "1")})
    sources.settings.emplace_back(key, value);
  auto config = load(sources);
  if (!config) std::abort();
  return *config;
}

std::string temporary_directory_in_memory() {
  if (std::filesystem::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
  return {};
}

class Target {
 public:
  Target() {
    log::set_level(log::Level::kError);
    if (!run(house_.start())) std::abort();
    make_user("alice", "ALICE");
    make_user("bob", "BOB");
    names_["{room}"] = make_room("12");
    names_["{old_room}"] = make_room("11");
    names_["{device}"] = "ALICE";
    auto sent = call("PUT /_matrix/client/v3/rooms/{room}/send/m.room.message/seed alice", R"({"body":"seed"})");
    names_["{event}"] = field(sent, "event_id");
    auto backup = call("POST /_matrix/client/v3/room_keys/version alice",
                       R"({"algorithm":"m.megolm_backup.v1","auth_data":{"public_key":"x"}})");
    names_["{backup}"] = field(backup, "version");
    names_["{since}"] = field(call("GET /_matrix/client/v3/sync alice", ""), "next_batch");
  }

  void take(std::string_view input) {
    auto end = input.find('\n');
    check(call(input.substr(0, end), end == std::string_view::npos ? "" : input.substr(end + 1)), input);
    if (++requests_ % 128 == 0) deliver();
  }

 private:
  template <class T>
  T run(Task<T> task) {
    return db::testing::run(loop_, std::move(task));
  }

  net::Response call(std::string_view line, std::string_view body) {
    auto method = take_word(line), target = take_word(line);
    net::Request request;
    request.method = method == "GET"      ? net::Method::kGet
                     : method == "PUT"    ? net::Method::kPut
                     : method == "POST"   ? net::Method::kPost
                     : method == "DELETE" ? net::Method::kDelete
                                          : net::Method::kOther;
    request.target = fill_in(target);
    request.body = fill_in(body);
    request.remote_address = "127.0.0.1";
    auto token = tokens_.find(line);
    request.headers.push_back(
        {"Authorization", "Bearer " + (token == tokens_.end() ? std::string(line) : token->second)});
    return run(house_.router().handle(std::move(request)));
  }

  static std::string_view take_word(std::string_view& line) {
    auto word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), word.size() + 1));
    return word;
  }

  std::string fill_in(std::string_view text) const {
    std::string out(text);
    for (const auto& [name, value] : names_)
      for (size_t at = 0; (at = out.find(name, at)) != std::string::npos; at += value.size())
        out.replace(at, name.size(), value);
    return out;
  }

  static void check(const net::Response& response, std::string_view input) {
    auto body = response.content_type == "application/json" ? json::parse(response.body) : json::Value(json::Object{});
    const auto* object = body ? body->if_object() : nullptr;
    bool explained =
        response.status < 400 || (object != nullptr && (object->contains("errcode") || object->contains("flows")));
    bool is_readiness = input.starts_with("GET /_myelin/health/ready");
    bool served = response.status < 500 || response.status == (is_readiness ? 503 : 504);
    if (served && body && explained) return;
    std::fprintf(stderr, "%d %s\nto: %.*s\n", response.status, response.body.c_str(), static_cast<int>(input.size()),
                 input.data());
    std::abort();
  }

  // Every consumer can apply what the requests made, and a client can read it.
  void deliver() {
    if (auto delivered = run(bus_.deliver()); !delivered) {
      std::fprintf(stderr, "not delivered: %s\n", delivered.error().message.c_str());
      std::abort();
    }
    (void)run(db_->write({}, [](db::Tx& tx) { tx.exec("DELETE FROM outbox"); }));
    std::string_view sync = "GET /_matrix/client/v3/sync alice";
    make_token("alice", "ALICE");
    check(call(sync, ""), sync);
  }

  static std::string field(const net::Response& response, std::string_view name) {
    auto body = json::parse_object(response.body);
    if (response.status != 200 || !body || !body->contains(name)) {
      std::fprintf(stderr, "the world is not as it should be: %d %s\n", response.status, response.body.c_str());
      std::abort();
    }
    return std::string(body->at(name).as_string());
  }

  void make_user(const std::string& name, const std::string& device) {
    auto body = fmt::format(
        R"({{"username":"{}","password":"password of {}","device_id":"{}","auth":{{"type":"m.login.dummy"}}}})", name,
        name, device);
    auto made = call("POST /_matrix/client/v3/register nobody", body);
    tokens_[name] = field(made, "access_token");
    names_["{" + name + "}"] = field(made, "user_id");
  }

  // An input may log out, change the password or deactivate: then the user is given a session again.
  void make_token(const std::string& name, const std::string& device) {
    if (call("GET /_matrix/client/v3/account/whoami " + name, "").status == 200) return;
    auto fresh = name + std::to_string(requests_);
    make_user(fresh, device);
    tokens_[name] = tokens_[fresh];
    names_["{" + name + "}"] = names_["{" + fresh + "}"];
  }

  std::string make_room(const std::string& version) {
    auto body = fmt::format(R"({{"preset":"public_chat","room_version":"{}"}})", version);
    auto room = field(call("POST /_matrix/client/v3/createRoom alice", body), "room_id");
    call("POST /_matrix/client/v3/join/" + room + " bob", "{}");
    return room;
  }

  std::string in_memory_ = temporary_directory_in_memory();
  db::testing::TemporarySqlite files_;
  boost::asio::io_context loop_{1};
  ImpatientClock clock_;
  SystemRandom random_;
  Config config_ = test_config();
  SigningKey key_ = SigningKey::generate(random_, "a");
  NobodyThere nobody_;
  std::unique_ptr<db::Database> db_ = files_.open(loop_.get_executor(), clock_);
  myelin::testing::FakeBus bus_{*db_};
  House house_{config_, {*db_, bus_, nobody_, loop_.get_executor(), clock_, random_}, key_};
  std::map<std::string, std::string, std::less<>> tokens_;
  std::map<std::string, std::string, std::less<>> names_;
  size_t requests_ = 0;
};

}  // namespace
}  // namespace myelin::app

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* target = new myelin::app::Target;  // for the life of the process
  target->take({reinterpret_cast<const char*>(data), size});
  return 0;
}
