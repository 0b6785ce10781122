// What carrying a message costs: through the engine alone (published, until its consumer's handler has it), and through
// the bus on a database (committed, until apply is called).
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/detached.hpp>

#include "base/log.h"
#include "engine/testing/nats_server.h"
#include "infra/bus/jetstream_bus.h"

namespace myelin {
namespace {

using Instant = std::chrono::steady_clock::time_point;
constexpr size_t kBody = 250;  // bytes: an event's notice on room.out

template <class T>
T check(Result<T> result) {
  if (!result) {
    log::error("{}", result.error().message);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double cpu_seconds() {  // of this process: an embedded engine included, an external one not
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// When each message set out and arrived.
class Journey {
 public:
  explicit Journey(size_t messages) : left_(messages), out_(messages), times_(messages) {}
  void sets_out(size_t number) { out_[number] = std::chrono::steady_clock::now(); }
  void arrives(size_t number) {
    if (times_[number] != 0) return;  // delivered twice
    times_[number] = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - out_[number]).count();
    --left_;
  }
  bool has_arrived(size_t number) const { return times_[number] != 0; }
  size_t left() const { return left_; }
  double percentile(double p) {
    std::ranges::sort(times_);
    return times_[static_cast<size_t>(p * static_cast<double>(times_.size() - 1))];
  }

 private:
  size_t left_;
  std::vector<Instant> out_;
  std::vector<double> times_;  // µs
};

void head(const std::string& title) {
  fmt::print(
      "\n{}\n\n| way | at once | p50, µs | p99, µs | messages/s | CPU, µs each |\n"
      "|:----|--------:|--------:|--------:|-----------:|-------------:|\n",
      title);
}

// Runs `group` messages at a time: `send(first, last)` sends those, `journey` hears of their arrival.
void measure(const std::string& way, size_t messages, size_t group, boost::asio::io_context& loop, Journey& journey,
             const std::function<void(size_t, size_t)>& send) {
  auto start = std::chrono::steady_clock::now();
  auto cpu = cpu_seconds();
  for (size_t done = 0; done < messages; done += group) {
    send(done, done + group);
    loop.restart();
    while (journey.left() > messages - done - group) loop.run_one();
  }
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  auto n = static_cast<double>(messages);
  fmt::print("| {} | {} | {:.0f} | {:.0f} | {:.0f} | {:.0f} |\n", way, group, journey.percentile(0.5),
             journey.percentile(0.99), n / seconds.count(), (cpu_seconds() - cpu) / n * 1e6);
  std::fflush(stdout);
}

struct Way {
  std::string name;
  engine::Options options;
  bool in_memory;
};

void through_the_engine(const Way& way, size_t messages, size_t group) {
  boost::asio::io_context loop;
  auto work = boost::asio::make_work_guard(loop);
  auto engine = check(engine::Engine::open(way.options, loop.get_executor()));
  auto stream = fmt::format("bench{}", group);
  check(engine->ensure_stream({stream, {stream + ".*"}, way.in_memory}));
  check(engine->ensure_consumer(stream, "reader"));
  Journey journey(messages);
  size_t unstored = 0;  // publications without an answer
  engine->subscribe(stream, "reader", 1'000, [&](std::string_view reply, std::string_view payload) {
    journey.arrives(std::stoul(std::string(payload)));
    engine->acknowledge({std::string(reply)});
  });
  measure(way.name, messages, group, loop, journey, [&](size_t first, size_t last) {
    std::vector<engine::Publish> batch;
    for (auto number = first; number < last; ++number) {
      auto payload = std::to_string(number);
      batch.push_back({stream + ".0", payload + std::string(kBody - payload.size(), ' ')});
      journey.sets_out(number);
    }
    ++unstored;
    engine->publish(batch, [&](Result<void> stored) {
      check(std::move(stored));
      --unstored;
    });
  });
  while (unstored > 0) loop.run_one();
  engine->close();
}

// As the server does it, with a consumer that writes nothing but its cursor.
void through_the_bus(const Way& way, size_t messages, size_t group) {
  boost::asio::io_context loop;
  auto work = boost::asio::make_work_guard(loop);
  SystemClock clock;
  db::testing::TemporarySqlite files;
  auto db = files.open(loop.get_executor(), clock);
  auto bus = bus::make_jetstream_bus({way.options, way.in_memory}, *db, loop.get_executor(), clock);
  Journey journey(messages);
  constexpr bus::Topic kTopic{"bench.out"};
  bus->declare({"reader", kTopic,
                [&](std::vector<bus::Message> batch) -> Task<Result<bus::Effects>> {
                  for (const auto& message : batch) journey.arrives(std::stoul(message.body));
                  co_return bus::Effects{};
                },
                [](const bus::Message& message) { return message.body; }});
  check(db::testing::run(loop, bus->start()));
  auto send = [&](size_t number) -> Task<> {
    auto body = std::to_string(number);
    auto partition = static_cast<uint32_t>(number % bus::kPartitions);
    check(co_await db->write({.lane = partition},
                             [&](db::Tx& tx) { tx.publish(kTopic.name, partition, body + std::string(kBody, ' ')); }));
    if (!journey.has_arrived(number)) journey.sets_out(number);
  };
  measure(way.name, messages, group, loop, journey, [&](size_t first, size_t last) {
    for (auto number = first; number < last; ++number) {
      journey.sets_out(number);
      boost::asio::co_spawn(loop, send(number), boost::asio::detached);
    }
  });
  db::testing::run(loop, bus->stop());
  db->stop();
}

void run() {
  db::testing::TemporaryDirectory directory;
  engine::testing::NatsServer server;
  auto embedded = [&, n = 0]() mutable {
    engine::Options options;
    options.store_dir = fmt::format("{}/{}", directory.path(), n++);
    return options;
  };
  auto each_way = [&](const std::string& title, auto through, size_t messages) {
    head(title);
    for (size_t group : {1, 10, 50}) {
      through({"embedded, in memory", embedded(), true}, messages, group);
      through({"embedded, in files", embedded(), false}, messages, group);
      through({"external, in files", server.client(), false}, messages, group);
    }
  };
  each_way("The engine: published, until the handler has it", through_the_engine, 20'000);
  each_way("The bus on SQLite: committed, until apply is called", through_the_bus, 5'000);
}

}  // namespace
}  // namespace myelin

int main() { myelin::run(); }
