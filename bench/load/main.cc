// load PROGRAM DATA_DIR [--json FILE] [--seconds N] [--only CASE,...]: the speed and memory table of the server,
// measured from outside on a fresh one. Every case that writes checks afterwards that what was acknowledged is there.
// Figures only: never a verdict.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "bench/load/client.h"
#include "bench/load/server.h"

namespace myelin::bench {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct Row {
  std::string work, bar;
  double rate = 0;          // per second; 0: not a rate
  double p50 = 0, p99 = 0;  // milliseconds
  std::string figure;       // when neither
  double cpu = 0;           // server CPU microseconds per operation
};

double percentile(std::vector<double>& sorted, double p) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(p * static_cast<double>(sorted.size())))];
}

class Bench {
 public:
  Bench(std::string program, std::string data, double seconds, std::string only)
      : seconds_(seconds), only_(std::move(only)), server_(std::move(program), std::move(data), 18138, {}) {}

  void run() {
    double start = server_.start();
    rows_.push_back({"fresh start to first answer", "< 500 ms", 0, 0, 0, fmt::format("{:.0f} ms", start * 1000)});
    std::this_thread::sleep_for(std::chrono::seconds(1));
    rows_.push_back({"fresh server, idle: RSS", "< 60 MB", 0, 0, 0,
                     fmt::format("{:.1f} MB", static_cast<double>(server_.rss_bytes()) / 1e6)});
    on_loop([this] { return set_up(); });
    add("parked", [this] { return parked(2000); });  // before the others: freed memory would hide what polls take
    add("send1", [this] { return send_case("PUT /send, 1 client", "p50 < 3 ms, p99 < 15 ms", 1, 1); });
    add("send10", [this] { return send_case("PUT /send, 10 clients in 1 room", ">= 2 000/s", 10, 1); });
    add("send10x10",
        [this] { return send_case("PUT /send, 10 clients in 10 rooms", ">= 3 000/s (aim 5 000)", 10, 10); });
    add("fanout", [this] { return fan_out(100); });
    add("sync", [this] { return empty_sync(); });
    add("messages", [this] { return messages(); });
    add("rooms", [this] { return rooms_and_joins(); });
  }

  void print(const std::string& json_file) {
    fmt::print("{:<44} {:>10} {:>9} {:>9} {:>9}  {}\n", "work", "per s", "p50 ms", "p99 ms", "CPU us", "bar");
    boost::json::array out;
    for (const auto& row : rows_) {
      if (row.figure.empty())
        fmt::print("{:<44} {:>10} {:>9.2f} {:>9.2f} {:>9.0f}  {}\n", row.work,
                   row.rate > 0 ? fmt::format("{:.0f}", row.rate) : "", row.p50, row.p99, row.cpu, row.bar);
      else
        fmt::print("{:<44} {:>40}  {}\n", row.work, row.figure, row.bar);
      out.push_back({{"work", row.work},
                     {"bar", row.bar},
                     {"per_second", row.rate},
                     {"p50_ms", row.p50},
                     {"p99_ms", row.p99},
                     {"figure", row.figure},
                     {"server_cpu_us", row.cpu}});
    }
    if (!json_file.empty()) std::ofstream(json_file) << boost::json::serialize(out) << '\n';
  }

 private:
  void add(std::string_view name, std::function<Task<>()> make) {
    if (!only_.empty() && (',' + only_ + ',').find(fmt::format(",{},", name)) == std::string::npos) return;
    fmt::print(stderr, "  {} …\n", name);
    on_loop(std::move(make));
  }

  void on_loop(std::function<Task<>()> make) {
    asio::io_context context(1);
    std::exception_ptr problem;
    asio::co_spawn(context, make(), [&](std::exception_ptr e) { problem = e; });
    loop_ = &context;
    context.run();
    if (problem) std::rethrow_exception(problem);
  }

  Client client(const std::string& token = {}) { return Client(loop_->get_executor(), server_.port(), token); }

