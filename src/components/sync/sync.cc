#include "components/sync/sync.h"

#include <boost/system/system_error.hpp>

#include "base/bytes.h"
#include "base/fault.h"
#include "components/accounts/user_out.h"
#include "components/sync/apply/room_apply.h"
#include "components/sync/apply/user_apply.h"
#include "components/sync/feed.h"
#include "components/sync/mailboxes.h"
#include "components/sync/notify_out.h"
#include "components/sync/own_writes.h"
#include "components/sync/presence_news.h"
#include "components/sync/typing.h"
#include "components/sync/v3/answer.h"
#include "components/sync/v3/snapshot.h"

namespace myelin::sync {
namespace {

constexpr size_t kSubscriberBytes = 16u << 20;  // of what memory knows about those who sync here
constexpr auto kPositionPoll = std::chrono::milliseconds(500);
constexpr const char* kNewsSubject = "sync.news";
constexpr size_t kMaxHint = 512 * 1024;              // beyond, its positions are missed and found out
constexpr auto kPatience = std::chrono::seconds(1);  // for hints of other processes
constexpr auto kCatchUp = std::chrono::seconds(5);   // how long a process may be behind a client's token

using std::chrono::steady_clock;

class SyncImpl final : public Sync {
 public:
  SyncImpl(ServerName name, db::Database& db, bus::Bus& bus, accounts::Accounts& accounts, keys::Keys& keys,
           presence::Presence& presence, rooms::Rooms& rooms, Executor loop, const Clock& clock, Random& random,
           Options options)
      : options_(options),
        db_(db),
        bus_(bus),
        clock_(clock),
        is_shared_(!db.is_sqlite()),
        process_(is_shared_ ? random.token(12) : ""),
        feed_(loop, kSubscriberBytes),
        own_writes_(loop),
        mailboxes_(db),
        judge_(name, db, accounts, rooms.queries()),
        room_apply_(name, rooms.queries(), judge_, [this](News news) { tell(news); }),
        user_apply_(name, accounts, judge_, [this](News news) { tell(news); }),
        typing_(presence, random, clock),
        statuses_(presence),
        presence_(presence, typing_, clock),
        answers_(db, accounts, keys, rooms.queries(), typing_, presence_, clock),
        tasks_(loop) {
    bus.declare({"sync", rooms::kRoomOut,
                 [this](std::vector<bus::Message> batch) { return room_apply_.apply(std::move(batch)); },
                 [](const bus::Message& message) {
                   auto decoded = rooms::decode_room_out(message.body);
                   return decoded ? decoded->room.str() : std::string();
                 },
                 [this] { judge_.forget_all(); }});
    bus.declare({"sync", accounts::kUserOut,
                 [this](std::vector<bus::Message> batch) { return user_apply_.apply(std::move(batch)); },
                 [](const bus::Message& message) {
                   auto decoded = accounts::decode_user_out(message.body);
                   return decoded ? decoded->user.str() : std::string();
                 }});
    if (is_shared_) bus_.on_hint(kNewsSubject, [this](std::string payload) { heard(payload); });
    presence.on_status_changed(
        [this](UserId user) { tasks_.spawn("sync: presence", presence_changed(std::move(user))); });
    presence.on_typing_changed([this](RoomId room) { tasks_.spawn("sync: typing", typing_changed(std::move(room))); });
    if (options_.own_writes.count() > 0) {
      rooms.on_written([this](const UserId& sender, uint32_t room_no, int64_t order) {
        own_writes_.written(sender, room_no, order);
      });
    }
    accounts.on_rules_changed([this] { judge_.rules_changed(); });
    rooms_ = &rooms.queries();
  }

  Task<Result<void>> start() override {
    MYELIN_CO_TRY(auto position, co_await read_position());
    feed_.jump(position);
    if (is_shared_) tasks_.supervise("sync: position poll", [this] { return poll_position(); });
    co_return Result<void>{};
  }

  void release() override {
    released_ = true;
    feed_.wake_all();
  }

  Task<> stop() override {
    stopping_ = true;
    tasks_.cancel();
    co_await tasks_.join();
  }

