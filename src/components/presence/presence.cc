#include "components/presence/presence.h"

#include <algorithm>

#include "base/bytes.h"
#include "components/presence/receipts.h"
#include "components/presence/statuses.h"
#include "components/presence/typing.h"

namespace myelin::presence {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kShortest{1'000}, kLongest{120'000};
constexpr milliseconds kRenewal{1'000};  // a time-out that moves by less is not worth a notice to other processes
constexpr const char* kHint = "typing";
constexpr const char* kStatusHint = "presence";
constexpr std::chrono::seconds kStatusCheck{5};

// To the other processes: who types where, and for how long from now on.
struct TypingHint {
  uint64_t process = 0;
  std::string room, user;
  uint64_t timeout_ms = 0;  // 0: stopped
};

std::string encode(const TypingHint& hint) {
  std::string out;
  append_varint(out, hint.process);
  append_string(out, hint.room);
  append_string(out, hint.user);
  append_varint(out, hint.timeout_ms);
  return out;
}

std::optional<TypingHint> decode(std::string_view in) {
  auto process = read_varint(in);
  auto room = read_string(in), user = read_string(in);
  auto timeout = read_varint(in);
  if (!process || !room || !user || !timeout) return std::nullopt;
  return TypingHint{*process, std::string(*room), std::string(*user), *timeout};
}

class PresenceImpl final : public Presence {
 public:
  PresenceImpl(db::Database& db, bus::Bus& bus, accounts::Accounts& accounts, rooms::Queries& rooms, Executor loop,
               const Clock& clock, Random& random)
      : bus_(bus),
        rooms_(rooms),
        clock_(clock),
        process_(random.next()),
        typing_(clock),
        statuses_(clock),
        receipts_(db, accounts, rooms, clock),
        changed_(loop),
        tasks_(loop) {
    bus_.on_hint(kHint, [this](std::string payload) { heard(payload); });
    bus_.on_hint(kStatusHint, [this](std::string payload) { heard_status(payload); });
  }

  void set_status(UserId user, State state, std::optional<std::string> message) override {
    if (statuses_.set(user, state, std::move(message))) tell(user);
  }
  void seen(UserId user, State state, milliseconds stay) override {
    if (statuses_.seen(user, state, stay)) tell(user);
  }
  std::optional<Status> status(const UserId& user) const override { return statuses_.find(user); }
  void on_status_changed(std::function<void(UserId)> listener) override { status_listener_ = std::move(listener); }

  Task<Result<void>> set_typing(RoomId room, UserId user, bool typing, milliseconds timeout) override {
    MYELIN_CO_TRY(auto membership, co_await rooms_.membership(room, user));
    if (!membership || membership->membership != rooms::Membership::kJoin)
      co_return fail(Code::kForbidden, "only who is joined to the room can type in it");
    timeout = std::clamp(timeout, kShortest, kLongest);
    auto before = typing_.until(room, user), until = std::optional(clock_.steady() + timeout);
    bool news = typing ? !before || *until - *before >= kRenewal || *before - *until >= kRenewal : before.has_value();
    if (!news) co_return Result<void>{};
    bus_.hint(kHint, encode({process_, room.str(), user.str(), typing ? static_cast<uint64_t>(timeout.count()) : 0}));
    apply(room, user, typing ? until : std::nullopt);
    co_return Result<void>{};
  }

  void left(const RoomId& room, const UserId& user) override {
    if (!typing_.until(room, user)) return;
    bus_.hint(kHint, encode({process_, room.str(), user.str(), 0}));
    apply(room, user, std::nullopt);
  }

  std::vector<UserId> typing_now(const RoomId& room) const override { return typing_.now(room); }
  void on_typing_changed(std::function<void(RoomId)> listener) override { listener_ = std::move(listener); }

  Task<Result<void>> receipt(RoomId room, UserId user, std::string type, EventId event, std::string thread) override {
    return receipts_.receipt(std::move(room), std::move(user), std::move(type), std::move(event), std::move(thread));
  }
  Task<Result<void>> fully_read(RoomId room, UserId user, EventId event) override {
    return receipts_.fully_read(std::move(room), std::move(user), std::move(event));
  }

  Task<Result<void>> start() override {
    tasks_.supervise("presence: typing expiry", [this] { return expire(); });
    tasks_.supervise("presence: status expiry", [this] { return expire_statuses(); });
    co_return Result<void>{};
  }
  Task<> stop() override {
    tasks_.cancel();
    co_await tasks_.join();
  }

 private:
  // A status of this process has changed: for clients here and on the other processes.
  void tell(const UserId& user) {
    auto status = statuses_.find(user);
    if (!status) return;
    std::string out;
    append_varint(out, process_);
    append_string(out, user.str());
    append_string(out, to_string(status->state));
    append_string(out, status->message.value_or(""));
    bus_.hint(kStatusHint, std::move(out));
    if (status_listener_) status_listener_(user);
  }

  void heard_status(std::string_view in) {
    auto process = read_varint(in);
    auto user = read_string(in), state = read_string(in), message = read_string(in);
    if (!process || *process == process_ || !user || !state || !message) return;
    auto known = state_from(*state);
    if (!known) return;
    auto id = UserId::trusted(std::string(*user));
    std::optional<std::string> said;
    if (!message->empty()) said = *message;
    if (statuses_.told(id, *known, std::move(said)) && status_listener_) status_listener_(id);
  }

  Task<> expire_statuses() {
    while (true) {
      co_await sleep_for(kStatusCheck);
      for (const auto& user : statuses_.expire()) tell(user);
    }
  }

  void heard(const std::string& payload) {
    auto hint = decode(payload);
    if (!hint || hint->process == process_) return;
    auto timeout = std::min(milliseconds(hint->timeout_ms), kLongest);
    std::optional<steady_clock::time_point> until;
    if (hint->timeout_ms > 0) until = clock_.steady() + timeout;
    apply(RoomId::trusted(hint->room), UserId::trusted(hint->user), until);
  }

  void apply(const RoomId& room, const UserId& user, std::optional<steady_clock::time_point> until) {
    bool changed = until ? typing_.start(room, user, *until) : typing_.stop(room, user);
    changed_.ring();
    if (changed && listener_) listener_(room);
  }

  Task<> expire() {
    while (true) {
      auto generation = changed_.generation();
      for (auto& room : typing_.expire())
        if (listener_) listener_(std::move(room));
      auto next = typing_.next_expiry();
      co_await changed_.wait(generation, next.value_or(clock_.steady() + std::chrono::hours(1)));
    }
  }

  bus::Bus& bus_;
  rooms::Queries& rooms_;
  const Clock& clock_;
  uint64_t process_;
  Typing typing_;
  Statuses statuses_;
  Receipts receipts_;
  std::function<void(RoomId)> listener_;
  std::function<void(UserId)> status_listener_;
  Doorbell changed_;
  TaskSet tasks_;
};

}  // namespace

std::unique_ptr<Presence> make_presence(db::Database& db, bus::Bus& bus, accounts::Accounts& accounts,
                                        rooms::Rooms& rooms, Executor loop, const Clock& clock, Random& random) {
  return std::make_unique<PresenceImpl>(db, bus, accounts, rooms.queries(), loop, clock, random);
}

}  // namespace myelin::presence
