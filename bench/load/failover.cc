#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "bench/load/cases.h"

namespace myelin::bench {
namespace {

constexpr size_t kRooms = 32;
constexpr auto kBetweenSends = std::chrono::milliseconds(100);
constexpr double kBeforeKill = 2, kAfterKill = 8;     // seconds
constexpr auto kPatience = std::chrono::seconds(10);  // of one request

struct Sender {
  Client client;
  std::string room;
  std::set<std::string> acknowledged{};
  SteadyClock::time_point last{};  // when a send was accepted
  double gap = 0;                  // the longest time without, seconds
};

// Whether it was accepted. However it fails, the same request can be made again.
Task<bool> try_send(Bench& bench, Sender& sender, const std::string& name) {
  using namespace asio::experimental::awaitable_operators;
  auto target = "/_matrix/client/v3/rooms/" + sender.room + "/send/m.room.message/" + name;
  auto body = fmt::format(R"({{"msgtype":"m.text","body":"{}"}})", name);
  try {
    auto first = co_await (sender.client.call("PUT", std::move(target), std::move(body)) || bench.pause(kPatience));
    if (const auto* answer = std::get_if<Answer>(&first); answer != nullptr && answer->status == 200) {
      sender.acknowledged.emplace(boost::json::parse(answer->body).at("event_id").as_string());
      co_return true;
    }
  } catch (const boost::system::system_error&) {  // the connection is gone
  }
  sender.client = bench.client(bench.token(0));
  co_return false;
}

Task<> keep_sending(Bench& bench, Sender& sender, std::string run, SteadyClock::time_point end) {
  sender.gap = 0;
  sender.last = SteadyClock::now();
  for (size_t n = 0; SteadyClock::now() < end; ++n) {
    auto name = fmt::format("{}n{}", run, n);
    while (!co_await try_send(bench, sender, name)) {
      if (SteadyClock::now() > end + kPatience * 2) throw std::runtime_error("sends are not accepted any more");
      co_await bench.pause(std::chrono::milliseconds(50));
    }
    sender.gap = std::max(sender.gap, since(sender.last));
    sender.last = SteadyClock::now();
    co_await bench.pause(kBetweenSends);
  }
}

// Kills `victim` amid sends to all rooms.
Task<> kill_amid_sends(Bench& bench, std::vector<Sender>& senders, const Program& victim, size_t run) {
  auto end = SteadyClock::now() + std::chrono::milliseconds(static_cast<int>((kBeforeKill + kAfterKill) * 1000));
  auto kill = [&]() -> Task<> {
    co_await bench.pause(std::chrono::milliseconds(static_cast<int>(kBeforeKill * 1000)));
    bench.world().kill(victim);
  };
  co_await bench.all(senders.size() + 1, [&](size_t i) -> Task<> {
    if (i == senders.size()) return kill();
    return keep_sending(bench, senders[i], fmt::format("k{}s{}", run, i), end);
  });
}

Task<> wait_until_ready(Bench& bench, const Program& program, pid_t former) {
  for (int i = 0; i < 300; ++i) {
    co_await bench.pause(std::chrono::milliseconds(200));
    if (bench.world().pid(program) == former) continue;
    try {
      if ((co_await bench.client_of(program).call("GET", "/_myelin/health/ready")).status == 200) co_return;
    } catch (const boost::system::system_error&) {  // it does not listen yet
    }
  }
  throw std::runtime_error(program.name + " was not started again");
}

}  // namespace

Task<> failover(Bench& bench, size_t kills) {
  auto owners = bench.world().of_kind("rooms");
  if (owners.size() < 2) co_return;
  std::vector<Sender> senders;
  for (size_t i = 0; i < kRooms; ++i)
    senders.push_back({bench.client(bench.token(0)), co_await bench.create_room(bench.token(0))});
  std::vector<double> gaps;  // of the rooms that felt it
  for (size_t run = 0; run < kills; ++run) {
    const auto& victim = owners[run % owners.size()];
    auto former = bench.world().pid(victim);
    co_await kill_amid_sends(bench, senders, victim, run);
    for (const auto& sender : senders)
      if (sender.gap > 1) gaps.push_back(sender.gap);
    co_await wait_until_ready(bench, victim, former);
    co_await bench.pause(std::chrono::seconds(3));  // until the rooms are shared out evenly again
  }
  for (const auto& sender : senders) co_await bench.check_there(sender.room, sender.acknowledged);
  std::ranges::sort(gaps);
  bench.add({fmt::format("rooms owner killed, {} times: longest gap", kills), bench.bar("", "< 5 s"), 0, 0, 0,
             fmt::format("{:.2f} s ({} gaps, p50 {:.2f} s)", gaps.empty() ? 0 : gaps.back(), gaps.size(),
                         percentile(gaps, .5))});
}

}  // namespace myelin::bench
