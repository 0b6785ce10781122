#include "components/rooms/remote/routed_commands.h"

#include "components/rooms/room_out.h"

namespace myelin::rooms {
namespace {

using std::chrono::milliseconds;
// Of a command, whoever has its room meanwhile: a killed owner's lease is over by then. After it another process may
// have better luck; a proxy asks it for what can be asked for again.
constexpr milliseconds kDeadline{4'000};
// Of one that its client may ask for again without our knowing it for the same (docs/spine.md, rule A17).
constexpr milliseconds kNamelessDeadline{2'000};
// With one owner: it may be standing still, or not be heard. Less when its room has another one meanwhile.
constexpr milliseconds kPatience{2'000};
constexpr milliseconds kFirstPause{20}, kLongestPause{400};

std::string subject_of(const std::string& instance) { return "rooms." + instance; }

// The effect may be there although the answer says otherwise, or there is none: asking again under the same id finds
// out.
bool may_be_asked_again(Code code) {
  return code == Code::kFenced || code == Code::kUnavailable || code == Code::kTimeout || code == Code::kCommitUnknown;
}

bool has_name(const Command& command) {
  const auto* send = std::get_if<SendEvent>(&command);
  return send != nullptr && send->transaction;
}

}  // namespace

RoutedCommands::RoutedCommands(Owner& owner, bus::Bus& bus, lease::Leases& leases, const Clock& clock, Random& random,
                               bool is_shared)
    : owner_(owner), bus_(bus), leases_(leases), clock_(clock), random_(random), is_shared_(is_shared) {}

void RoutedCommands::serve(const std::string& instance) {
  if (is_shared_) bus_.serve(subject_of(instance), [this](std::string payload) { return answer(std::move(payload)); });
}

Task<Result<EventId>> RoutedCommands::send(SendEvent request) {
  request.command = new_id(request.transaction.has_value());
  auto room = request.room;
  return route(std::move(room), std::move(request));
}
Task<Result<EventId>> RoutedCommands::join(JoinRoom request) {
  request.command = new_id(false);
  auto room = request.room;
  return route(std::move(room), std::move(request));
}
Task<Result<EventId>> RoutedCommands::change_membership(ChangeMembership request) {
  request.command = new_id(false);
  auto room = request.room;
  return route(std::move(room), std::move(request));
}

Task<Result<EventId>> RoutedCommands::route(RoomId room, Command command) {
  auto partition = bus::partition_of(room.str());
  if (!is_shared_) {
    auto answer = co_await answer_here(std::move(command));
    auto* result = std::get_if<Result<EventId>>(&answer);
    if (result == nullptr) co_return fail(Code::kUnavailable, "the room has another owner");
    co_return std::move(*result);
  }
  std::string wire;
  auto deadline = clock_.steady() + (has_name(command) ? kDeadline : kNamelessDeadline);
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    Answer answer = Moved{};
    if (leases_.holds(kRoomOut.name, partition)) {
      answer = co_await answer_here(command);
    } else if (auto owner = leases_.holder(kRoomOut.name, partition)) {
      if (wire.empty()) wire = encode(command);
      if (wire.size() > kMaxCommandBytes) co_return fail(Code::kTooLarge, "the event is too large");
      answer = co_await ask(*owner, partition, wire, deadline);
    }
    auto* result = std::get_if<Result<EventId>>(&answer);
    if (result != nullptr && (*result || !may_be_asked_again(result->error().code))) co_return std::move(*result);
    if (clock_.steady() + pause >= deadline) {
      if (result != nullptr) co_return std::move(*result);
      co_return fail(Code::kUnavailable, "the room has no owner at the moment");
    }
    co_await sleep_for(pause);
    (void)co_await leases_.look();
  }
}

Task<Answer> RoutedCommands::ask(std::string instance, uint32_t partition, std::string command,
                                 std::chrono::steady_clock::time_point deadline) {
  auto left = std::chrono::duration_cast<milliseconds>(deadline - clock_.steady());
  auto has_another = [&] { return leases_.holder(kRoomOut.name, partition).value_or(instance) != instance; };
  auto reply = co_await bus_.request(subject_of(instance), std::move(command),
                                     std::clamp(left, milliseconds(1), kPatience), has_another);
  if (!reply) co_return Result<EventId>(std::unexpected(std::move(reply).error()));
  auto answer = decode_answer(*reply);
  if (!answer) co_return Result<EventId>(std::unexpected(std::move(answer).error()));
  co_return *std::move(answer);
}

Task<Answer> RoutedCommands::answer_here(Command command) {
  Result<EventId> result = fail(Code::kInternal);
  if (auto* send = std::get_if<SendEvent>(&command)) result = co_await owner_.send(std::move(*send));
  if (auto* join = std::get_if<JoinRoom>(&command)) result = co_await owner_.join(std::move(*join));
  if (auto* change = std::get_if<ChangeMembership>(&command))
    result = co_await owner_.change_membership(std::move(*change));
  if (!result && result.error().code == Code::kFenced) co_return Moved{};
  co_return result;
}

Task<std::string> RoutedCommands::answer(std::string payload) {
  auto command = decode_command(payload);
  if (!command) co_return encode(Answer(Result<EventId>(std::unexpected(std::move(command).error()))));
  co_return encode(co_await answer_here(*std::move(command)));
}

}  // namespace myelin::rooms