  // Runs `each` concurrently for every index and waits for all.
  Task<> all(size_t count, std::function<Task<>(size_t)> each) {
    size_t left = count;
    std::exception_ptr problem;
    asio::steady_timer done(*loop_, Clock::time_point::max());
    for (size_t i = 0; i < count; ++i)
      asio::co_spawn(*loop_, each(i), [&](std::exception_ptr e) {
        if (e) problem = e;
        if (--left == 0) done.cancel();
      });
    boost::system::error_code ignored;
    if (left > 0) co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (problem) std::rethrow_exception(problem);
  }

  // `clients` loops of `operation` for the set time: rate, percentiles, server CPU.
  Task<size_t> measure(std::string work, std::string bar, size_t clients,
                       std::function<Task<>(size_t client, size_t n)> operation) {
    std::vector<double> times;
    double cpu = server_.cpu_seconds();
    auto begin = Clock::now();
    auto loop = [&](size_t i) -> Task<> {
      for (size_t n = 0; since(begin) < seconds_; ++n) {
        auto at = Clock::now();
        co_await operation(i, n);
        times.push_back(since(at) * 1000);
      }
    };
    co_await all(clients, loop);
    double took = since(begin);
    std::ranges::sort(times);
    auto count = static_cast<double>(times.size());
    rows_.push_back({work,
                     bar,
                     count / took,
                     percentile(times, .5),
                     percentile(times, .99),
                     {},
                     (server_.cpu_seconds() - cpu) / count * 1e6});
    co_return times.size();
  }

  Task<std::string> register_user(std::string name) {
    auto answer = co_await client().ok(
        "POST", "/_matrix/client/v3/register",
        fmt::format(R"({{"username":"{}","password":"correct horse","auth":{{"type":"m.login.dummy"}}}})", name));
    co_return std::string(answer.at("access_token").as_string());
  }

  Task<std::string> create_room(std::string token) {
    auto answer = co_await client(token).ok("POST", "/_matrix/client/v3/createRoom", R"({"preset":"public_chat"})");
    co_return std::string(answer.at("room_id").as_string());
  }

  Task<> join(std::string token, std::string room) {
    co_await client(token).ok("POST", "/_matrix/client/v3/join/" + room, "{}");
  }

  Task<> set_up() {
    for (int i = 0; i < 10; ++i) tokens_.push_back(co_await register_user(fmt::format("user{}", i)));
    for (int i = 0; i < 10; ++i) {
      rooms_.push_back(co_await create_room(tokens_[0]));
      for (int user = 1; user < 10; ++user) co_await join(tokens_[static_cast<size_t>(user)], rooms_.back());
    }
  }

  // Every acknowledged event id of the room must come back from /messages.
  Task<> check_there(std::string room, std::set<std::string> wanted) {
    auto reader = client(tokens_[0]);
    std::string from;
    for (int page = 0; page < 2000 && !wanted.empty(); ++page) {
      auto answer = co_await reader.ok("GET", "/_matrix/client/v3/rooms/" + room + "/messages?dir=b&limit=500" +
                                                  (from.empty() ? "" : "&from=" + from));
      for (const auto& event : answer.at("chunk").as_array())
        wanted.erase(std::string(event.at("event_id").as_string()));
      if (!answer.contains("end")) break;
      from = std::string(answer.at("end").as_string());
    }
    if (!wanted.empty())
      throw std::runtime_error(fmt::format("{} acknowledged events are not in {}", wanted.size(), room));
  }

  Task<> send_case(std::string work, std::string bar, size_t clients, size_t rooms) {
    ++run_;
    std::vector<Client> senders;
    for (size_t i = 0; i < clients; ++i) senders.push_back(client(tokens_[i]));
    std::map<std::string, std::set<std::string>> acknowledged;
    auto send = [&](size_t i, size_t n) -> Task<> {
      const auto& room = rooms_[i % rooms];
      auto target = fmt::format("/_matrix/client/v3/rooms/{}/send/m.room.message/b{}c{}n{}", room, run_, i, n);
      auto answer =
          co_await senders[i].ok("PUT", target, fmt::format(R"({{"msgtype":"m.text","body":"{} {:0>200}"}})", i, n));
      acknowledged[room].insert(std::string(answer.at("event_id").as_string()));
    };
    co_await measure(std::move(work), std::move(bar), clients, send);
    for (const auto& [room, events] : acknowledged) co_await check_there(room, events);
  }

