#include "tests/simulate/template.h"

#include <boost/asio/co_spawn.hpp>
#include <stdexcept>

#include "components/accounts/identity.h"
#include "tests/simulate/client.h"
#include "tests/simulate/outside.h"

namespace myelin::simulate {
namespace {

struct Making {
  World world{1};
  SharedDatabase& database;
  Ledger ledger{};
  WorldClock clock{world, kStart};
  Loop loop{world, "clients"};
  bus::testing::MemoryStreams streams{loop.get_executor()};
  Outside outside{world, ledger};
  Surroundings on;
  Process process{on, "template"};
  std::vector<Account> accounts{};

  Making(SharedDatabase& d, const SigningKey& key) : database(d), on{world, database, streams, outside, clock, key} {}

  Task<boost::json::object> demand(net::Method method, std::string target, std::string token,
                                   boost::json::object body) {
    auto answer =
        co_await ask(world, process, method, "/_matrix/client/v3" + target, std::move(token), std::move(body));
    if (answer.status != 200)
      throw std::runtime_error(
          fmt::format("template: {}: {} {}", target, answer.status, boost::json::serialize(answer.body)));
    co_return answer.body;
  }
  Task<> add_account(std::string name) {
    auto made = co_await demand(net::Method::kPost, "/register", "",
                                {{"username", name},
                                 {"password", "a password"},
                                 {"device_id", "DEVICE"},
                                 {"auth", boost::json::object{{"type", "m.login.dummy"}}}});
    accounts.push_back(
        {std::string(made.at("user_id").as_string()), std::string(made.at("access_token").as_string()), {}, {}});
  }
  Task<std::string> add_room() {
    auto made = co_await demand(net::Method::kPost, "/createRoom", accounts[0].token, {{"preset", "public_chat"}});
    std::string room(made.at("room_id").as_string());
    for (size_t i = 1; i < accounts.size(); ++i)
      co_await demand(net::Method::kPost, "/rooms/" + room + "/join", accounts[i].token, {});
    auto now =
        co_await demand(net::Method::kGet, "/rooms/" + room + "/state/m.room.power_levels", accounts[0].token, {});
    now["events"].as_object()["m.room.topic"] = 0;
    co_await demand(net::Method::kPut, "/rooms/" + room + "/state/m.room.power_levels", accounts[0].token, now);
    co_return room;
  }
  Task<> make() {
    ProcessDatabase direct(world, database, on.database_faults, "template", clock, [] {});
    auto named =
        co_await accounts::settle_server_name(direct, ServerName::trusted("localhost"), accounts::Wish::kDemanded);
    if (!named) throw std::runtime_error(named.error().message);
    process.start();
    while (!process.has_started()) co_await sleep_for(milliseconds(10));
    for (auto* name : {"anna", "berta", "cleo"}) co_await add_account(name);
    auto first = co_await add_room(), second = co_await add_room();
    for (auto& account : accounts) account.rooms = {first, second};
    accounts[2].rooms.erase(second);
    accounts[2].visited = {second};
    co_await demand(net::Method::kPost, "/pushers/set", accounts[0].token,
                    {{"kind", "http"},
                     {"app_id", "app"},
                     {"pushkey", "key"},
                     {"app_display_name", "app"},
                     {"device_display_name", "device"},
                     {"lang", "en"},
                     {"data", boost::json::object{{"url", "https://push.example/_matrix/push/v1/notify"}}}});
    co_await sleep_for(seconds(10));
    process.stop();
    while (process.is_up()) co_await sleep_for(milliseconds(10));
  }
};

}  // namespace

Template make_template(SharedDatabase& database, const SigningKey& key) {
  Making making(database, key);
  auto migrated = db::migrate(database.session(), db::all_migrations(), making.clock);
  if (!migrated) throw std::runtime_error(migrated.error().message);
  making.world.add(making.loop);
  bool ended = false;
  std::exception_ptr thrown;
  boost::asio::co_spawn(making.loop.get_executor(), making.make(), [&](std::exception_ptr e) {
    thrown = e;
    ended = true;
  });
  while (!ended && !making.world.violated()) making.world.step();
  if (thrown) std::rethrow_exception(thrown);
  if (making.world.violated()) throw std::runtime_error("template: " + *making.world.violated());
  database.watch();
  auto broken = database.broken();
  return {database.copy(), std::move(making.accounts)};
}

}  // namespace myelin::simulate
