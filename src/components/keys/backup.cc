// Server-side key backups (client-server API, Server-side key backups): versions, and keys by room and session.
#include <charconv>

#include "components/keys/keys_impl.h"

namespace myelin::keys {
namespace {

constexpr size_t kKeysPerWrite = 200;  // a long upload does not hold its lane
constexpr size_t kMaxAuthDataBytes = 64 * 1024;

struct Version {
  int64_t number = 0;
  std::string algorithm, auth_data;
  int64_t etag = 0, keys = 0;
  bool deleted = false;
};

Version to_version(const db::Row& row) {
  return {row.i64(0), row.str(1), row.str(2), row.i64(3), row.i64(4), row.i64(5) != 0};
}

std::optional<int64_t> parse_version(const std::string& text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

std::unexpected<Error> no_backup() { return fail(Code::kNotFound, "there is no such backup version"); }

std::optional<Version> latest(db::ReadTx& tx, const UserId& user) {
  return tx.one(
      "SELECT version, algorithm, auth_data, etag, key_count, deleted FROM backup_version "
      "WHERE user_id = $1 AND deleted = 0 ORDER BY version DESC LIMIT 1",
      to_version, user.str());
}

// Deleted ones too.
std::optional<Version> find(db::ReadTx& tx, const UserId& user, const std::string& version) {
  auto number = parse_version(version);
  if (!number) return std::nullopt;
  return tx.one(
      "SELECT version, algorithm, auth_data, etag, key_count, deleted FROM backup_version "
      "WHERE user_id = $1 AND version = $2",
      to_version, user.str(), *number);
}

Result<Version> existing(db::ReadTx& tx, const UserId& user, const std::string& version) {
  auto found = find(tx, user, version);
  if (!found || found->deleted) return no_backup();
  return *found;
}

// Keys may be put into the latest version only.
Result<Version> current(db::ReadTx& tx, const UserId& user, const std::string& version) {
  auto now = latest(tx, user);
  if (!now) return no_backup();
  if (parse_version(version) != now->number)
    return fail(Code::kWrongRoomKeysVersion, "this is not the current backup version",
                {{"current_version", std::to_string(now->number)}});
  return *now;
}

struct BackupKey {
  std::string room, session;
  int64_t first_message_index = 0, forwarded_count = 0;
  bool is_verified = false;
  std::string session_data;
};

Result<BackupKey> parse_key(std::string_view room, std::string_view session, const json::Value& value) {
  auto bad = [](const char* what) { return fail(Code::kBadJson, what); };
  if (!value.is_object()) return bad("the data of a key is not an object");
  const auto& object = value.get_object();
  auto index = json::integer_at(object, "first_message_index"), forwarded = json::integer_at(object, "forwarded_count");
  auto verified = json::bool_at(object, "is_verified");
  const auto* data = json::object_at(object, "session_data");
  if (!index || !forwarded || !verified || data == nullptr)
    return bad("first_message_index, forwarded_count, is_verified or session_data is missing or of the wrong type");
  if (*index < 0 || *forwarded < 0) return bad("first_message_index and forwarded_count are counts");
  if (!is_storable(room) || !is_storable(session)) return bad("a room id or session id is empty, too long or no text");
  return BackupKey{std::string(room), std::string(session), *index, *forwarded, *verified, json::serialize(*data)};
}

Result<void> parse_sessions(std::string_view room, const json::Value& value, std::vector<BackupKey>& out) {
  const auto* sessions = value.is_object() ? json::object_at(value.get_object(), "sessions") : nullptr;
  if (sessions == nullptr) return fail(Code::kBadJson, "sessions is not an object");
  for (const auto& session : *sessions) {
    MYELIN_TRY(auto key, parse_key(room, session.key(), session.value()));
    out.push_back(std::move(key));
  }
  return {};
}

Result<std::vector<BackupKey>> parse_keys(const std::optional<RoomId>& room, const std::optional<std::string>& session,
                                          const json::Object& body) {
  std::vector<BackupKey> out;
  if (room && session) {
    MYELIN_TRY(auto key, parse_key(room->str(), *session, json::Value(body)));
    out.push_back(std::move(key));
  } else if (room) {
    MYELIN_CHECK(parse_sessions(room->str(), json::Value(body), out));
  } else {
    const auto* rooms = json::object_at(body, "rooms");
    if (rooms == nullptr) return fail(Code::kBadJson, "rooms is not an object");
    for (const auto& entry : *rooms) MYELIN_CHECK(parse_sessions(entry.key(), entry.value(), out));
  }
  return out;
}

// Of two keys for one session the verified one stays, then the one that reaches further back, then the one that was
// forwarded less often.
enum class Stored : uint8_t { kNew, kReplaced, kKept };
Stored store(db::Tx& tx, const UserId& user, int64_t version, const BackupKey& key) {
  int64_t inserted = tx.exec(
      "INSERT INTO backup_key (user_id, version, room_id, session_id, first_message_index, forwarded_count, "
      "is_verified, "
      "session_data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id, version, room_id, session_id) DO "
      "NOTHING",
      user.str(), version, key.room, key.session, key.first_message_index, key.forwarded_count, key.is_verified,
      key.session_data);
  if (inserted > 0) return Stored::kNew;
  int64_t replaced = tx.exec(
      "UPDATE backup_key SET first_message_index = $5, forwarded_count = $6, is_verified = $7, session_data = $8 "
      "WHERE user_id = $1 AND version = $2 AND room_id = $3 AND session_id = $4 AND (is_verified < $7 OR "
      "(is_verified = $7 AND (first_message_index > $5 OR (first_message_index = $5 AND forwarded_count > $6))))",
      user.str(), version, key.room, key.session, key.first_message_index, key.forwarded_count, key.is_verified,
      key.session_data);
  return replaced > 0 ? Stored::kReplaced : Stored::kKept;
}

void save_counts(db::Tx& tx, const UserId& user, const Version& version) {
  tx.exec("UPDATE backup_version SET etag = $3, key_count = $4 WHERE user_id = $1 AND version = $2", user.str(),
          version.number, version.etag, version.keys);
}

json::Object update_answer(const Version& version) {
  return {{"etag", std::to_string(version.etag)}, {"count", version.keys}};
}

struct Narrowed {  // to a room and a session, or not
  bool one_room = false, one_session = false;
  std::string room, session;
  Narrowed(const std::optional<RoomId>& r, const std::optional<std::string>& s)
      : one_room(r), one_session(r && s), room(r ? r->str() : ""), session(s.value_or("")) {}
};

void read_keys(db::ReadTx& tx, const UserId& user, int64_t version, const Narrowed& only,
               const std::function<void(const db::Row&)>& each) {
  if (only.one_session)
    tx.query(
        "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM backup_key "
        "WHERE user_id = $1 AND version = $2 AND room_id = $3 AND session_id = $4",
        each, user.str(), version, only.room, only.session);
  else if (only.one_room)
    tx.query(
        "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM backup_key "
        "WHERE user_id = $1 AND version = $2 AND room_id = $3",
        each, user.str(), version, only.room);
  else
    tx.query(
        "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM backup_key "
        "WHERE user_id = $1 AND version = $2",
        each, user.str(), version);
}

int64_t erase_keys(db::Tx& tx, const UserId& user, int64_t version, const Narrowed& only) {
  if (only.one_session)
    return tx.exec("DELETE FROM backup_key WHERE user_id = $1 AND version = $2 AND room_id = $3 AND session_id = $4",
                   user.str(), version, only.room, only.session);
  if (only.one_room)
    return tx.exec("DELETE FROM backup_key WHERE user_id = $1 AND version = $2 AND room_id = $3", user.str(), version,
                   only.room);
  return tx.exec("DELETE FROM backup_key WHERE user_id = $1 AND version = $2", user.str(), version);
}

json::Object key_object(const db::Row& row) {
  json::Object out{
      {"first_message_index", row.i64(2)}, {"forwarded_count", row.i64(3)}, {"is_verified", row.i64(4) != 0}};
  auto data = json::parse(row.text(5));
  if (!data) throw db::Failure(Error{Code::kCorrupt, "backup_key.session_data is not JSON"});
  out["session_data"] = std::move(*data);
  return out;
}

json::Object& sessions_of(json::Object& parent) {
  auto& value = parent["sessions"];
  if (!value.is_object()) value = json::Object();
  return value.get_object();
}

Result<std::pair<std::string, std::string>> parse_version_body(const json::Object& body) {
  auto algorithm = json::string_at(body, "algorithm");
  const auto* auth_data = json::object_at(body, "auth_data");
  if (!algorithm || auth_data == nullptr)
    return fail(body.contains("algorithm") && body.contains("auth_data") ? Code::kBadJson : Code::kMissingParam,
                "algorithm or auth_data is missing or of the wrong type");
  auto text = json::serialize(*auth_data);
  if (!is_storable(*algorithm)) return fail(Code::kBadJson, "algorithm is no name");
  if (text.size() > kMaxAuthDataBytes) return fail(Code::kTooLarge, "auth_data is too large");
  return std::pair{std::string(*algorithm), std::move(text)};
}

}  // namespace

Task<Result<std::string>> KeysImpl::create_backup(UserId user, json::Object body) {
  MYELIN_CO_TRY(auto parsed, parse_version_body(body));
  co_return co_await db_.write(lane_of(user), [user, parsed](db::Tx& tx) {
    lock_user(tx, user);
    int64_t version = 1 + tx.one(
                                "SELECT COALESCE(MAX(version), 0) FROM backup_version WHERE user_id = $1",
                                [](const db::Row& row) { return row.i64(0); }, user.str())
                              .value_or(0);
    tx.exec(
        "INSERT INTO backup_version (user_id, version, algorithm, auth_data, etag, key_count, deleted) "
        "VALUES ($1, $2, $3, $4, 0, 0, 0)",
        user.str(), version, parsed.first, parsed.second);
    return std::to_string(version);
  });
}

Task<Result<json::Object>> KeysImpl::backup_version(UserId user, std::optional<std::string> version) {
  MYELIN_CO_TRY(auto found, co_await db_.read([user, version](db::ReadTx& tx) -> Result<Version> {
    if (version) return existing(tx, user, *version);
    auto now = latest(tx, user);
    if (!now) return no_backup();
    return *now;
  }));
  MYELIN_CO_TRY(auto auth_data, json::parse(found.auth_data));
  json::Object out = update_answer(found);
  out["algorithm"] = found.algorithm;
  out["auth_data"] = std::move(auth_data);
  out["version"] = std::to_string(found.number);
  co_return out;
}

Task<Result<void>> KeysImpl::update_backup(UserId user, std::string version, json::Object body) {
  MYELIN_CO_TRY(auto parsed, parse_version_body(body));
  if (const auto* named = body.if_contains("version"); named != nullptr && *named != json::Value(version))
    co_return fail(Code::kInvalidParam, "the version in the body is not the one in the path");
  co_return co_await db_.write(lane_of(user), [user, version, parsed](db::Tx& tx) -> Result<void> {
    lock_user(tx, user);
    MYELIN_TRY(auto found, existing(tx, user, version));
    if (found.algorithm != parsed.first)
      return fail(Code::kInvalidParam, "the algorithm of a backup cannot be changed");
    tx.exec("UPDATE backup_version SET auth_data = $3 WHERE user_id = $1 AND version = $2", user.str(), found.number,
            parsed.second);
    return {};
  });
}

Task<Result<void>> KeysImpl::delete_backup(UserId user, std::string version) {
  co_return co_await db_.write(lane_of(user), [user, version](db::Tx& tx) -> Result<void> {
    lock_user(tx, user);
    auto found = find(tx, user, version);
    if (!found) return no_backup();
    tx.exec("UPDATE backup_version SET deleted = 1, key_count = 0 WHERE user_id = $1 AND version = $2", user.str(),
            found->number);
    erase_keys(tx, user, found->number, {{}, {}});
    return {};
  });
}

Task<Result<json::Object>> KeysImpl::put_backup_keys(UserId user, std::string version, std::optional<RoomId> room,
                                                     std::optional<std::string> session, json::Object body) {
  MYELIN_CO_TRY(auto keys, parse_keys(room, session, body));
  json::Object answer;
  for (size_t from = 0; from == 0 || from < keys.size(); from += kKeysPerWrite) {
    auto upto = std::min(keys.size(), from + kKeysPerWrite);
    std::vector<BackupKey> part(keys.begin() + static_cast<ptrdiff_t>(from),
                                keys.begin() + static_cast<ptrdiff_t>(upto));
    MYELIN_CO_TRY(auto after, co_await db_.write(lane_of(user), [user, version, part](db::Tx& tx) -> Result<Version> {
      lock_user(tx, user);
      MYELIN_TRY(auto now, current(tx, user, version));
      bool changed = false;
      for (const auto& key : part) {
        auto stored = store(tx, user, now.number, key);
        changed |= stored != Stored::kKept;
        now.keys += stored == Stored::kNew;
      }
      if (!changed) return now;
      ++now.etag;
      save_counts(tx, user, now);
      return now;
    }));
    answer = update_answer(after);
  }
  co_return answer;
}

Task<Result<json::Object>> KeysImpl::backup_keys(UserId user, std::string version, std::optional<RoomId> room,
                                                 std::optional<std::string> session) {
  Narrowed only(room, session);
  co_return co_await db_.read([user, version, only](db::ReadTx& tx) -> Result<json::Object> {
    MYELIN_TRY(auto found, existing(tx, user, version));
    json::Object rooms, sessions;
    std::optional<json::Object> single;
    read_keys(tx, user, found.number, only, [&](const db::Row& row) {
      auto key = key_object(row);
      if (only.one_session) {
        single = std::move(key);
      } else if (only.one_room) {
        sessions[row.text(1)] = std::move(key);
      } else {
        auto& of_room = rooms[row.text(0)];
        if (!of_room.is_object()) of_room = json::Object();
        sessions_of(of_room.get_object())[row.text(1)] = std::move(key);
      }
    });
    if (only.one_session) {
      if (!single) return fail(Code::kNotFound, "there is no such key in the backup");
      return *single;
    }
    if (only.one_room) return json::Object{{"sessions", std::move(sessions)}};
    return json::Object{{"rooms", std::move(rooms)}};
  });
}

Task<Result<json::Object>> KeysImpl::delete_backup_keys(UserId user, std::string version, std::optional<RoomId> room,
                                                        std::optional<std::string> session) {
  Narrowed only(room, session);
  co_return co_await db_.write(lane_of(user), [user, version, only](db::Tx& tx) -> Result<json::Object> {
    lock_user(tx, user);
    MYELIN_TRY(auto found, existing(tx, user, version));
    if (int64_t erased = erase_keys(tx, user, found.number, only); erased > 0) {
      found.keys -= erased;
      ++found.etag;
      save_counts(tx, user, found);
    }
    return update_answer(found);
  });
}

}  // namespace myelin::keys