  Task<Result<std::string>> wait(SyncRequest request) override {
    auto now = clock_.steady();
    Poll poll{std::move(request), now, now};
    poll.deadline += poll.request.timeout;
    poll.patience += std::min<std::chrono::milliseconds>(poll.request.timeout, kPatience);
    MYELIN_CO_CHECK(co_await begin(poll));
    while (true) {
      MYELIN_CO_TRY(auto answer, co_await answer_now(poll));
      if (answer) co_return std::move(*answer);
      if (stopping_) co_return fail(Code::kUnavailable, "the server is stopping");
      crash_point("sync.waiter_registered");
      co_await poll.subscriber->bell.wait(poll.bell, next_look(poll));
    }
  }

  Task<Result<rooms::PageToken>> page_token(RoomId room, std::string sync_token) override {
    auto token = Token::parse(sync_token);
    if (!token) co_return fail(Code::kInvalidParam, "not a token of this server");
    MYELIN_CO_TRY(auto info, co_await rooms_->room(room));
    MYELIN_CO_TRY(auto place, co_await db_.read([room_no = info.room_no, pos = token->position](db::ReadTx& tx) {
      auto behind_last = tx.one(
          "SELECT depth, order_no FROM sync_timeline WHERE room_no = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1",
          [](const db::Row& row) { return rooms::PageToken{row.i64(0), row.i64(1) + 1, row.i64(1) + 1}; }, room_no,
          pos);
      if (behind_last) return behind_last;
      return tx.one(
          "SELECT depth, order_no FROM sync_timeline WHERE room_no = $1 ORDER BY pos LIMIT 1",
          [](const db::Row& row) { return rooms::PageToken{row.i64(0), row.i64(1), row.i64(1)}; }, room_no);
    }));
    if (!place) co_return co_await rooms_->live_end(info.room_no);
    co_return *place;
  }

  Task<Result<Badge>> badge(UserId user) override {
    co_return co_await db_.read([user](db::ReadTx& tx) {
      Badge badge;
      auto joined = tx.all(
          "SELECT room_no FROM sync_member WHERE user_id = $1 AND membership = $2",
          [](const db::Row& row) { return row.i64(0); }, user.str(), static_cast<int64_t>(rooms::Membership::kJoin));
      for (auto room_no : joined) badge.unread += total(read_unread(tx, user, room_no)).notify;
      return badge;
    });
  }

  Task<Result<std::string>> token_now() override {
    Token token;
    token.position = feed_.position();
    co_return token.str();
  }

  Task<Result<json::Object>> key_changes(UserId user, std::string from, std::string to) override {
    auto first = Token::parse(from), last = Token::parse(to);
    if (!first || !last) co_return fail(Code::kInvalidParam, "from and to must be tokens of /sync");
    MYELIN_CO_CHECK(co_await catch_up(last->position));
    MYELIN_CO_TRY(auto lists, co_await db_.read([user, since = first->position](db::ReadTx& tx) {
      return read_device_lists(tx, user, since);  // what changed after `to` is in it, too
    }));
    auto names = [](const std::set<std::string>& users) {
      json::Array out;
      for (const auto& name : users) out.emplace_back(name);
      return out;
    };
    co_return json::Object{{"changed", names(lists.changed)}, {"left", names(lists.left)}};
  }

 private:
  // A /sync under way. What is parked holds nothing else, and only small coroutine frames: they are most of its memory.
  struct Poll {
    SyncRequest request;
    std::chrono::steady_clock::time_point deadline;
    std::chrono::steady_clock::time_point patience;  // until then another process may be right about who types
    std::optional<Token> since{};
    std::optional<Filter> filter{};
    SubscriberPtr subscriber{};
    int64_t checked = -1;  // nothing for the client up to here
    uint64_t bell = 0;     // of the subscriber, from before the last look
  };

  Task<Result<void>> begin(Poll& poll) {
    co_await own_writes_.settle(poll.request.session.user, clock_.steady() + options_.own_writes);
    if (poll.request.since) {
      poll.since = Token::parse(*poll.request.since);
      if (!poll.since) co_return fail(Code::kInvalidParam, "since is not a token of this server");
      poll.checked = poll.since->position;
      typing_.heard_of(*poll.since);
      MYELIN_CO_CHECK(co_await catch_up(poll.since->position));
    }
    MYELIN_CO_TRY(poll.filter, answers_.parse_filter(poll.request.filter));
    co_return Result<void>{};
  }

