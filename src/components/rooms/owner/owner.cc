#include "components/rooms/owner/owner.h"

#include <ranges>

#include "base/fault.h"
#include "base/log.h"

namespace myelin::rooms {
namespace {

constexpr auto kDeadline = std::chrono::seconds(10);  // of one command
constexpr int kAttempts = 50;                         // on a room that others change meanwhile
constexpr int kRounds = 64;                           // of fetching what a step lacks
constexpr int64_t kRoomNumberBlock = 256;
constexpr size_t kMaxRoomBytes = 4u << 20;  // what one room may hold on to
constexpr size_t kDoneBytes = 1u << 20;     // of transactions remembered

std::unexpected<Error> not_ours() { return fail(Code::kFenced, "the room has another owner"); }

}  // namespace

Owner::Owner(Config config, db::Database& db, PageCache& pages, Executor loop, const Clock& clock, Random& random,
             const SigningKey& key, const FingerprintKey& fingerprint_key, const lease::Leases& leases)
    : config_(config),
      db_(db),
      pages_(pages),
      loop_(loop),
      clock_(clock),
      random_(random),
      fingerprint_key_(fingerprint_key),
      loader_(db, pages, loop),
      stager_(config.server_name, key, fingerprint_key, clock),
      leases_(leases),
      rooms_("rooms", config.cache_bytes / 2),
      once_(loop, clock, kDoneBytes, db.is_sqlite()),
      // Version numbers never repeat: another process or a former life of this one cannot have used these.
      last_version_(static_cast<int64_t>(random.next() >> 2)) {}

// ---- partitions

std::optional<db::Fence> Owner::fence(const RoomId& room) const { return fence(bus::partition_of(room.str())); }

std::optional<db::Fence> Owner::fence(uint32_t partition) const {
  if (going_[partition]) return std::nullopt;
  return leases_.fence(kRoomOut.name, partition);
}

bool Owner::is_ours_since(const std::optional<db::Fence>& then) const {
  auto now = then ? fence(then->partition) : std::nullopt;
  return now && now->epoch == then->epoch;
}

void Owner::taken(uint32_t partition) { going_.reset(partition); }

Task<> Owner::let_go(uint32_t partition) {
  going_.set(partition);
  std::vector<RoomStatePtr> rooms;
  rooms_.for_each([&](const std::string& id, RoomStatePtr& room) {
    if (bus::partition_of(id) == partition) rooms.push_back(room);
  });
  for (auto& room : rooms) (void)co_await settled(room);
}

void Owner::lost(uint32_t partition) {
  going_.reset(partition);
  rooms_.erase_if([&](const std::string& id, RoomStatePtr& room) {
    if (bus::partition_of(id) != partition) return false;
    room->broken = true;
    return true;
  });
}

// ---- rooms in memory

Task<Result<RoomStatePtr>> Owner::room(RoomId id) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto mine = fence(id);
    if (!mine) co_return not_ours();
    if (auto* known = rooms_.find(id.str())) {
      auto room = *known;
      if (!room->broken) co_return room;
      // What was built on the failed write fails too; then the room is read again.
      (void)co_await settled(room);
      if (auto* now = rooms_.find(id.str()); now != nullptr && *now == room) rooms_.erase(id.str());
      continue;
    }
    if (auto it = loading_.find(id.str()); it != loading_.end()) {
      auto bell = it->second;
      co_await bell->wait(0, clock_.steady() + kDeadline);
      continue;
    }
    struct Loading {
      Owner* owner;
      std::string id;
      std::shared_ptr<Doorbell> bell;
      ~Loading() {
        owner->loading_.erase(id);
        bell->ring();
      }
    } loading{this, id.str(), std::make_shared<Doorbell>(loop_)};
    loading_[id.str()] = loading.bell;
    auto loaded = co_await loader_.load(id);
    if (!loaded) co_return std::unexpected(std::move(loaded).error());
    // Read while the partition went or came: another process may have written since.
    if (!is_ours_since(mine)) continue;
    rooms_.put(id.str(), *loaded, (*loaded)->bytes());
    co_return *loaded;
  }
  co_return fail(Code::kUnavailable, "the room cannot be read");
}

Task<Result<EventPtr>> Owner::state_event(RoomStatePtr room, std::string type, std::string key) {
  for (int round = 0; round < kRounds; ++round) {
    Look look(*room);
    auto event = look.event(type, key);
    if (!look.lacks()) co_return event;
    MYELIN_CO_CHECK(co_await loader_.fetch(room, look.take()));
  }
  co_return fail(Code::kInternal, "a room's state cannot be brought into memory");
}

