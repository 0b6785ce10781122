#include "tests/simulate/probes.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace myelin::simulate {
namespace {

// A head poll, two position polls, and what the answers take.
constexpr milliseconds kSoon{3'000};
// What was asked before the quiet, slowly and on a connection that was lost, is answered by then.
constexpr milliseconds kSettled{3'000};

class Probe {
 public:
  Probe(Surroundings& on, Processes& processes, Client& writer, const Account& reader)
      : on_(on), world_(on.world), processes_(processes), writer_(writer), reader_(reader) {}

  // A long poll at `process`, by a token of any other, is answered with what is written meanwhile through any.
  Task<> news(Process& process) {
    using namespace boost::asio::experimental::awaitable_operators;
    auto first = co_await get(*world_.any(processes_), "sync?timeout=0");
    co_await (send() && wait_for_it(process, text_at(first.body, "next_batch")));
  }

  // What is redacted meanwhile is shown as redacted by each process, each of which had shown it before.
  Task<> redaction() {
    auto message = co_await writer_.send_message();
    auto target = fmt::format("rooms/{}/event/{}", message.room, message.id);
    for (auto& process : processes_) co_await get(*process, target);
    co_await writer_.redact(message);
    if (on_.network_faults.deaf && world_.chance(0.5)) {
      on_.network_faults.deaf = false;  // and so the next ones arrive
      co_await writer_.send_message();
    }
    auto end = world_.now() + kSoon;
    for (auto& process : processes_) {
      while (shows_content(co_await get(*process, target)) && world_.now() < end) co_await sleep_for(milliseconds(50));
      if (world_.now() >= end)
        world_.violation(fmt::format("0008: {} still shows the redacted {}", process->name(), message.id));
    }
  }

 private:
  Task<Answered> get(Process& process, std::string target) {
    auto answer = co_await ask(world_, process, net::Method::kGet, "/_matrix/client/v3/" + target, reader_.token);
    if (answer.status != 200)
      world_.violation(
          fmt::format("B9: all is well, and {} answers {} with {}", process.name(), target, answer.status));
    co_return answer;
  }
  Task<> send() {
    co_await sleep_for(milliseconds(20));
    sent_ = {};
    sent_ = co_await writer_.send_message();
    sent_at_ = world_.now();
  }
  Task<> wait_for_it(Process& process, std::string since) {
    for (bool seen = false; !seen;) {
      auto answer = co_await get(process, "sync?timeout=10000&filter=" + std::string(kFilter) + "&since=" + since);
      auto now = world_.now();
      if (world_.violated()) co_return;
      while (sent_.id.empty()) co_await sleep_for(milliseconds(5));  // it may be seen before its sender is answered
      since = text_at(answer.body, "next_batch");
      seen = boost::json::serialize(answer.body).contains(sent_.id);
      if (now < sent_at_ + kSoon) continue;
      world_.violation(fmt::format("B9: {} waits at {} and does not see {} for {} ms", reader_.user, process.name(),
                                   sent_.id, std::chrono::duration_cast<milliseconds>(now - sent_at_).count()));
    }
  }
  static bool shows_content(const Answered& answer) {
    auto* content = answer.body.if_contains("content");
    return content != nullptr && !content->as_object().empty();
  }

  Surroundings& on_;
  World& world_;
  Processes& processes_;
  Client& writer_;
  const Account& reader_;
  Written sent_;
  TimePoint sent_at_;
};

}  // namespace

Task<> probe(Surroundings& on, Processes& processes, Client& writer, const Account& reader) {
  co_await sleep_for(kSettled);
  for (bool deaf : {false, true}) {
    on.network_faults.deaf = deaf;
    on.world.note("probes begin{}", deaf ? "; nothing is said between the processes but commands" : "");
    Probe probe(on, processes, writer, reader);
    co_await probe.news(*on.world.any(processes));
    if (deaf) co_await probe.redaction();
  }
  on.network_faults.deaf = false;
}

}  // namespace myelin::simulate
