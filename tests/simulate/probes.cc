#include "tests/simulate/probes.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace myelin::simulate {
namespace {

// A head poll, two position polls, and what the answers take.
constexpr milliseconds kSoon{3'000};
constexpr milliseconds kAtOnce{500};
// Who began to type before the quiet has stopped by then.
constexpr milliseconds kTypedBefore{3'000};
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

  // One process alone knows who types. A client that goes from one to another is shown what each knows, for as long as
  // they disagree: soon, but not at once.
  Task<> typing() {
    co_await sleep_for(kTypedBefore);
    const auto& room = *reader_.rooms.begin();
    auto& there = *processes_.front();
    co_await writer_.type(there, room, true, milliseconds(30'000));
    co_await sleep_for(kAtOnce);
    auto first = co_await get(there, "sync?timeout=0");
    auto since = text_at(first.body, "next_batch");
    for (size_t i = 1; i < processes_.size(); ++i) {
      since = co_await shown_typing(*processes_[i], room, false, since);
      since = co_await shown_typing(there, room, true, since);
    }
    co_await writer_.type(there, room, false, {});
  }

 private:
  // Polls until the writer is shown (not) to type, and gives the token of that.
  Task<std::string> shown_typing(Process& process, const std::string& room, bool types, std::string since) {
    auto begin = world_.now();
    std::optional<bool> shown;
    while (shown != types) {
      auto asked = world_.now();
      auto answer = co_await get(process, fmt::format("sync?timeout=10000&filter={}&since={}", kFilter, since));
      if (world_.violated()) co_return since;
      since = text_at(answer.body, "next_batch");
      shown = is_typing(answer.body, room);
      auto what =
          fmt::format("at {} that {} types{}", process.name(), writer_.account().user, types ? "" : " no longer");
      if (world_.now() > begin + kSoon) world_.violation(fmt::format("B10: {} does not see {}", reader_.user, what));
      if (world_.now() < asked + kAtOnce && says_nothing_else(answer.body))
        world_.violation(fmt::format("B10: {} sees at once {}", reader_.user, what));
    }
    co_return since;
  }
  std::optional<bool> is_typing(const boost::json::object& answer, const std::string& room) const {
    boost::system::error_code none;
    boost::json::value all(answer);
    auto* events = all.find_pointer("/rooms/join/" + room + "/ephemeral/events", none);
    if (events == nullptr) return std::nullopt;
    for (const auto& event : events->as_array())
      if (event.at("type") == "m.typing")
        return boost::json::serialize(event.at("content")).contains(writer_.account().user);
    return std::nullopt;
  }
  // But who types.
  static bool says_nothing_else(const boost::json::object& answer) {
    auto* rooms = answer.if_contains("rooms");
    if (rooms == nullptr || answer.contains("presence") || answer.contains("to_device")) return false;
    for (const auto& section : rooms->as_object())
      for (const auto& room : section.value().as_object())
        for (const auto& part : room.value().as_object())
          if (part.key() != "ephemeral") return false;
    return true;
  }
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
    if (deaf) co_await probe.typing();
    if (deaf) co_await probe.redaction();
  }
  on.network_faults.deaf = false;
}

}  // namespace myelin::simulate