// A room grows while it is in use: the cache learns of it, and a big one lets go of what can be read again.
void Owner::weigh(const RoomStatePtr& room) {
  if (room->bytes() > kMaxRoomBytes) room->trim();
  if (auto* known = rooms_.find(room->room.str()); known != nullptr && *known == room)
    rooms_.put(room->room.str(), room, room->bytes());
}

Task<Result<void>> Owner::settled(RoomStatePtr room) {
  auto since = room->begun;
  while (!room->is_settled(since)) {
    auto seen = room->settled.generation();
    if (!co_await room->settled.wait(seen, clock_.steady() + kDeadline))
      co_return fail(Code::kTimeout, "the database does not answer");
  }
  if (room->broken) co_return fail(Code::kStale, "the room is read again");
  co_return Result<void>{};
}

// What is answered without a write has no version that the database compares (rule A1). A COMMIT of unknown result can
// have been done after the room was read again, and then memory does not know of it.
Task<Result<void>> Owner::confirmed(RoomStatePtr room) {
  const auto before = room->begun;
  while (true) {
    const auto since = room->begun;
    MYELIN_CO_CHECK(co_await settled(room));
    if (since != before) co_return Result<void>{};  // what was written meanwhile has been compared
    if (room->begun != since) continue;
    MYELIN_CO_TRY(auto version, co_await db_.read([room_no = room->room_no](db::ReadTx& tx) {
      return tx.one(
          "SELECT version_no FROM room WHERE room_no = $1", [](const db::Row& row) { return row.i64(0); }, room_no);
    }));
    if (room->begun != since) continue;
    if (version == room->version_no) co_return Result<void>{};
    room->broken = true;
    co_return fail(Code::kStale, "the room is read again");
  }
}

// ---- writing

Task<Result<void>> Owner::write(RoomStatePtr room, StagedWrite staged, std::optional<db::Fence> fence) {
  struct Flight {
    RoomStatePtr room;
    bool done = false;
    explicit Flight(RoomStatePtr r) : room(std::move(r)) { ++room->begun; }
    ~Flight() {
      if (!done) room->broken = true;
      ++room->ended;
      room->settled.ring();
    }
  };
  Result<void> status;
  std::shared_ptr<const StagedWrite> shared;
  {
    Flight flight(room);
    auto partition = bus::partition_of(staged.room.str());
    shared = std::make_shared<const StagedWrite>(std::move(staged));
    status = co_await db_.write({partition, fence}, [shared](db::Tx& tx) { return store(tx, *shared); });
    flight.done = status.has_value();
  }
  if (!status) co_return status;
  weigh(room);
  on_written(*shared, is_ours_since(fence));
  co_return status;
}

// Between a step that lacks nothing and the lane's queue nothing else runs: so writes are queued in the order in which
// they are built on each other.
Task<Result<std::variant<StagedWrite, EventId>>> Owner::build(RoomStatePtr room, const Plan& plan) {
  using Out = std::variant<StagedWrite, EventId>;
  for (int round = 0; round < kRounds; ++round) {
    while (room->merging) {
      auto seen = room->settled.generation();
      co_await room->settled.wait(seen, clock_.steady() + kDeadline);
    }
    if (room->broken) co_return fail(Code::kStale, "the room is read again");
    auto step = plan(*room);
    if (step && std::holds_alternative<EventId>(*step)) co_return Out(std::get<EventId>(std::move(*step)));
    if (!step) co_return std::unexpected(std::move(step).error());
    Missing missing;
    if (auto* draft = std::get_if<Draft>(&*step)) {
      MYELIN_CO_TRY(auto staged, stager_.stage(*room, std::move(*draft)));
      if (auto* event = std::get_if<StagedEvent>(&staged)) {
        StagedWrite out{room->room_no,    room->room,     room->rules, false,
                        room->version_no, next_version(), room->head,  {}};
        room->version_no = out.version_no;
        out.events.push_back(std::move(*event));
        co_return Out(std::move(out));
      }
      missing = std::get<Missing>(std::move(staged));
    } else {
      missing = std::get<Missing>(std::move(*step));
    }
    MYELIN_CO_CHECK(co_await loader_.fetch(room, std::move(missing)));
  }
  co_return fail(Code::kInternal, "a room's state cannot be brought into memory");
}

Task<Result<EventId>> Owner::append(RoomId id, Plan plan, Name name) {
  struct Ready {
    static Task<Result<Plan>> of(Plan plan) { co_return plan; }
  };
  return append(std::move(id), Planning([plan = std::move(plan)] { return Ready::of(plan); }), std::move(name));
}