  bool has_news(const Poll& poll) const {
    const auto& subscriber = *poll.subscriber;
    return !poll.since || poll.request.full_state || news_after(subscriber, poll.checked) ||
           typing_.news(subscriber, *poll.since) || presence_.news(subscriber, *poll.since) ||
           poll.since->to_device >= 0 || (has_waited(poll) && typing_.differs(subscriber, *poll.since));
  }
  bool has_waited(const Poll& poll) const { return is_over(poll) || clock_.steady() >= poll.patience; }
  std::chrono::steady_clock::time_point next_look(const Poll& poll) const {
    bool is_doubtful = !has_waited(poll) && typing_.differs(*poll.subscriber, *poll.since);
    return is_doubtful ? poll.patience : poll.deadline;
  }

  // The answer, if there is anything to say, or no time left.
  Task<Result<std::optional<std::string>>> answer_now(Poll& poll) {
    while (!poll.subscriber || poll.subscriber->stale) {  // it may become so meanwhile
      MYELIN_CO_TRY(poll.subscriber, co_await subscribe(poll.request.session.user));
      if (poll.since)
        MYELIN_CO_CHECK(
            co_await mailboxes_.acknowledge(poll.request.session, poll.since->to_device_position(), poll.subscriber));
    }
    poll.bell = poll.subscriber->bell.generation();
    if (has_news(poll)) {
      std::optional<ChangedRooms> changed;
      if (poll.since) changed = feed_.changed_rooms(*poll.subscriber, poll.since->position);
      MYELIN_CO_TRY(auto answer, co_await answers_.build(poll.request, *poll.filter, poll.since, std::move(changed),
                                                         *poll.subscriber));
      if (!poll.since || poll.request.full_state || !answer.empty || is_over(poll)) {
        crash_point("sync.response_lost");
        co_return std::move(answer.body);
      }
      poll.checked = answer.position;
    } else if (is_over(poll)) {
      co_return co_await answers_.nothing_new(poll.request, *poll.since, std::max(poll.checked, feed_.position()),
                                              *poll.subscriber);
    }
    co_return std::nullopt;
  }
  bool is_over(const Poll& poll) const { return released_ || clock_.steady() >= poll.deadline; }

  // ---- news

  void tell(const News& news) {
    take(news);
    if (!is_shared_) return;
    std::string payload;
    append_string(payload, process_);
    payload += encode(news);
    if (payload.size() <= kMaxHint) bus_.hint(kNewsSubject, std::move(payload));
  }
  void heard(std::string_view payload) {
    if (read_string(payload) == process_) return;
    auto news = decode_news(payload);
    if (news) take(*news);
  }
  void take(const News& news) {
    for (const auto& each : news.rooms) feed_.room_changed(each.room_no, each.pos);
    for (const auto& each : news.members)
      each.is_joined ? feed_.joined(each.user, each.room_no) : feed_.left(each.user, each.room_no);
    for (const auto& each : news.messages) feed_.message_sent(each.user, each.device, each.pos);
    for (const auto& each : news.users) feed_.user_changed(each.user, each.pos);
    feed_.complete(news.first, news.last);
    for (const auto& each : news.written) own_writes_.applied(each.user, each.room_no, each.order);
    for (const auto& each : news.gone) statuses_.left(each.room, each.user);
    if (news.new_rules) judge_.rules_changed();
  }

  Task<Result<int64_t>> read_position() {
    co_return co_await db_.read([](db::ReadTx& tx) {
      return tx.one("SELECT pos FROM sync_head WHERE id = 1", [](const db::Row& row) { return row.i64(0); })
          .value_or(0);
    });
  }

  // Where other processes write positions too, their wake-ups are hints and this is the promise (docs/spine.md, rule
  // B9): what is not known here a while after it was committed was written elsewhere. (On SQLite there is one process,
  // whose feed sees every commit.)
  Task<> poll_position() {
    int64_t seen = 0;
    while (true) {
      co_await sleep_for(kPositionPoll);
      if (seen > feed_.position()) own_writes_.forget_all();  // who knows whether they are in it
      feed_.jump(seen);
      if (auto position = co_await read_position()) seen = *position;
    }
  }

