#include "bench/load/cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

namespace myelin::bench {

void idle(Bench& bench) {
  const auto& world = bench.world();
  double slowest = 0;
  for (const auto& each : world.servers()) slowest = std::max(slowest, each.start_seconds);
  bench.add({"fresh start until ready", bench.bar("< 500 ms"), 0, 0, 0, fmt::format("{:.0f} ms", slowest * 1000)});
  std::this_thread::sleep_for(std::chrono::seconds(world.is_one_process() ? 1 : 5));
  std::map<std::string, std::vector<double>> by_kind;
  for (const auto& each : world.servers())
    by_kind[each.kind].push_back(static_cast<double>(world.rss_bytes(each)) / 1e6);
  for (const auto& [kind, sizes] : by_kind)
    bench.add({world.is_one_process() ? "fresh server, idle: RSS" : fmt::format("fresh process {}, idle: RSS", kind),
               bench.bar("< 60 MB", "< 50 MB"), 0, 0, 0, fmt::format("{:.1f} MB", std::ranges::max(sizes))});
}

namespace {

constexpr size_t kAtOnce = 20;  // while a case prepares itself

// Where a device is that has seen everything, also what came while it asked.
Task<std::string> caught_up(Bench& bench, const std::string& token) {
  auto reader = bench.client(token);
  auto answer = co_await reader.ok("GET", "/_matrix/client/v3/sync");
  for (bool news = true; news;) {
    auto since = std::string(answer.at("next_batch").as_string());
    answer = co_await reader.ok("GET", "/_matrix/client/v3/sync?timeout=100&since=" + since);
    news = answer.contains("rooms") || answer.contains("account_data") || answer.contains("device_lists");
  }
  co_return std::string(answer.at("next_batch").as_string());
}

}  // namespace

Task<> parked(Bench& bench, size_t polls) {
  std::vector<std::string> tokens(polls), next(polls);
  co_await bench.all(kAtOnce, [&](size_t first) -> Task<> {
    for (size_t i = first; i < polls; i += kAtOnce) tokens[i] = co_await bench.log_in(i % bench.users());
  });
  co_await caught_up(bench, tokens[0]);
  auto before = static_cast<double>(bench.world().rss_bytes());  // what a device leaves before it waits counts too
  co_await bench.all(kAtOnce, [&](size_t first) -> Task<> {
    for (size_t i = first; i < polls; i += kAtOnce) next[i] = co_await caught_up(bench, tokens[i]);
  });
  auto answered = std::make_shared<size_t>(0);
  for (size_t i = 0; i < polls; ++i) {
    asio::co_spawn(
        bench.loop(),
        [](Client poll, std::string target, std::shared_ptr<size_t> done) -> Task<> {
          co_await poll.call("GET", std::move(target));
          ++*done;
        }(bench.client(tokens[i]), "/_matrix/client/v3/sync?timeout=8000&since=" + next[i], answered),
        asio::detached);
  }
  co_await bench.pause(std::chrono::seconds(4));
  double each = (static_cast<double>(bench.world().rss_bytes()) - before) / static_cast<double>(polls);
  bench.add({fmt::format("{} parked long polls, a device each: RSS", polls), bench.bar("< 16 kB"), 0, 0, 0,
             fmt::format("{:.1f} kB ({} answered early)", each / 1000, *answered)});
  for (int i = 0; i < 300 && *answered < polls; ++i) co_await bench.pause(std::chrono::milliseconds(100));
  if (*answered != polls) throw std::runtime_error(fmt::format("only {} of {} polls were answered", *answered, polls));
}

Task<> sends(Bench& bench, size_t clients, size_t rooms, std::string bar) {
  std::vector<Client> senders;
  for (size_t i = 0; i < clients; ++i) senders.push_back(bench.client(bench.token(i)));
  std::map<std::string, std::set<std::string>> acknowledged;
  auto run = fmt::format("b{}r{}", clients, rooms);
  auto send = [&](size_t i, size_t n) -> Task<> {
    const auto& room = bench.room(i % rooms);
    auto name = fmt::format("{}c{}n{}", run, i, n);
    auto answer = co_await senders[i].ok("PUT", "/_matrix/client/v3/rooms/" + room + "/send/m.room.message/" + name,
                                         fmt::format(R"({{"msgtype":"m.text","body":"{} {:0>200}"}})", name, n));
    acknowledged[room].insert(std::string(answer.at("event_id").as_string()));
  };
  auto work = clients == 1 ? std::string("PUT /send, 1 client")
                           : fmt::format("PUT /send, {} clients in {} room{}", clients, rooms, rooms > 1 ? "s" : "");
  co_await bench.measure(std::move(work), std::move(bar), clients, send);
  for (const auto& [room, events] : acknowledged) co_await bench.check_there(room, events);
}

namespace {

// What one device sees of `sent` by long polling: for each message, the milliseconds since it was sent. Ends when all
// have come.
Task<> watch(Bench& bench, std::string token, const std::vector<SteadyClock::time_point>& sent,
             std::vector<double>& times) {
  auto reader = bench.client(token);
  // A timeline of the usual length may leave something out, where the machine is slow.
  const std::string kSync =
      "/_matrix/client/v3/sync?filter=%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:100%7D%7D%7D";
  auto first = co_await reader.ok("GET", kSync);
  std::string next(first.at("next_batch").as_string());
  auto end = SteadyClock::now() + std::chrono::seconds(60);
  for (size_t seen = 0; seen < sent.size();) {
    if (SteadyClock::now() > end) throw std::runtime_error(fmt::format("a device has seen {} messages only", seen));
    auto answer = co_await reader.ok("GET", kSync + "&timeout=5000&since=" + next);
    next = std::string(answer.at("next_batch").as_string());
    const auto* rooms = answer.if_contains("rooms");
    if (rooms == nullptr || !rooms->as_object().contains("join")) continue;
    for (const auto& [id, data] : rooms->at("join").as_object()) {
      const auto* timeline = data.as_object().if_contains("timeline");  // none where somebody types only
      if (timeline == nullptr) continue;
      for (const auto& event : timeline->at("events").as_array()) {
        const auto* number = event.at("content").as_object().if_contains("number");
        if (number == nullptr) continue;
        if (number->as_int64() != static_cast<int64_t>(seen))
          throw std::runtime_error(fmt::format("a device saw message {} instead of {}", number->as_int64(), seen));
        times.push_back(since(sent.at(seen++)) * 1000);
      }
    }
  }
}

// How many of the connections each process with the role sync has.
Task<std::string> spread(Bench& bench) {
  std::string out;
  constexpr std::string_view kName = "\nmyelin_http_connections ";
  for (const auto& each : bench.world().of_kind("sync")) {
    auto answer = co_await bench.client_of(each).call("GET", "/_myelin/metrics");
    auto at = answer.body.find(kName);
    if (at == std::string::npos) throw std::runtime_error(each.name + " does not count its connections");
    at += kName.size();
    out += (out.empty() ? " (" : " + ") + answer.body.substr(at, answer.body.find('\n', at) - at);
  }
  co_return out.empty() ? out : out + ")";
}

}  // namespace

Task<> fan_out(Bench& bench, size_t devices) {
  auto room = co_await bench.create_room(bench.token(0));
  std::vector<std::string> tokens;
  for (size_t i = 0; i < devices; ++i) {
    tokens.push_back(co_await bench.register_user(fmt::format("reader{}", i)));
    co_await bench.join(tokens.back(), room);
  }
  std::vector<double> times;
  std::vector<SteadyClock::time_point> sent(50);
  std::set<std::string> acknowledged;
  std::string where;
  std::map<std::string, double> cpu;
  auto write = [&]() -> Task<> {
    auto writer = bench.client(bench.token(0));
    co_await bench.pause(std::chrono::seconds(2));
    where = co_await spread(bench);
    cpu = bench.world().cpu_seconds();
    for (size_t n = 0; n < sent.size(); ++n) {
      sent[n] = SteadyClock::now();
      auto answer =
          co_await writer.ok("PUT", fmt::format("/_matrix/client/v3/rooms/{}/send/m.room.message/f{}", room, n),
                             fmt::format(R"({{"msgtype":"m.text","body":"to all {0}","number":{0}}})", n));
      acknowledged.emplace(answer.at("event_id").as_string());
      co_await bench.pause(std::chrono::milliseconds(100));
    }
  };
  co_await bench.all(devices + 1,
                     [&](size_t i) -> Task<> { return i < devices ? watch(bench, tokens[i], sent, times) : write(); });
  if (times.size() != devices * sent.size())
    throw std::runtime_error(fmt::format("{} of {} deliveries came", times.size(), devices * sent.size()));
  co_await bench.check_there(room, acknowledged);
  std::ranges::sort(times);
  bench.add({fmt::format("send -> seen by {} devices{}", devices, where),
             bench.bar("p99 < 30 ms", "p99 < 100 ms"),
             0,
             percentile(times, .5),
             percentile(times, .99),
             {},
             bench.cpu_of_each(std::move(cpu), times.size())});
}

Task<> empty_sync(Bench& bench) {
  constexpr size_t kClients = 4;
  std::vector<Client> readers;
  std::vector<std::string> next(kClients);
  for (size_t i = 0; i < kClients; ++i) {
    readers.push_back(bench.client(bench.token(i)));
    auto first = co_await readers[i].ok("GET", "/_matrix/client/v3/sync");
    next[i] = std::string(first.at("next_batch").as_string());
  }
  auto poll = [&](size_t i, size_t) -> Task<> {
    auto answer = co_await readers[i].call("GET", "/_matrix/client/v3/sync?timeout=0&since=" + next[i]);
    if (answer.status != 200) throw std::runtime_error("sync: " + answer.body);
  };
  co_await bench.measure("empty incremental /sync (timeout 0)", bench.bar(">= 10 000/s"), kClients, poll);
}

Task<> messages(Bench& bench) {
  std::vector<Client> readers;
  for (size_t i = 0; i < 4; ++i) readers.push_back(bench.client(bench.token(i)));
  auto read = [&](size_t i, size_t) -> Task<> {
    auto target = "/_matrix/client/v3/rooms/" + bench.room(i) + "/messages?dir=b&limit=50";
    auto answer = co_await readers[i].call("GET", std::move(target));
    if (answer.status != 200) throw std::runtime_error("messages: " + answer.body);
  };
  co_await bench.measure("/messages limit 50", bench.bar(">= 1 500/s"), readers.size(), read);
}

Task<> rooms_and_joins(Bench& bench) {
  std::vector<Client> clients;
  for (size_t i = 0; i < 10; ++i) clients.push_back(bench.client(bench.token(i)));
  std::vector<std::set<std::string>> in(clients.size());  // the rooms that each user is in, as was acknowledged
  std::vector<std::string> made;
  auto create = [&](size_t i, size_t) -> Task<> {
    auto answer = co_await clients[i].ok("POST", "/_matrix/client/v3/createRoom", R"({"preset":"public_chat"})");
    in[i].emplace(answer.at("room_id").as_string());
    if (i == 0) made.emplace_back(answer.at("room_id").as_string());
  };
  co_await bench.measure("createRoom", bench.bar(">= 150/s"), clients.size(), create);
  std::vector<size_t> next(10);
  auto join = [&](size_t i, size_t) -> Task<> {
    auto user = i + 1;
    const auto& room = made[next[i]++ % made.size()];
    co_await clients[user].ok("POST", "/_matrix/client/v3/rooms/" + room + "/join", "{}");
    in[user].insert(room);
    if (next[i] < made.size()) co_return;
    // All joined: leave one, so that joins stay joins.
    const auto& left = made[next[i] % made.size()];
    co_await clients[user].ok("POST", "/_matrix/client/v3/rooms/" + left + "/leave", "{}");
    in[user].erase(left);
  };
  co_await bench.measure("local join", bench.bar(">= 500/s"), 9, join);
  for (size_t user = 0; user < in.size(); ++user) co_await bench.check_joined(user, in[user]);
}

}  // namespace myelin::bench