Task<Result<EventId>> Owner::append(RoomId id, Planning planning, Name name) {
  auto deadline = clock_.steady() + kDeadline;
  for (int attempt = 0; clock_.steady() < deadline; ++attempt) {
    // Storing finds out whether the command was done before. What failed to be stored looks; and what is not stored.
    if (attempt > 0) {
      MYELIN_CO_TRY(auto before, co_await done_before(name));
      if (before) co_return *before;
    }
    MYELIN_CO_TRY(auto room, co_await this->room(id));
    MYELIN_CO_TRY(auto plan, co_await planning());
    auto built = co_await build(room, plan);
    auto* staged = built ? std::get_if<StagedWrite>(&*built) : nullptr;
    if (staged == nullptr && attempt == 0) {
      MYELIN_CO_TRY(auto before, co_await done_before(name));
      if (before) co_return *before;
    }
    Result<void> status;
    std::optional<Redacts> redacted;
    Result<EventId> answer = fail(Code::kInternal);
    if (staged != nullptr) {
      const auto& event = staged->events.front();
      answer = event.event->event_id();
      redacted = event.redacts;
      if (!name.transaction) staged->command = name.command;
      auto fence = this->fence(id);
      status = not_ours();
      if (fence)
        status = co_await write(room, std::move(*staged), fence);
      else
        room->broken = true;  // it stands on an event that nobody stores
    } else {
      // A refusal, or an answer that stands already.
      if (built)
        answer = std::get<EventId>(*built);
      else
        answer = std::unexpected(built.error());
      status = co_await confirmed(room);
      if (status && !answer && answer.error().code == Code::kStale) status = std::unexpected(answer.error());
      if (!fence(id)) status = not_ours();
    }
    if (status) {
      if (redacted) on_redacted(*redacted);
      co_return answer;
    }
    if (status.error().code != Code::kStale) co_return std::unexpected(std::move(status).error());
  }
  co_return fail(Code::kUnavailable, "the room changes too fast");
}

Task<Result<uint32_t>> Owner::new_room_number() {
  if (next_room_no_ == room_numbers_end_) {
    MYELIN_CO_TRY(auto end, co_await db_.write({}, [](db::Tx& tx) {
      return tx
          .one(
              "UPDATE room_number SET next = next + $1 WHERE id = 1 RETURNING next",
              [](const db::Row& row) { return row.i64(0); }, kRoomNumberBlock)
          .value();
    }));
    if (next_room_no_ == room_numbers_end_) {  // nobody else fetched a block meanwhile
      next_room_no_ = static_cast<uint32_t>(end - kRoomNumberBlock);
      room_numbers_end_ = static_cast<uint32_t>(end);
    }
  }
  co_return next_room_no_++;
}

// ---- commands

Task<Result<std::optional<EventId>>> Owner::done_before(Name name) {
  if (name.empty()) co_return std::nullopt;
  co_return co_await db_.read([name](db::ReadTx& tx) {
    auto event_id = [](const db::Row& row) { return EventId::trusted(row.str(0)); };
    if (!name.transaction) return tx.one("SELECT event_id FROM command WHERE id = $1", event_id, name.command);
    const auto& transaction = *name.transaction;
    return tx.one("SELECT event_id FROM txn WHERE user_id = $1 AND device_id = $2 AND path = $3 AND txn_id = $4",
                  event_id, transaction.user.str(), transaction.device.str(), transaction.path, transaction.id);
  });
}

Task<Result<EventId>> Owner::send(SendEvent request) {
  Name name{request.transaction, request.command};
  co_return co_await once_.run(std::move(name), send_in_turn(std::move(request)));
}

Task<Result<RoomId>> Owner::create(CreateRoom request) {
  const auto* rules = find_room_version(request.version);
  if (rules == nullptr)
    co_return fail(Code::kUnsupportedRoomVersion, "room version " + request.version + " is not supported");
  for (const auto& user : request.invite) MYELIN_CO_CHECK(check_invitable(user));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto made = co_await create_once(request, *rules);
    bool is_to_be_tried_again = !made && (made.error().code == Code::kStale || made.error().code == Code::kFenced);
    if (!is_to_be_tried_again) co_return made;
  }
  co_return fail(Code::kUnavailable, "the room cannot be made at the moment");
}

