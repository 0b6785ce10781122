#include "app/neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"

namespace myelin::app {
namespace {

constexpr std::chrono::milliseconds kAnswer{1'000}, kPause{500};
constexpr std::chrono::seconds kPatience{10};  // some leases long
// Of the watch.
constexpr std::chrono::milliseconds kLook{500}, kOwnAnswer{750}, kAnotherAnswer{300};
constexpr std::chrono::milliseconds kDeaf{1'500};  // half a lease
constexpr size_t kAsked = 8;                       // of the others, at once

// Processes that hear each other, and the nats-servers that they are connected to.
struct Side {
  std::set<std::string> servers;
  size_t processes = 0;

  void add(std::string server) {
    ++processes;
    if (!server.empty()) servers.insert(std::move(server));
  }
  bool is_better_than(const Side& other) const {
    if (servers.size() != other.servers.size()) return servers.size() > other.servers.size();
    if (processes != other.processes) return processes > other.processes;
    return servers < other.servers;
  }
};

std::string subject_of(const std::string& instance) { return "process." + instance; }

}  // namespace

Neighbours::Neighbours(db::Database& db, bus::Bus& bus, lease::Leases& leases, Executor loop, const Clock& clock,
                       Random& random, std::string instance, std::string agreed)
    : db_(db),
      bus_(bus),
      leases_(leases),
      clock_(clock),
      random_(random),
      instance_(std::move(instance)),
      agreed_(std::move(agreed)),
      tasks_(std::move(loop)) {
  if (db_.is_sqlite()) return;
  bus_.serve(subject_of(instance_), [text = agreed_](const std::string&) -> Task<std::string> { co_return text; });
}

Task<Result<void>> Neighbours::check() {
  if (db_.is_sqlite()) co_return Result<void>{};
  MYELIN_CO_TRY(auto all, co_await lease::Leases::status(db_, clock_));
  for (auto& each : all)
    if (each.alive && each.instance != instance_) MYELIN_CO_CHECK(co_await check(std::move(each)));
  co_return Result<void>{};
}

Task<Result<void>> Neighbours::check(lease::Status other) {
  auto name = fmt::format("process {} on {}", other.instance, other.about.host);
  for (auto end = clock_.steady() + kPatience; clock_.steady() < end;) {
    auto answer = co_await bus_.request(subject_of(other.instance), "", kAnswer);
    if (answer && *answer != agreed_)
      co_return fail(Code::kConflict,
                     fmt::format("{} has {}, and this one {}: give all processes the same", name, *answer, agreed_));
    if (answer) co_return Result<void>{};
    MYELIN_CO_TRY(bool alive, co_await is_alive(other.instance));
    if (!alive) co_return Result<void>{};
    co_await sleep_for(kPause);
  }
  co_return fail(Code::kConflict,
                 fmt::format("{} is alive in this database, but is not heard over this NATS: are two clusters, or two "
                             "embedded engines, pointed at one database?",
                             name));
}

void Neighbours::watch() {
  if (!db_.is_sqlite()) tasks_.supervise("neighbours", [this] { return keep_watching(); });
}

Task<> Neighbours::stop() {
  tasks_.cancel();
  co_await tasks_.join();
}

Task<> Neighbours::keep_watching() {
  auto heard_myself = clock_.steady(), on_the_better = heard_myself;
  bool is_deaf = false;
  while (true) {
    co_await sleep_for(is_deaf ? kLook / 5 : kLook);
    bool hears_itself = co_await hears(instance_, kOwnAnswer);
    auto now = clock_.steady();  // before the database is asked: that one may be slow
    if (hears_itself) {
      heard_myself = now;
      if (co_await is_on_the_better_side()) on_the_better = clock_.steady();
    }
    if (std::exchange(is_deaf, now - heard_myself > kDeaf) != is_deaf)
      is_deaf ? log::warning("leases: they are left to the others while NATS does not answer")
              : log::info("NATS answers again");
    leases_.rest(is_deaf);
    if (is_deaf) on_the_better = now;
    if (now - on_the_better <= kDeaf) continue;
    log::warning("this nats-server is cut off from the others: going over to another");
    bus_.leave_server();
    on_the_better = now;
  }
}

Task<bool> Neighbours::hears(std::string instance, std::chrono::milliseconds patience) {
  co_return (co_await bus_.request(subject_of(instance), "", patience)).has_value();
}

// Of a sample of the others. True also when there is nobody, or the database does not know. Both sides come to the same
// answer: by servers first, as the streams live where most of them are.
Task<bool> Neighbours::is_on_the_better_side() {
  struct Poll {
    explicit Poll(Executor loop) : ended(std::move(loop)) {}
    Side here, there;
    size_t answered = 0;
    Doorbell ended;
  };
  auto all = co_await lease::Leases::status(db_, clock_);
  if (!all) co_return true;
  std::erase_if(*all, [&](const auto& each) { return !each.alive || each.instance == instance_; });
  auto poll = std::make_shared<Poll>(co_await boost::asio::this_coro::executor);
  poll->here.add(bus_.server());
  auto ended = poll->ended.generation();
  auto asked = std::min(all->size(), kAsked);
  for (size_t i = 0, first = random_.next(); i < asked; ++i)
    tasks_.spawn("a neighbour",
                 [](Neighbours& self, lease::Status each, size_t asked, std::shared_ptr<Poll> poll) -> Task<> {
                   bool is_heard = co_await self.hears(std::move(each.instance), kAnotherAnswer);
                   (is_heard ? poll->here : poll->there).add(std::move(each.about.nats));
                   if (++poll->answered == asked) poll->ended.ring();
                 }(*this, std::move((*all)[(first + i) % all->size()]), asked, poll));
  if (asked > 0) co_await poll->ended.wait(ended, clock_.steady() + 2 * kAnotherAnswer);
  for (const auto& server : poll->here.servers) poll->there.servers.erase(server);
  co_return poll->there.processes == 0 || poll->here.is_better_than(poll->there);
}

Task<Result<bool>> Neighbours::is_alive(std::string instance) {
  MYELIN_CO_TRY(auto all, co_await lease::Leases::status(db_, clock_));
  co_return std::ranges::any_of(all, [&](const auto& each) { return each.instance == instance && each.alive; });
}

}  // namespace myelin::app
