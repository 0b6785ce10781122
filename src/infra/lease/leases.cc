// The memory of a process's leases and its rounds: what a round found is told to those who want the leases.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/system/system_error.hpp>

#include "base/fault.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/timer.h"
#include "infra/db/fatal.h"
#include "infra/lease/round.h"

namespace myelin::lease {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kSubject = "lease";
constexpr milliseconds kSoon{50};  // when something was locked
constexpr milliseconds kAtOnce{0};
constexpr milliseconds kDeadline{10'000};  // of a look that somebody waits for
constexpr Milliseconds kForLife = 100LL * 365 * 24 * 3'600'000;

struct Wanted {
  explicit Wanted(Wish w)
      : wish(std::move(w)),
        count(metrics::gauge("myelin_leases_held", "Parts that this process holds", {{"name", wish.name}})) {}
  Wish wish;
  std::map<uint32_t, int64_t> held;  // with its epoch
  std::set<uint32_t> leaving;        // being let go (held) or given up (not held any more)
  prometheus::Gauge& count;

  void end(uint32_t part) {
    if (held.erase(part) == 0) return;
    count.Set(static_cast<double>(held.size()));
    if (wish.lost) wish.lost(part);
  }
};

class LeasesImpl final : public Leases {
 public:
  LeasesImpl(db::Database& db, bus::Bus& bus, Executor loop, const Clock& clock, Random& random, std::string instance,
             Process about, Options options)
      : db_(db),
        bus_(bus),
        clock_(clock),
        instance_(std::move(instance)),
        about_(std::move(about)),
        options_(options),
        is_alone_(db.is_sqlite()),
        process_token_(random.token(16)),
        wake_(std::make_shared<Doorbell>(loop)),
        round_ended_(loop),
        left_(loop),
        tasks_(loop) {
    if (is_alone_) return;
    bus_.on_hint(std::string(kSubject), [wake = std::weak_ptr(wake_), me = instance_](const std::string& from) {
      if (auto bell = wake.lock(); bell && from != me) bell->ring();
    });
  }
  ~LeasesImpl() override { tasks_.cancel(); }

  void want(Wish wish) override {
    auto name = wish.name;
    wanted_.emplace(name, std::make_unique<Wanted>(std::move(wish)));
  }

  Task<Result<void>> start() override {
    MYELIN_CO_TRY(auto again, co_await round());
    (void)again;
    if (!is_alone_) tasks_.supervise("leases", [this] { return keep(); });
    co_return Result<void>{};
  }

  Task<> stop() override {
    stopping_ = true;
    wake_->ring();
    for (auto& [name, wanted] : wanted_)
      for (auto [part, epoch] : std::map(wanted->held)) let_go(*wanted, part, epoch);
    auto deadline = steady_now() + options_.patience + kDeadline;
    while (under_way_ > 0) {
      auto seen = left_.generation();
      if (!co_await left_.wait(seen, deadline)) break;
    }
    tasks_.cancel();
    co_await tasks_.join();
    lose_all();
    registered_ = false;
    auto ended = co_await db_.write({.urgent = true}, [me = instance_, life = life_, at = clock_.now()](db::Tx& tx) {
      end_life(tx, me, life, at);
    });
    if (!ended) log::warning("leases: they end with their time, not at once: {}", ended.error().message);
    tell_others();
  }

  void rest(bool resting) override {
    if (is_alone_ || std::exchange(resting_, resting) == resting) return;
    wake_->ring();
  }

  std::optional<db::Fence> fence(std::string_view topic, uint32_t partition) const override {
    auto wanted = find(topic);
    if (wanted == nullptr || !wanted->wish.is_topic || !is_in_time()) return std::nullopt;
    auto it = wanted->held.find(partition);
    if (it == wanted->held.end()) return std::nullopt;
    return db::Fence{topic, partition, it->second};
  }
  bool holds(std::string_view name, uint32_t part) const override {
    auto wanted = find(name);
    return wanted != nullptr && is_in_time() && wanted->held.contains(part);
  }
  std::optional<std::string> holder(std::string_view name, uint32_t part) const override {
    if (holds(name, part)) return instance_;
    auto it = holders_.find(name);
    if (it == holders_.end() || part >= it->second.size()) return std::nullopt;
    const auto& id = it->second[part];
    if (id.empty() || id == instance_) return std::nullopt;
    return id;
  }

  Task<Result<void>> look() override {
    if (is_alone_) co_return Result<void>{};
    if (stopping_ || is_replaced_) co_return fail(Code::kUnavailable, "this process holds no leases any more");
    auto wanted = begun_ + 1;
    auto deadline = steady_now() + kDeadline;
    wake_->ring();
    while (ended_ < wanted) {
      auto seen = round_ended_.generation();
      if (!co_await round_ended_.wait(seen, deadline)) co_return fail(Code::kTimeout, "the leases cannot be read");
    }
    co_return last_;
  }

 private:
  const Wanted* find(std::string_view name) const {
    auto it = wanted_.find(name);
    return it == wanted_.end() ? nullptr : it->second.get();
  }
  bool is_in_time() const { return is_alone_ || clock_.steady() < in_time_until_; }
  void tell_others() {
    if (!is_alone_) bus_.hint(std::string(kSubject), instance_);
  }

  // ---- rounds

  Task<> keep() {
    while (true) {
      auto seen = wake_->generation();
      auto pause = kDeadline;
      if (!is_replaced_ && !(stopping_ && !registered_)) {
        bool was_well = last_.has_value();
        auto next = co_await round();
        if (!next && was_well) log::warning("leases: they cannot be renewed: {}", next.error().message);
        if (next && !was_well) log::info("leases: they are renewed again");
        pause = next.value_or(options_.look / 2);
      }
      if (pause > kAtOnce) co_await wake_->wait(seen, steady_now() + pause);
    }
  }

  Round make_round() {
    if (!registered_) life_ = fmt::format("{}.{}", process_token_, ++lives_);
    about_.nats = bus_.server();
    Round out{.instance = instance_,
              .process_token = process_token_,
              .life = life_,
              .about = about_,
              .registers = !registered_,
              .stopping = stopping_,
              .resting = resting_,
              .is_alone = is_alone_,
              .length = is_alone_ ? kForLife : options_.length.count(),
              .clock = clock_.now(),
              .wishes = {}};
    for (const auto& [name, wanted] : wanted_)
      out.wishes.push_back({name, wanted->wish.parts, wanted->wish.is_topic, wanted->held, wanted->leaving});
    return out;
  }

  // When the next one is due.
  Task<Result<milliseconds>> round() {
    ++begun_;
    auto sent = clock_.steady();
    auto outcome =
        co_await db_.write({.urgent = true}, [round = make_round()](db::Tx& tx) { return run_round(tx, round); });
    if (outcome && failure_point("lease.renew_lost"))
      outcome = fail(Code::kCommitUnknown, "the answer was lost (a failure point)");
    auto pause = options_.look;
    if (outcome) pause = apply(std::move(*outcome), sent);
    last_ = outcome ? Result<void>{} : std::unexpected(outcome.error());
    ended_ = begun_;
    round_ended_.ring();
    if (!outcome) co_return std::unexpected(std::move(outcome).error());
    co_return pause;
  }

  milliseconds apply(Outcome outcome, steady_clock::time_point sent) {
    if (outcome.standing != Outcome::Standing::kAlive) {
      registered_ = false;
      holders_.clear();
      log::warning("leases: this process was not able to renew them in time, and has lost them all");
      lose_all();
      if (outcome.standing == Outcome::Standing::kReplaced) end_replaced(outcome.other_life);
      return kAtOnce;
    }
    registered_ = true;
    // By this process's clock its leases end earlier than by the database's, which has read its own after this moment.
    in_time_until_ = sent + options_.length - options_.length / 10;
    holders_ = std::move(outcome.holders);
    auto change = outcome.changes.begin();
    for (auto& [name, wanted] : wanted_) apply(*wanted, *change++);
    if (outcome.changed) tell_others();
    return outcome.again ? std::min(options_.look, kSoon) : options_.look;
  }

  void apply(Wanted& wanted, const Change& change) {
    for (auto part : change.lost) {
      log::warning("leases: {} {} has another owner", wanted.wish.name, part);
      wanted.end(part);
    }
    if (stopping_) return;  // what was taken is given up with this life
    for (auto part : change.surplus)
      if (auto it = wanted.held.find(part); it != wanted.held.end()) let_go(wanted, part, it->second);
    if (change.taken.empty()) return;
    crash_point("lease.bumped_before_load");
    for (auto [part, epoch] : change.taken) wanted.held[part] = epoch;
    wanted.count.Set(static_cast<double>(wanted.held.size()));
    if (!is_alone_) log::info("leases: took {} of {}", change.taken.size(), wanted.wish.name);
    if (wanted.wish.taken)
      for (auto [part, epoch] : change.taken) wanted.wish.taken(part);
    crash_point("lease.loaded");
  }

  void lose_all() {
    for (auto& [name, wanted] : wanted_)
      while (!wanted->held.empty()) wanted->end(wanted->held.begin()->first);
  }

  void end_replaced(const std::string& other) {
    is_replaced_ = true;
    db::fatal(
        fmt::format("another process is alive as instance '{}' of this database (its life is {}, this one's {}): was a "
                    "data directory copied? Every process needs one of its own; delete the copy's file `instance`.",
                    instance_, other, life_));
  }

  // ---- letting go

  void let_go(Wanted& wanted, uint32_t part, int64_t epoch) {
    if (!wanted.leaving.insert(part).second) return;
    ++under_way_;
    tasks_.spawn(fmt::format("lease of {} {}", wanted.wish.name, part), leave(wanted, part, epoch));
  }

  Task<> leave(Wanted& wanted, uint32_t part, int64_t epoch) {
    struct Left {  // also when the coroutine is given up
      LeasesImpl& leases;
      std::set<uint32_t>& leaving;
      uint32_t part;
      ~Left() {
        leaving.erase(part);
        --leases.under_way_;
        leases.left_.ring();
      }
    } left{*this, wanted.leaving, part};
    if (wanted.wish.let_go) co_await finish_work(wanted, part);
    if (auto it = wanted.held.find(part); it == wanted.held.end() || it->second != epoch) co_return;
    wanted.end(part);
    if (is_alone_) co_return;  // the end of this life says so
    auto given = co_await db_.write({.urgent = true}, [me = instance_, name = wanted.wish.name, part,
                                                       epoch](db::Tx& tx) { give_up(tx, me, name, part, epoch); });
    if (given) tell_others();
  }

  Task<> finish_work(Wanted& wanted, uint32_t part) {
    using namespace boost::asio::experimental::awaitable_operators;
    auto first = co_await (caught(wanted.wish.let_go(part), wanted.wish.name) || sleep_for(options_.patience));
    if (first.index() == 1)
      log::warning("leases: {} {} is let go with work under way, which will fail", wanted.wish.name, part);
  }
  static Task<> caught(Task<> task, std::string name) {
    try {
      co_await std::move(task);
    } catch (const boost::system::system_error&) {  // cancelled
      throw;
    } catch (const std::exception& failure) {
      log::warning("leases: letting go of {}: {}", name, failure.what());
    }
  }

  db::Database& db_;
  bus::Bus& bus_;
  const Clock& clock_;
  std::string instance_;
  Process about_;
  Options options_;
  bool is_alone_;
  std::string process_token_, life_;
  int lives_ = 0;
  std::map<std::string, std::unique_ptr<Wanted>, std::less<>> wanted_;
  Holders holders_;
  bool registered_ = false, stopping_ = false, resting_ = false, is_replaced_ = false;
  steady_clock::time_point in_time_until_{};
  std::shared_ptr<Doorbell> wake_;
  uint64_t begun_ = 0, ended_ = 0;  // rounds
  Result<void> last_;
  Doorbell round_ended_;
  int under_way_ = 0;  // parts that are being let go
  Doorbell left_;
  TaskSet tasks_;
};

}  // namespace

std::unique_ptr<Leases> Leases::make(db::Database& db, bus::Bus& bus, Executor loop, const Clock& clock, Random& random,
                                     std::string instance, Process about, Options options) {
  return std::make_unique<LeasesImpl>(db, bus, std::move(loop), clock, random, std::move(instance), std::move(about),
                                      options);
}

}  // namespace myelin::lease