Task<Result<RoomId>> Owner::create_once(const CreateRoom& request, const RoomRules& rules) {
  MYELIN_CO_TRY(auto drafts, new_room_drafts(request, rules));
  MYELIN_CO_TRY(auto room_no, co_await new_room_number());
  MYELIN_CO_TRY(auto begun, begin_own_room(drafts.front(), rules, room_no));
  auto& room = begun.room;
  StagedWrite all{room_no, room->room, &rules, true, 0, next_version(), {}, {}};
  room->version_no = all.version_no;
  all.events.push_back(std::move(begun.create));
  for (auto& draft : drafts | std::views::drop(1)) {
    auto type = draft.type;
    draft.ts = last_creation_;
    auto staged = stager_.stage(*room, std::move(draft));
    if (!staged && staged.error().code == Code::kForbidden)
      co_return fail(Code::kInvalidRoomState, type + ": " + staged.error().message);
    if (!staged) co_return std::unexpected(std::move(staged).error());
    all.events.push_back(std::get<StagedEvent>(std::move(*staged)));  // a new room is wholly in memory
  }
  all.head = room->head;
  auto owned = fence(room->room);
  MYELIN_CO_CHECK(co_await write(room, std::move(all), owned));
  if (is_ours_since(owned)) rooms_.put(room->room.str(), room, room->bytes());
  co_return room->room;
}

// Written where this process owns any partition, a room is in one of those: its head is the fence then, and no head
// that another process holds while it wants one of ours (rule A2). Of n processes, it takes n attempts.
Result<Owner::Beginning> Owner::begin_own_room(const Draft& create, const RoomRules& rules, uint32_t room_no) {
  constexpr int kMost = 1'000;
  bool owns_some = false;
  for (uint32_t p = 0; p < bus::kPartitions && !owns_some; ++p) owns_some = fence(p).has_value();
  auto begun = begin_room(create, rules, room_no);
  for (int i = 0; i < kMost && owns_some && begun && !fence(begun->room->room); ++i)
    begun = begin_room(create, rules, room_no);
  return begun;
}

Result<Owner::Beginning> Owner::begin_room(const Draft& create, const RoomRules& rules, uint32_t room_no) {
  auto room = std::make_shared<RoomState>(loop_);
  room->room_no = room_no;
  room->rules = &rules;
  room->knows_everything();
  if (rules.format.create_has_room_id) {
    MYELIN_TRY(room->room, RoomId::make(random_.token(18), config_.server_name));
  }
  auto draft = create;
  // Where the id is the hash of the create event, two rooms of one creator differ by nothing but their time.
  draft.ts = last_creation_ = std::max(last_creation_ + 1, clock_.now());
  auto staged = stager_.stage(*room, std::move(draft));
  if (!staged && staged.error().code == Code::kForbidden)
    return fail(Code::kInvalidRoomState, "m.room.create: " + staged.error().message);
  if (!staged) return std::unexpected(std::move(staged).error());
  auto event = std::get<StagedEvent>(std::move(*staged));
  room->room = event.event->room_id();
  return Beginning{std::move(room), std::move(event)};
}

Task<Result<void>> Owner::forget_device(UserId user, DeviceId device) {
  once_.forget_done();
  co_return co_await db_.write({.lane = bus::hash_of(user.str())}, [user, device](db::Tx& tx) {
    tx.exec("DELETE FROM txn WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
  });
}

Task<Result<void>> Owner::erase(UserId user, Milliseconds at) {
  MYELIN_CO_CHECK(co_await db_.write({.lane = bus::hash_of(user.str())}, [user, at](db::Tx& tx) {
    tx.exec("INSERT INTO erased_user (user_id, erased_at) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING", user.str(),
            at);
  }));
  on_erased(user, at);
  co_return Result<void>{};
}

Task<Result<void>> Owner::forget(RoomId id, UserId user) {
  co_return co_await db_.write({.lane = bus::partition_of(id.str())}, [id, user](db::Tx& tx) -> Result<void> {
    struct Row {
      int64_t room_no;
      Membership membership;
    };
    auto row = tx.one(
        "SELECT m.room_no, m.membership FROM member m JOIN room r ON r.room_no = m.room_no "
        "WHERE m.user_id = $1 AND r.room_id = $2",
        [](const db::Row& r) { return Row{r.i64(0), static_cast<Membership>(r.i64(1))}; }, user.str(), id.str());
    if (!row) return fail(Code::kUnknown, "you have never been in this room");
    if (row->membership != Membership::kLeave && row->membership != Membership::kBan)
      return fail(Code::kUnknown, "leave the room before forgetting it");
    tx.exec("UPDATE member SET forgotten = 1 WHERE user_id = $1 AND room_no = $2", user.str(), row->room_no);
    return {};
  });
}

}  // namespace myelin::rooms
