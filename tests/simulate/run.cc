#include "tests/simulate/run.h"

#include <boost/asio/co_spawn.hpp>

#include "infra/db/fatal.h"
#include "tests/simulate/checks.h"
#include "tests/simulate/faults.h"
#include "tests/simulate/outside.h"
#include "tests/simulate/probes.h"

namespace myelin::simulate {
namespace {

constexpr Milliseconds kAfterTemplate = 3'600'000;
constexpr seconds kMostTime{90};  // from the quiet on
constexpr uint64_t kMostSteps = 5'000'000;

class Run {
 public:
  Run(uint64_t seed, SharedDatabase& database, const Template& from, const SigningKey& key)
      : world_(seed),
        database_(database),
        clock_(world_, kStart + kAfterTemplate),
        loop_(world_, "clients"),
        streams_(loop_.get_executor()),
        outside_(world_, ledger_),
        on_{world_, database, streams_, outside_, clock_, key} {
    database.put_back(from.database.get());
    database.generation = "1";
    database.in_doubt_until = {};
    database.clock_is_behind = 0;
    world_.add(loop_);
    auto count = 1 + world_.below(3);
    for (uint64_t i = 1; i <= count; ++i) processes_.push_back(std::make_unique<Process>(on_, fmt::format("p{}", i)));
    auto actions = static_cast<int>(2 + world_.below(5));
    for (const auto& account : from.accounts) ledger_.users.push_back(account.user);
    for (const auto& account : from.accounts)
      clients_.push_back(std::make_unique<Client>(on_, loop_, processes_, ledger_, account, actions));
    db::set_fatal_handler([this](const std::string& why) { world_.violation("a process ends: " + why); });
  }
  ~Run() {
    loop_.abandon();
    db::set_fatal_handler({});
  }

  Outcome operator()(bool whole_trace) {
    if (whole_trace) world_.trace_all();
    for (auto& process : processes_) process->start();
    for (auto& client : clients_) {
      spawn(client->write());
      spawn(client->sync());
    }
    spawn(faults_.run(world_.now() + world_.between(seconds(2), seconds(14))));
    spawn(judge());
    while (!is_over_ && !world_.violated()) {
      world_.step();
      if (world_.steps() > kMostSteps) world_.violation("it takes too many steps");
    }
    return {world_.violated(), world_.hash(),
            world_.steps(),    ledger_.acknowledged.size(),
            ledger_.requests,  std::chrono::duration<double>(world_.now().time_since_epoch()).count() - 3'600,
            world_.trace()};
  }

 private:
  void spawn(Task<> task) {
    boost::asio::co_spawn(loop_.get_executor(), std::move(task), [this](const std::exception_ptr& thrown) {
      if (!thrown) return;
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& e) {
        world_.violation(fmt::format("the simulator's own code threw: {}", e.what()));
      }
    });
  }

  Task<> drained() {
    auto end = world_.now() + kMostTime;
    for (;;) {
      for (auto& process : processes_) process->start();  // one may have been stopping
      auto what = unfinished(database_, processes_, clients_);
      if (what.empty()) co_return;
      if (world_.now() > end) world_.violation("it never drains: " + what);
      co_await sleep_for(milliseconds(100));
    }
  }

  Task<> judge() {
    while (!faults_.is_over()) co_await sleep_for(milliseconds(100));
    for (auto& client : clients_) client->finish();
    co_await drained();
    co_await probe(on_, processes_, *clients_[1], clients_[0]->account());
    co_await drained();
    check_tables(world_, database_, ledger_);
    check_pushes(world_, ledger_, clients_[0]->account());
    co_await check_redactions(world_, processes_, ledger_, clients_[0]->account());
    for (auto& client : clients_)
      if (ledger_.restores == 0)  // a lost receipt may have been told
        co_await check_counts(world_, database_, processes_, ledger_, client->account());
    is_over_ = true;
  }

  World world_;
  SharedDatabase& database_;
  WorldClock clock_;
  Loop loop_;
  bus::testing::MemoryStreams streams_;
  Ledger ledger_;
  Outside outside_;
  Surroundings on_;
  Processes processes_;
  Clients clients_;
  Faults faults_{on_, processes_,
                 [this] {
                   for (auto& client : clients_) client->act_now();
                 },
                 [this] { forget_what_is_lost(database_, ledger_, clients_); }};
  bool is_over_ = false;
};

}  // namespace

Outcome run(uint64_t seed, SharedDatabase& database, const Template& from, const SigningKey& key, bool whole_trace) {
  return Run(seed, database, from, key)(whole_trace);
}

}  // namespace myelin::simulate
