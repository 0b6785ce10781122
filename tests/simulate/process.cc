#include "tests/simulate/process.h"

#include <boost/asio/co_spawn.hpp>
#include <stdexcept>

#include "infra/bus/topic_bus.h"

namespace myelin::simulate {
namespace {

constexpr milliseconds kTrim{2'000};

app::Config config_of(const std::string& name) {
  static const app::Config common = [] {
    auto loaded = app::load(
        {{},
         {},
         {{"registration", "open"}, {"rate_limits", "false"}, {"argon2_memory_kib", "8"}, {"argon2_passes", "1"}}});
    if (!loaded) throw std::runtime_error(loaded.error().message);
    return *loaded;
  }();
  auto config = common;
  config.instance = name;
  return config;
}

}  // namespace

Process::Running::Running(Process& process, uint64_t seed)
    : loop(std::make_unique<Loop>(process.on_.world, process.name_)), random(seed), config(config_of(process.name_)) {
  auto& on = process.on_;
  on.world.add(*loop);
  auto name = fmt::format("{}.{}", process.name_, process.lives_);
  database = std::make_unique<ProcessDatabase>(on.world, on.database, on.database_faults, name, on.clock,
                                               [&process] { process.end_soon(); });
  auto transport = through_network(on.streams.connect(loop->get_executor()), on.world, *loop, reach, on.network_faults);
  bus = bus::make_bus(std::move(transport), *database, loop->get_executor(), on.clock, {.trim = kTrim});
  house = std::make_unique<app::House>(
      config, app::Foundations{*database, *bus, on.outside, loop->get_executor(), on.clock, random}, on.key);
}

// Coroutines go first, where they stand, then what they use.
Process::Running::~Running() {
  reach->reconnected = [] {};
  open.clear();
  database->abandon();
  loop->abandon();
  house.reset();
  loop->abandon();
  bus.reset();
  loop->abandon();
  database.reset();
  loop->abandon();
  loop->world().remove(*loop);
}

Process::Process(Surroundings& on, std::string name) : on_(on), name_(std::move(name)) {}
Process::~Process() = default;

void Process::start() {
  if (running_) return;
  ++lives_;
  on_.world.note("{} starts, life {}", name_, lives_);
  running_ = std::make_unique<Running>(*this, on_.world.number());
  boost::asio::co_spawn(running_->loop->get_executor(), running_->house->start(),
                        [this, life = lives_](const std::exception_ptr& thrown, Result<void> started) {
                          if (thrown) return on_.world.violation(name_ + ": the start threw");
                          running_->has_started = started.has_value();
                          on_.world.note("{} has started: {}", name_, started ? "ok" : started.error().message);
                          if (started) return;
                          on_.world.after(milliseconds(10), [this, life] {
                            if (life == lives_) kill();
                          });
                          on_.world.after(seconds(1), [this] { start(); });
                        });
}

void Process::kill() {
  if (!running_) return;
  on_.world.note("{} is killed", name_);
  is_frozen_ = false;
  auto open = std::exchange(running_->open, {});
  running_.reset();
  for (auto& each : open)
    on_.world.after(microseconds(200), [answer = std::move(each.second)] { answer(std::nullopt); });
}

// By itself; whoever supervises it starts it again.
void Process::end_soon() {
  on_.world.note("{} ends: the database is not the one it was", name_);
  on_.world.after(microseconds(1), [this, life = lives_] {
    if (life == lives_) kill();
  });
  on_.world.after(on_.world.between(milliseconds(10), milliseconds(500)), [this] { start(); });
}

// As the program does after SIGTERM.
Task<> Process::run_down(Running& running) {
  running.house->drain_begins();
  co_await running.house->stop_work();
  co_await running.house->stop();
}

void Process::stop() {
  if (!has_started() || std::exchange(running_->is_stopping, true)) return;
  on_.world.note("{} is asked to stop", name_);
  boost::asio::co_spawn(running_->loop->get_executor(), run_down(*running_),
                        [this, life = lives_](const std::exception_ptr& thrown) {
                          if (thrown) on_.world.violation(name_ + ": the stop threw");
                          on_.world.note("{} has stopped", name_);
                          on_.world.after(microseconds(1), [this, life] {
                            if (life == lives_) kill();
                          });
                        });
}

void Process::freeze(bool frozen) {
  if (running_ && !frozen) running_->database->at_owners_write(nullptr);
  if (!running_ || is_frozen_ == frozen) return;
  on_.world.note("{} {}", name_, frozen ? "stands still" : "goes on");
  is_frozen_ = frozen;
  on_.world.freeze(*running_->loop, frozen);
  running_->database->freeze(frozen);
}

void Process::freeze_as_it_writes(microseconds length) {
  if (!running_) return;
  running_->database->at_owners_write([this, length, life = lives_] {
    freeze(true);
    on_.world.after(length, [this, life] {
      if (life == lives_) freeze(false);
    });
  });
}

void Process::doubt_next_commit() {
  if (running_) running_->database->doubt_next_commit();
}

void Process::cut_from_leases(bool is_cut) {
  if (!running_) return;
  on_.world.note("{} {} renew its leases", name_, is_cut ? "cannot" : "can");
  running_->database->cut_leases(is_cut);
}

void Process::cut_from_database(bool is_cut) {
  if (!running_) return;
  on_.world.note("{} {} the database", name_, is_cut ? "is cut off from" : "reaches");
  running_->database->cut(is_cut);
}

void Process::cut_from_streams(bool is_cut) {
  if (!running_) return;
  on_.world.note("{} {} the streams", name_, is_cut ? "is cut off from" : "reaches");
  running_->reach->is_cut = is_cut;
  if (!is_cut) running_->loop->post([reach = running_->reach] { reach->reconnected(); });
}

bool Process::is_well() const {
  return has_started() && !running_->is_stopping && running_->database->generation() == on_.database.generation;
}

void Process::ask(net::Request request, Answer answer) {
  on_.world.after(on_.world.between(microseconds(50), microseconds(500)),
                  [this, request = std::move(request), answer = std::move(answer)]() mutable {
                    take(std::move(request), std::move(answer));
                  });
}

void Process::take(net::Request request, Answer answer) {
  if (!running_ || running_->is_stopping) return answer(std::nullopt);
  auto number = ++last_request_;
  running_->open.emplace(number, std::move(answer));
  boost::asio::co_spawn(running_->loop->get_executor(), running_->house->handle(std::move(request)),
                        [this, number](const std::exception_ptr& thrown, net::Response response) {
                          if (thrown) return give(number, std::nullopt);
                          give(number, std::move(response));
                        });
}

void Process::give(uint64_t number, std::optional<net::Response> response) {
  auto answer = running_->open.extract(number);
  if (!answer) return;
  on_.world.after(
      on_.world.between(microseconds(50), microseconds(500)),
      [answer = std::move(answer.mapped()), response = std::move(response)]() mutable { answer(std::move(response)); });
}

}  // namespace myelin::simulate