  // Waits until this process has applied `position`: it never answers with a lower token. A position was committed
  // before it was given out: what the database does not have is not waited for.
  Task<Result<void>> catch_up(int64_t position) {
    if (feed_.position() >= position) co_return Result<void>{};
    MYELIN_CO_TRY(auto committed, co_await read_position());
    if (committed < position) co_return fail(Code::kInvalidParam, "the token is from the future of this server");
    auto deadline = clock_.steady() + kCatchUp;
    while (feed_.position() < position) {
      auto generation = feed_.advanced().generation();
      if (clock_.steady() >= deadline) co_return fail(Code::kUnavailable, "this process is behind the token");
      co_await feed_.advanced().wait(generation, deadline);
    }
    co_return Result<void>{};
  }

  Task<Result<SubscriberPtr>> subscribe(UserId user) {
    while (true) {
      if (auto known = feed_.find(user)) co_return known;
      auto ticket = feed_.begin_load(user);
      MYELIN_CO_TRY(auto rooms, co_await db_.read([user](db::ReadTx& tx) {
        return tx.all(
            "SELECT room_no FROM sync_member WHERE user_id = $1 AND membership = $2",
            [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, user.str(),
            static_cast<int64_t>(rooms::Membership::kJoin));
      }));
      if (auto loaded = feed_.finish_load(user, ticket, std::move(rooms))) co_return loaded;
    }
  }

  static bool news_after(const Subscriber& subscriber, int64_t position) {
    return position < subscriber.known_from || subscriber.last_change > position;
  }

  // While the database is away, what it has to say is asked for again.
  template <class Ask>
  static auto insist(Ask ask) -> decltype(ask()) {
    while (true) {
      auto got = co_await ask();
      if (got || got.error().code != Code::kUnavailable) co_return got;
      co_await sleep_for(kPositionPoll);
    }
  }

  Task<> presence_changed(UserId user) {
    if (!changing_.insert(user.str()).second) co_return;
    auto memberships = co_await insist([&] { return rooms_->memberships(user); });
    changing_.erase(user.str());
    if (!memberships) co_return;
    std::vector<uint32_t> joined;
    for (const auto& entry : *memberships)
      if (entry.membership == rooms::Membership::kJoin) joined.push_back(entry.room_no);
    std::ranges::sort(joined);
    presence_.changed(user, joined);
    for (auto room_no : joined) feed_.typing_changed(room_no);
  }

  Task<> typing_changed(RoomId room) {
    if (!changing_.insert(room.str()).second) co_return;
    auto info = co_await insist([&] { return rooms_->room(room); });
    changing_.erase(room.str());
    if (!info) co_return;
    typing_.changed(info->room_no, room);
    feed_.typing_changed(info->room_no);
  }

  Options options_;
  db::Database& db_;
  bus::Bus& bus_;
  rooms::Queries* rooms_ = nullptr;
  const Clock& clock_;
  bool is_shared_;  // by several processes
  std::string process_;
  Feed feed_;
  OwnWrites own_writes_;
  Mailboxes mailboxes_;
  Judge judge_;
  RoomApply room_apply_;
  UserApply user_apply_;
  Typing typing_;
  presence::Presence& statuses_;
  PresenceNews presence_;
  Answers answers_;
  std::set<std::string> changing_;  // rooms where typing, users whose status has changed, that are being looked up
  TaskSet tasks_;
  bool released_ = false, stopping_ = false;
};

}  // namespace

std::unique_ptr<Sync> make_sync(ServerName name, db::Database& db, bus::Bus& bus, accounts::Accounts& accounts,
                                keys::Keys& keys, presence::Presence& presence, rooms::Rooms& rooms, Executor loop,
                                const Clock& clock, Random& random, Options options) {
  return std::make_unique<SyncImpl>(std::move(name), db, bus, accounts, keys, presence, rooms, loop, clock, random,
                                    options);
}

}  // namespace myelin::sync