  // From the request of a send until each of `devices` long polls has answered with it.
  Task<> fan_out(size_t devices) {
    auto room = co_await create_room(tokens_[0]);
    std::vector<std::string> tokens;
    for (size_t i = 0; i < devices; ++i) {
      tokens.push_back(co_await register_user(fmt::format("reader{}", i)));
      co_await join(tokens.back(), room);
    }
    std::vector<double> times;
    std::map<std::string, Clock::time_point> sent;
    bool stop = false;
    const size_t messages = 50;
    auto read = [&](size_t i) -> Task<> {
      auto reader = client(tokens[i]);
      auto first = co_await reader.ok("GET", "/_matrix/client/v3/sync");
      std::string next(first.at("next_batch").as_string());
      for (size_t seen = 0; seen < messages && !stop;) {
        auto answer = co_await reader.ok("GET", "/_matrix/client/v3/sync?timeout=5000&since=" + next);
        next = std::string(answer.at("next_batch").as_string());
        if (!answer.contains("rooms") || !answer.at("rooms").as_object().contains("join")) continue;
        for (const auto& [id, data] : answer.at("rooms").at("join").as_object())
          for (const auto& event : data.at("timeline").at("events").as_array())
            if (auto it = sent.find(std::string(event.at("event_id").as_string())); it != sent.end()) {
              times.push_back(since(it->second) * 1000);
              ++seen;
            }
      }
    };
    auto write = [&]() -> Task<> {
      auto writer = client(tokens_[0]);
      asio::steady_timer timer(*loop_);
      timer.expires_after(std::chrono::seconds(2));
      co_await timer.async_wait(asio::use_awaitable);
      for (size_t n = 0; n < messages; ++n) {
        auto begin = Clock::now();
        auto answer =
            co_await writer.ok("PUT", fmt::format("/_matrix/client/v3/rooms/{}/send/m.room.message/f{}", room, n),
                               R"({"msgtype":"m.text","body":"to all"})");
        sent[std::string(answer.at("event_id").as_string())] = begin;
        timer.expires_after(std::chrono::milliseconds(100));
        co_await timer.async_wait(asio::use_awaitable);
      }
      timer.expires_after(std::chrono::seconds(6));
      co_await timer.async_wait(asio::use_awaitable);
      stop = true;
    };
    co_await all(devices + 1, [&](size_t i) -> Task<> { return i < devices ? read(i) : write(); });
    std::ranges::sort(times);
    if (times.size() < devices * messages)
      fmt::print("fan-out: {} of {} deliveries were seen with their send time\n", times.size(), devices * messages);
    rows_.push_back({fmt::format("send -> seen by {} long-polling devices", devices), "p99 < 30 ms", 0,
                     percentile(times, .5), percentile(times, .99)});
  }

  Task<> empty_sync() {
    constexpr size_t kClients = 4;
    std::vector<Client> readers;
    std::vector<std::string> next(kClients);
    for (size_t i = 0; i < kClients; ++i) {
      readers.push_back(client(tokens_[i]));
      auto first = co_await readers[i].ok("GET", "/_matrix/client/v3/sync");
      next[i] = std::string(first.at("next_batch").as_string());
    }
    co_await measure("empty incremental /sync (timeout 0)", ">= 10 000/s", kClients, [&](size_t i, size_t) -> Task<> {
      auto answer = co_await readers[i].call("GET", "/_matrix/client/v3/sync?timeout=0&since=" + next[i]);
      if (answer.status != 200) throw std::runtime_error("sync: " + answer.body);
    });
  }

