#include "bench/load/bench.h"

#include <fmt/format.h>

#include <algorithm>

namespace myelin::bench {

std::string Bench::bar(std::string embedded, std::string cluster) const {
  return world_.name() == "sqlite" ? embedded : world_.name() == "cluster" ? cluster : "";
}

void Bench::run(const std::function<Task<>()>& make) {
  asio::io_context context(1);
  std::exception_ptr problem;
  asio::co_spawn(context, make(), [&](std::exception_ptr e) { problem = e; });
  loop_ = &context;
  context.run();
  loop_ = nullptr;
  if (problem) std::rethrow_exception(problem);
}

Task<> Bench::pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(*loop_, time);
  co_await timer.async_wait(asio::use_awaitable);
}

Task<> Bench::all(size_t count, std::function<Task<>(size_t)> each) {
  size_t left = count;
  std::exception_ptr problem;
  asio::steady_timer done(*loop_, SteadyClock::time_point::max());
  for (size_t i = 0; i < count; ++i)
    asio::co_spawn(*loop_, each(i), [&](std::exception_ptr e) {
      if (e) problem = e;
      if (--left == 0) done.cancel();
    });
  boost::system::error_code ignored;
  if (left > 0) co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (problem) std::rethrow_exception(problem);
}

Task<> Bench::measure(std::string work, std::string bar, size_t clients,
                      std::function<Task<>(size_t client, size_t n)> operation) {
  std::vector<double> times;
  auto before = world_.cpu_seconds();
  auto begin = SteadyClock::now();
  auto loop = [&](size_t i) -> Task<> {
    for (size_t n = 0; since(begin) < seconds_; ++n) {
      auto at = SteadyClock::now();
      co_await operation(i, n);
      times.push_back(since(at) * 1000);
    }
  };
  co_await all(clients, loop);
  double took = since(begin);
  std::ranges::sort(times);
  auto count = static_cast<double>(times.size());
  add({std::move(work),
       std::move(bar),
       count / took,
       percentile(times, .5),
       percentile(times, .99),
       {},
       cpu_of_each(std::move(before), times.size())});
}

std::map<std::string, double> Bench::cpu_of_each(std::map<std::string, double> before, size_t operations) const {
  std::map<std::string, double> out;
  for (const auto& [kind, seconds] : world_.cpu_seconds())
    out[kind] = (seconds - before[kind]) / static_cast<double>(operations) * 1e6;
  return out;
}

Task<> Bench::set_up() {
  for (int i = 0; i < 10; ++i) tokens_.push_back(co_await register_user(fmt::format("user{}", i)));
  for (int i = 0; i < 10; ++i) {
    rooms_.push_back(co_await create_room(tokens_[0]));
    for (size_t user = 1; user < 10; ++user) co_await join(tokens_[user], rooms_.back());
  }
}

Task<std::string> Bench::register_user(std::string name) {
  auto answer = co_await client().ok(
      "POST", "/_matrix/client/v3/register",
      fmt::format(R"({{"username":"{}","password":"correct horse","auth":{{"type":"m.login.dummy"}}}})", name));
  co_return std::string(answer.at("access_token").as_string());
}

Task<std::string> Bench::log_in(size_t user) {
  auto answer = co_await client().ok(
      "POST", "/_matrix/client/v3/login",
      fmt::format(
          R"({{"type":"m.login.password","password":"correct horse","identifier":{{"type":"m.id.user","user":"user{}"}}}})",
          user));
  co_return std::string(answer.at("access_token").as_string());
}

Task<std::string> Bench::create_room(std::string token) {
  auto answer = co_await client(token).ok("POST", "/_matrix/client/v3/createRoom", R"({"preset":"public_chat"})");
  co_return std::string(answer.at("room_id").as_string());
}

Task<> Bench::join(std::string token, std::string room) {
  co_await client(token).ok("POST", "/_matrix/client/v3/join/" + room, "{}");
}

Task<> Bench::check_there(std::string room, std::set<std::string> acknowledged) {
  auto reader = client(tokens_[0]);
  std::string from;
  std::set<std::string> said;
  for (int page = 0; page < 2000 && !acknowledged.empty(); ++page) {
    auto answer = co_await reader.ok("GET", "/_matrix/client/v3/rooms/" + room + "/messages?dir=b&limit=500" +
                                                (from.empty() ? "" : "&from=" + from));
    for (const auto& event : answer.at("chunk").as_array()) {
      acknowledged.erase(std::string(event.at("event_id").as_string()));
      const auto* body = event.at("content").as_object().if_contains("body");
      if (body != nullptr && !said.emplace(body->as_string()).second)
        throw std::runtime_error(fmt::format("twice in {}: {}", room, std::string(body->as_string())));
    }
    if (!answer.contains("end")) break;
    from = std::string(answer.at("end").as_string());
  }
  if (!acknowledged.empty())
    throw std::runtime_error(fmt::format("{} acknowledged events are not in {}", acknowledged.size(), room));
}

Task<> Bench::check_joined(size_t user, const std::set<std::string>& rooms) {
  auto answer = co_await client(token(user)).ok("GET", "/_matrix/client/v3/joined_rooms");
  std::set<std::string> joined;
  for (const auto& room : answer.at("joined_rooms").as_array()) joined.emplace(room.as_string());
  auto missing = std::ranges::count_if(rooms, [&](const auto& room) { return !joined.contains(room); });
  if (missing > 0)
    throw std::runtime_error(fmt::format("user{} is not in {} of {} rooms", user, missing, rooms.size()));
}

}  // namespace myelin::bench
