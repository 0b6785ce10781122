#include "components/rooms/owner/owner.h"

#include "base/bytes.h"
#include "matrix/power_levels.h"

namespace myelin::rooms {
namespace {
constexpr auto kDeadline = std::chrono::seconds(10);  // of one command
constexpr uint32_t kRoomNumberBlock = 256;

std::string key_of(const Transaction& transaction) {
  std::string key;
  for (const auto* part : {&transaction.user.str(), &transaction.device.str(), &transaction.path, &transaction.id})
    append_string(key, *part);
  return key;
}

size_t weight(const RoomState& room) {
  size_t bytes = 4096 + room.keys.memory_bytes() + room.pages.size() * 512;
  for (const auto& [number, event] : room.state_events) bytes += event->memory_bytes();
  return bytes;
}

bool may_be_repeated(Code code) { return code == Code::kStale || code == Code::kUnavailable; }
}  // namespace

Owner::Owner(Config config, db::Database& db, Executor loop, const Clock& clock, Random& random, const SigningKey& key,
             const FingerprintKey& fingerprint_key)
    : config_(config),
      db_(db),
      loop_(loop),
      clock_(clock),
      random_(random),
      key_(key),
      fingerprint_key_(fingerprint_key),
      loader_(db, loop),
      stager_(config.server_name, key, fingerprint_key, clock),
      rooms_("rooms", config.cache_bytes / 2) {}

Task<Result<void>> Owner::start() {
  MYELIN_CO_TRY(lease_, co_await lease::Owner::take_all(db_, clock_, kRoomOut.name, random_.token(12)));
  // Version numbers never repeat: another process or a former life of this one cannot have used these.
  last_version_ = static_cast<int64_t>(random_.next() >> 2);
  co_return Result<void>{};
}

// ---- rooms in memory

Task<Result<RoomStatePtr>> Owner::room(RoomId id) {
  while (true) {
    if (auto* known = rooms_.find(id.str())) {
      auto room = *known;
      if (!room->broken) co_return room;
      // What was built on the failed write fails too; then the room is read again.
      while (room->in_flight > 0) {
        auto seen = room->settled.generation();
        if (room->in_flight > 0) co_await room->settled.wait(seen, clock_.steady() + kDeadline);
      }
      if (auto* now = rooms_.find(id.str()); now != nullptr && *now == room) rooms_.erase(id.str());
      continue;
    }
    if (auto it = loading_.find(id.str()); it != loading_.end()) {
      auto bell = it->second;
      co_await bell->wait(0, clock_.steady() + kDeadline);
      continue;
    }
    auto bell = std::make_shared<Doorbell>(loop_);
    loading_[id.str()] = bell;
    auto loaded = co_await loader_.load(id);
    loading_.erase(id.str());
    bell->ring();
    if (!loaded) co_return std::unexpected(std::move(loaded).error());
    rooms_.put(id.str(), *loaded, weight(**loaded));
    co_return *loaded;
  }
}

void Owner::note_failure(const RoomStatePtr& room) { room->broken = true; }

Task<Result<EventPtr>> Owner::state_event(RoomStatePtr room, std::string type, std::string key) {
  co_return co_await loader_.complete<EventPtr>(room, [room, type, key] { return Stager::state_event(*room, type, key); });
}

// ---- writing

Task<Result<void>> Owner::write(StagedWrite staged) {
  auto partition = bus::partition_of(staged.room.str());
  auto shared = std::make_shared<const StagedWrite>(std::move(staged));
  co_return co_await db_.write({partition, lease_->fence(partition)}, [shared](db::Tx& tx) { return store(tx, *shared); });
}

Task<Result<EventId>> Owner::append(RoomId id, Make make) {
  auto deadline = clock_.steady() + kDeadline;
  while (true) {
    MYELIN_CO_TRY(auto state, co_await room(id));
    MYELIN_CO_TRY(auto made, co_await make(state));
    if (auto* existing = std::get_if<EventId>(&made)) co_return *existing;
    auto draft = std::make_shared<Draft>(std::move(std::get<Draft>(made)));
    int64_t built_on = 0;
    // Between a stage that lacks nothing and the queue of the lane nothing else runs: the room moves one step.
    auto staged = co_await loader_.complete<StagedEvent>(state, [this, state, draft, &built_on]() -> Result<std::variant<StagedEvent, Missing>> {
      if (state->broken) return fail(Code::kStale, "the room is being read again");
      built_on = state->version_no;
      auto out = stager_.stage(*state, *draft);
      if (out && std::holds_alternative<StagedEvent>(*out)) {
        state->version_no = next_version();
        ++state->in_flight;
      }
      return out;
    });
    if (!staged && may_be_repeated(staged.error().code) && clock_.steady() < deadline) continue;
    if (!staged) co_return std::unexpected(std::move(staged).error());
    StagedWrite all{state->room_no, state->room, state->rules, false, built_on, state->version_no, state->head, {}};
    auto event_id = staged->event->event_id();
    std::optional<EventRef> redacted;
    if (staged->redacts) redacted = EventRef{state->room_no, *staged->redacts};
    all.events.push_back(std::move(*staged));
    auto status = co_await write(std::move(all));
    if (!status) note_failure(state);
    if (--state->in_flight == 0) state->settled.ring();
    if (status) {
      if (redacted) on_redacted(*redacted);
      co_return event_id;
    }
    if (!may_be_repeated(status.error().code) || clock_.steady() >= deadline)
      co_return std::unexpected(std::move(status).error());
  }
}

Task<Result<uint32_t>> Owner::new_room_number() {
  if (next_room_no_ == room_numbers_end_) {
    MYELIN_CO_TRY(auto first, co_await db_.write({}, [](db::Tx& tx) {
      return tx.one("UPDATE room_number SET next = next + $1 WHERE id = 1 RETURNING next",
                    [](const db::Row& row) { return row.i64(0); }, kRoomNumberBlock)
                 .value() - kRoomNumberBlock;
    }));
    if (next_room_no_ == room_numbers_end_) {  // nobody else fetched a block meanwhile
      next_room_no_ = static_cast<uint32_t>(first);
      room_numbers_end_ = next_room_no_ + kRoomNumberBlock;
    }
  }
  co_return next_room_no_++;
}

// ---- send

Task<Result<std::optional<EventId>>> Owner::done_before(Transaction transaction) {
  co_return co_await db_.read([transaction](db::ReadTx& tx) {
    return tx.one("SELECT event_id FROM txn WHERE user_id = $1 AND device_id = $2 AND path = $3 AND txn_id = $4",
                  [](const db::Row& row) { return EventId::trusted(row.str(0)); }, transaction.user.str(),
                  transaction.device.str(), transaction.path, transaction.id);
  });
}

Task<Result<EventId>> Owner::send(SendEvent request) {
  auto make = [this, request](RoomStatePtr room) { return draft_send(std::move(room), request); };
  if (!request.transaction) co_return co_await append(request.room, make);

  auto key = key_of(*request.transaction);
  while (true) {
    auto it = transactions_.find(key);
    if (it == transactions_.end()) break;
    auto other = it->second;  // the same transaction is being done: join it
    auto seen = other->done.generation();
    if (!other->result) co_await other->done.wait(seen, clock_.steady() + kDeadline);
    if (!other->result) co_return fail(Code::kTimeout, "the same transaction is still being done");
    if (*other->result) co_return *other->result;
  }
  auto mine = std::make_shared<InFlight>(loop_);
  transactions_[key] = mine;
  struct Leave {
    std::map<std::string, std::shared_ptr<InFlight>>* all;
    std::string key;
    std::shared_ptr<InFlight> mine;
    ~Leave() {
      if (!mine->result) mine->result = fail(Code::kUnavailable, "the transaction was given up");
      all->erase(key);
      mine->done.ring();
    }
  } leave{&transactions_, key, mine};
  auto before = co_await done_before(*request.transaction);
  if (!before)
    mine->result = std::unexpected(before.error());
  else if (*before)
    mine->result = **before;
  else
    mine->result = co_await append(request.room, make);
  co_return *mine->result;
}

Task<Result<std::variant<Draft, EventId>>> Owner::draft_send(RoomStatePtr room, SendEvent request) {
  using Out = std::variant<Draft, EventId>;
  Draft draft{request.sender, request.type, request.state_key, request.content, request.redacts, {}, request.transaction};
  if (request.state_key) {
    // Setting state to what it is already answers with the event that did (as clients expect of a PUT).
    MYELIN_CO_TRY(auto current, co_await state_event(room, request.type, *request.state_key));
    if (current && current->sender() == request.sender && current->content() == request.content) {
      MYELIN_CO_TRY(auto member, co_await state_event(room, "m.room.member", request.sender.str()));
      if (member && json::string_at(member->content(), "membership") == "join") co_return Out(current->event_id());
    }
  }
  if (request.redacts) {
    struct Target {
      uint32_t event_no;
      std::string sender;
    };
    MYELIN_CO_TRY(auto target, co_await db_.read([id = *request.redacts, room_no = room->room_no](db::ReadTx& tx) {
      return tx.one("SELECT ref, json FROM event WHERE event_id = $1 AND room_no = $2",
                    [](const db::Row& row) {
                      auto pdu = json::parse_object(row.blob(1));
                      return Target{EventRef::from_row(row.i64(0)).event,
                                    pdu ? std::string(json::string_at(*pdu, "sender").value_or("")) : std::string()};
                    },
                    id.str(), room_no);
    }));
    if (!target) co_return fail(Code::kNotFound, "the event to redact is not in this room");
    if (target->sender != request.sender.str()) {
      MYELIN_CO_TRY(auto create, co_await state_event(room, "m.room.create", ""));
      MYELIN_CO_TRY(auto levels, co_await state_event(room, "m.room.power_levels", ""));
      PowerLevels power(*room->rules, levels.get(), create.get());
      if (power.user_level(request.sender.str()) < power.redact())
        co_return fail(Code::kForbidden, "redacting others' events needs the room's redact level");
    }
    draft.redacts_no = target->event_no;
  }
  co_return Out(std::move(draft));
}

// ---- create

Task<Result<RoomId>> Owner::create(CreateRoom request) {
  const auto* rules = find_room_version(request.version);
  if (rules == nullptr) co_return fail(Code::kUnsupportedRoomVersion, "room version " + request.version + " is not supported");
  MYELIN_CO_TRY(auto content, creation_content(request, *rules));
  MYELIN_CO_TRY(auto drafts, new_room_drafts(request, *rules));
  auto room = std::make_shared<RoomState>(loop_);
  MYELIN_CO_TRY(room->room_no, co_await new_room_number());
  room->rules = rules;
  if (rules->format.create_has_room_id) room->room = RoomId::trusted("!" + random_.token(18) + ":" + config_.server_name.str());
  drafts.insert(drafts.begin(), Draft{request.creator, "m.room.create", "", std::move(content)});

  StagedWrite all{room->room_no, {}, rules, true, 0, next_version(), {}, {}};
  room->version_no = all.version_no;
  for (const auto& draft : drafts) {
    auto staged = stager_.stage(*room, draft);  // the whole room is in memory: nothing can be missing
    if (!staged) co_return std::unexpected(std::move(staged).error());
    all.events.push_back(std::move(std::get<StagedEvent>(*staged)));
    if (draft.type == "m.room.create") room->room = all.events.back().event->room_id();
  }
  all.room = room->room;
  all.head = room->head;
  MYELIN_CO_CHECK(co_await write(std::move(all)));
  rooms_.put(room->room.str(), room, weight(*room));
  co_return room->room;
}

Task<Result<void>> Owner::forget(RoomId id, UserId user) {
  co_return co_await db_.write({bus::partition_of(id.str()), {}}, [id, user](db::Tx& tx) -> Result<void> {
    struct Row {
      int64_t room_no;
      Membership membership;
    };
    auto row = tx.one("SELECT m.room_no, m.membership FROM member m JOIN room r ON r.room_no = m.room_no "
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