  Task<> messages() {
    std::vector<Client> readers;
    for (size_t i = 0; i < 4; ++i) readers.push_back(client(tokens_[i]));
    co_await measure("/messages limit 50", ">= 1 500/s", 4, [&](size_t i, size_t) -> Task<> {
      auto answer =
          co_await readers[i].call("GET", "/_matrix/client/v3/rooms/" + rooms_[i] + "/messages?dir=b&limit=50");
      if (answer.status != 200) throw std::runtime_error("messages: " + answer.body);
    });
  }

  Task<> rooms_and_joins() {
    std::vector<Client> clients;
    for (size_t i = 0; i < 10; ++i) clients.push_back(client(tokens_[i]));
    std::vector<std::string> made;
    co_await measure("createRoom", ">= 150/s", 10, [&](size_t i, size_t) -> Task<> {
      auto answer = co_await clients[i].ok("POST", "/_matrix/client/v3/createRoom", R"({"preset":"public_chat"})");
      if (i == 0) made.push_back(std::string(answer.at("room_id").as_string()));
    });
    std::vector<size_t> next(10);
    co_await measure("local join", ">= 500/s", 9, [&](size_t i, size_t) -> Task<> {
      const auto& room = made[next[i]++ % made.size()];
      co_await clients[i + 1].ok("POST", "/_matrix/client/v3/rooms/" + room + "/join", "{}");
      if (next[i] >= made.size()) {  // all joined: leave one, so that joins stay joins
        co_await clients[i + 1].ok("POST", "/_matrix/client/v3/rooms/" + made[next[i] % made.size()] + "/leave", "{}");
      }
    });
  }

  Task<> parked(size_t count) {
    auto token = tokens_[0];
    auto first = co_await client(token).ok("GET", "/_matrix/client/v3/sync");
    std::string next(first.at("next_batch").as_string());
    for (bool news = true; news;) {  // until nothing is under way any more
      auto answer = co_await client(token).ok("GET", "/_matrix/client/v3/sync?timeout=1000&since=" + next);
      news = answer.contains("rooms") || answer.contains("account_data");
      next = std::string(answer.at("next_batch").as_string());
    }
    double before = static_cast<double>(server_.rss_bytes());
    auto answered = std::make_shared<size_t>(0);
    for (size_t i = 0; i < count; ++i) {
      asio::co_spawn(
          *loop_,
          [](Client poll, std::string target, std::shared_ptr<size_t> done) -> Task<> {
            co_await poll.call("GET", std::move(target));
            ++*done;
          }(client(token), "/_matrix/client/v3/sync?timeout=8000&since=" + next, answered),
          asio::detached);
    }
    asio::steady_timer timer(*loop_, std::chrono::seconds(4));
    co_await timer.async_wait(asio::use_awaitable);
    double each = (static_cast<double>(server_.rss_bytes()) - before) / static_cast<double>(count);
    rows_.push_back({fmt::format("{} parked long polls: RSS each", count), "< 16 kB", 0, 0, 0,
                     fmt::format("{:.1f} kB ({} answered early)", each / 1000, *answered)});
    for (int i = 0; i < 300 && *answered < count; ++i) {
      timer.expires_after(std::chrono::milliseconds(100));
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (*answered != count)
      throw std::runtime_error(fmt::format("only {} of {} polls were answered", *answered, count));
  }

  double seconds_;
  std::string only_;
  Server server_;
  asio::io_context* loop_ = nullptr;
  std::vector<std::string> tokens_, rooms_;
  std::vector<Row> rows_;
  int run_ = 0;
};

}  // namespace
}  // namespace myelin::bench

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string json, only;
  double seconds = 5;
  for (size_t i = 2; i + 1 < words.size(); i += 2) {
    if (words[i] == "--json") json = words[i + 1];
    if (words[i] == "--only") only = words[i + 1];
    if (words[i] == "--seconds") seconds = std::stod(words[i + 1]);
  }
  if (words.size() < 2) {
    fmt::print(stderr, "usage: load PROGRAM DATA_DIR [--json FILE] [--seconds N] [--only CASE,...]\n");
    return 2;
  }
  myelin::bench::Bench bench(words[0], words[1], seconds, only);
  int status = 0;
  try {
    bench.run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    status = 1;
  }
  bench.print(json);
  return status;
}
