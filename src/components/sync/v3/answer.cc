#include "components/sync/v3/answer.h"

#include "base/fault.h"
#include "components/accounts/ignored_users.h"
#include "components/sync/v3/room_section.h"

namespace myelin::sync {
using rooms::Membership;

struct Answers::Context {
  SyncRequest request;
  Filter filter;
  std::optional<Token> since;
  const Subscriber& subscriber;
  Snapshot snapshot;
  std::shared_ptr<const std::set<std::string>> ignored_users;
  std::string join, invite, knock, leave;  // the members of those objects
  std::string account_data;
  bool empty = true;
};

Answers::Answers(db::Database& db, accounts::Accounts& accounts, keys::Keys& keys, rooms::Queries& rooms,
                 Typing& typing, PresenceNews& presence, const Clock& clock)
    : db_(db),
      accounts_(accounts),
      keys_(keys),
      rooms_(rooms),
      typing_(typing),
      presence_(presence),
      sections_(db, rooms, clock) {}

Result<Filter> Answers::parse_filter(const std::string& text) const {
  if (text.empty()) return Filter{};
  MYELIN_TRY(auto object, json::parse_object(text));
  return Filter::parse(object);
}

namespace {

void append_member(std::string& object, std::string_view key, std::string_view value) {
  if (!object.empty()) object += ',';
  append_quoted(object, key);
  object += ':';
  object += value;
}

std::string names(const std::set<std::string>& users) {
  json::Array out;
  for (const auto& user : users) out.emplace_back(user);
  return json::serialize(out);
}

}  // namespace

Task<Result<std::string>> Answers::key_counts(const accounts::Session& session) {
  MYELIN_CO_TRY(auto counts, co_await keys_.counts(session.user, session.device));
  counts.one_time.try_emplace("signed_curve25519", 0);  // clients upload when it is 0, and wait while it is absent
  json::Object one_time;
  for (const auto& [algorithm, count] : counts.one_time) one_time[algorithm] = count;
  json::Array fallback;
  for (const auto& algorithm : counts.unused_fallback) fallback.emplace_back(algorithm);
  co_return fmt::format(R"("device_one_time_keys_count":{},"device_unused_fallback_key_types":{})",
                        json::serialize(one_time), json::serialize(fallback));
}

Task<Result<std::string>> Answers::nothing_new(SyncRequest request, Token since, int64_t position,
                                               const Subscriber& subscriber) {
  since.position = std::max(since.position, position);
  typing_.mark(since, subscriber);
  MYELIN_CO_TRY(auto counts, co_await key_counts(request.session));
  co_return fmt::format(R"({{"next_batch":"{}",{}}})", since.str(), counts);
}

// The events of one account data section; `types` null = all.
Task<Result<std::string>> Answers::account_data(Context& context, std::optional<RoomId> room,
                                                const std::set<std::string>* types) {
  const auto& user = context.request.session.user;
  const auto& wanted = room ? context.filter.room_account_data() : context.filter.account_data();
  std::vector<std::string> events;
  auto add = [&events, &wanted](std::string_view type, std::string_view content) {
    if (!wanted.matches_type(type)) return;
    std::string event = R"({"type":)";
    append_quoted(event, type);
    events.push_back(event + R"(,"content":)" + std::string(content) + '}');
  };
  if (types == nullptr) {
    MYELIN_CO_TRY(auto items, co_await accounts_.all_account_data(user, room));
    for (const auto& item : items)
      if (room || item.type != "m.push_rules") add(item.type, item.content);
    if (!room) {
      MYELIN_CO_TRY(auto rules, co_await accounts_.push_rules(user));
      add("m.push_rules", json::serialize(*rules));
    }
  } else {
    for (const auto& type : *types) {
      auto content = co_await accounts_.account_data(user, room, type);
      if (content)
        add(type, *content);
      else if (content.error().code == Code::kNotFound)
        add(type, "{}");
      else
        co_return std::unexpected(content.error());
    }
  }
  if (events.empty()) co_return std::string();
  co_return events_section(events);
}

Viewpoint Answers::viewpoint(const Context& context, bool full_state) {
  return {context.request.session,         &context.filter,
          context.ignored_users,           full_state,
          context.request.use_state_after, context.since ? context.since->position : 0,
          context.snapshot.position};
}

Task<Result<std::string>> Answers::joined_room(Context& context, const RoomSnapshot& room, bool& empty) {
  auto view = viewpoint(context, context.request.full_state);
  MYELIN_CO_TRY(auto section, co_await sections_.history(room, view));
  empty = section.empty && !room.membership_changed;

  std::vector<std::string> ephemeral;
  const auto& wanted = context.filter.ephemeral();
  if (!room.receipts.empty() && wanted.matches_type("m.receipt")) ephemeral.push_back(receipts_event(room.receipts));
  auto since = room.is_new ? std::optional<Token>() : context.since;
  if (auto typing = typing_.event(room.room_no, room.room, context.subscriber, since);
      typing && wanted.matches_type("m.typing"))
    ephemeral.push_back(*typing);
  if (!ephemeral.empty() || !room.receipts.empty()) empty = false;
  section.fields += R"(,"ephemeral":)" + events_section(ephemeral);

  std::string data;
  if (room.is_new || context.request.full_state) {
    MYELIN_CO_TRY(data, co_await account_data(context, room.room, nullptr));
  } else if (auto types = context.snapshot.room_account_data.find(room.room.str());
             types != context.snapshot.room_account_data.end()) {
    MYELIN_CO_TRY(data, co_await account_data(context, room.room, &types->second));
  }
  if (!data.empty()) {
    section.fields += R"(,"account_data":)" + data;
    empty = false;
  }
  section.fields += ',' + unread_fields(room, context.filter.timeline().unread_thread_notifications());
  if (room.with_summary) section.fields += ',' + summary_fields(room);
  co_return '{' + section.fields + '}';
}

Task<Result<void>> Answers::add_rooms(Context& context) {
  for (const auto& room : context.snapshot.rooms) {
    if (!context.filter.matches_room(room.room)) continue;
    const auto& id = room.room.str();
    switch (room.membership) {
      case Membership::kJoin: {
        bool empty = true;
        MYELIN_CO_TRY(auto text, co_await joined_room(context, room, empty));
        if (empty && context.since && !context.request.full_state) break;
        append_member(context.join, id, text);
        context.empty = false;
        break;
      }
      case Membership::kInvite:
      case Membership::kKnock: {
        bool invited = room.membership == Membership::kInvite;
        MYELIN_CO_TRY(auto state, co_await sections_.stripped(room, viewpoint(context, false)));
        if (state.empty()) break;
        append_member(invited ? context.invite : context.knock, id,
                      fmt::format(R"({{"{}":{}}})", invited ? "invite_state" : "knock_state", state));
        context.empty = false;
        break;
      }
      case Membership::kLeave:
      case Membership::kBan: {
        if (!context.since) {
          MYELIN_CO_TRY(auto entry, co_await rooms_.membership(room.room, context.request.session.user));
          if (entry && entry->forgotten) break;
        }
        MYELIN_CO_TRY(auto section, co_await sections_.history(room, viewpoint(context, false)));
        append_member(context.leave, id, '{' + section.fields + R"(,"account_data":{"events":[]}})");
        context.empty = false;
        break;
      }
    }
  }
  co_return Result<void>{};
}

// Joined rooms where only typing or account data changed: the snapshot has no row for them.
Task<Result<void>> Answers::add_quiet_rooms(Context& context) {
  std::set<uint32_t> there;
  for (const auto& room : context.snapshot.rooms) there.insert(room.room_no);
  std::map<uint32_t, RoomId> quiet;
  for (const auto& [id, types] : context.snapshot.room_account_data) {
    auto info = co_await rooms_.room(RoomId::trusted(id));
    if (info && std::ranges::binary_search(context.subscriber.rooms, info->room_no))
      quiet.emplace(info->room_no, info->room);
  }
  for (uint32_t room_no : typing_.changed_rooms(context.subscriber, *context.since)) {
    if (auto info = co_await rooms_.room(room_no)) quiet.emplace(room_no, info->room);
  }
  for (const auto& [room_no, id] : quiet) {
    if (there.contains(room_no) || !context.filter.matches_room(id)) continue;
    std::string fields;
    if (auto typing = typing_.event(room_no, id, context.subscriber, context.since);
        typing && context.filter.ephemeral().matches_type("m.typing"))
      append_member(fields, "ephemeral", events_section({*typing}));
    if (auto types = context.snapshot.room_account_data.find(id.str());
        types != context.snapshot.room_account_data.end()) {
      MYELIN_CO_TRY(auto data, co_await account_data(context, id, &types->second));
      if (!data.empty()) append_member(fields, "account_data", data);
    }
    if (fields.empty()) continue;
    append_member(context.join, id.str(), '{' + fields + '}');
    context.empty = false;
  }
  co_return Result<void>{};
}

// Those whose status changed, and those who came to share a room; everybody for a new client.
Task<Result<std::vector<std::string>>> Answers::presence_events(Context& context) {
  if (context.filter.presence().includes_no_type()) co_return std::vector<std::string>{};
  std::set<UserId> users;
  if (context.since && !context.request.full_state) {
    users = presence_.changed_users(context.subscriber, *context.since);
    for (const auto& user : context.snapshot.device_lists_changed) users.insert(UserId::trusted(user));
    users.erase(context.request.session.user);
  } else {
    MYELIN_CO_TRY(auto sharing, co_await rooms_.users_sharing_a_room(context.request.session.user));
    users.insert(sharing.begin(), sharing.end());
  }
  co_return presence_.events(users);
}

Task<Result<Answer>> Answers::build(SyncRequest request, Filter filter, std::optional<Token> since,
                                    std::optional<ChangedRooms> changed_rooms, const Subscriber& subscriber) {
  Context context{std::move(request), std::move(filter), since, subscriber, {}, {}, {}, {}, {}, {}, {}, true};
  const auto& session = context.request.session;
  SnapshotQuery query{session.user,
                      session.device,
                      since,
                      std::move(changed_rooms),
                      context.filter.timeline().limit(),
                      context.request.full_state,
                      context.filter.include_leave()};
  Token next;
  typing_.mark(next, subscriber);
  MYELIN_CO_TRY(context.snapshot, co_await db_.read([query](db::ReadTx& tx) { return read_snapshot(tx, query); }));
  crash_point("sync.snapshot_taken");
  auto& snapshot = context.snapshot;
  if (!snapshot.rooms.empty()) {
    MYELIN_CO_TRY(auto ignored, co_await accounts::ignored_users(accounts_, session.user));
    context.ignored_users = std::make_shared<const std::set<std::string>>(std::move(ignored));
  }

  MYELIN_CO_CHECK(co_await add_rooms(context));
  if (since) MYELIN_CO_CHECK(co_await add_quiet_rooms(context));
  MYELIN_CO_TRY(context.account_data,
                co_await account_data(context, std::nullopt,
                                      since && !context.request.full_state ? &snapshot.account_data : nullptr));
  MYELIN_CO_TRY(auto counts, co_await key_counts(session));

  typing_.doubt(next);
  next.position = since ? std::max(since->position, snapshot.position) : snapshot.position;
  next.to_device = snapshot.to_device_upto;
  std::string body = R"({"next_batch":")" + next.str() + "\"," + counts;
  std::string rooms;
  if (!context.join.empty()) append_member(rooms, "join", '{' + context.join + '}');
  if (!context.invite.empty()) append_member(rooms, "invite", '{' + context.invite + '}');
  if (!context.knock.empty()) append_member(rooms, "knock", '{' + context.knock + '}');
  if (!context.leave.empty()) append_member(rooms, "leave", '{' + context.leave + '}');
  if (!rooms.empty()) body += R"(,"rooms":{)" + rooms + '}';
  if (!context.account_data.empty()) body += R"(,"account_data":)" + context.account_data;
  if (!snapshot.to_device.empty()) body += R"(,"to_device":)" + events_section(snapshot.to_device);
  bool lists = !snapshot.device_lists_changed.empty() || !snapshot.device_lists_left.empty();
  if (lists)
    body += R"(,"device_lists":{"changed":)" + names(snapshot.device_lists_changed) + R"(,"left":)" +
            names(snapshot.device_lists_left) + '}';
  MYELIN_CO_TRY(auto presence, co_await presence_events(context));
  if (!presence.empty() || !since) body += R"(,"presence":)" + events_section(presence);
  body += '}';
  bool empty = context.empty && context.account_data.empty() && snapshot.to_device.empty() && !lists &&
               presence.empty() && !snapshot.key_counts_changed;
  co_return Answer{std::move(body), empty, next.position};
}

}  // namespace myelin::sync
