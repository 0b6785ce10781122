// Account data, filters and push rules: what a user's devices share (client-server API, Client Config; Filtering; Push
// Rules).
#include <limits>

#include "base/bytes.h"
#include "components/accounts/accounts_impl.h"
#include "components/accounts/tables.h"
#include "infra/db/sql.h"
#include "matrix/push_rules.h"

namespace myelin::accounts {
namespace {

constexpr std::string_view kPushRules = "m.push_rules", kIgnoredUsers = "m.ignored_user_list",
                           kFullyRead = "m.fully_read";
// Stored filters of one user; in characters of their JSON.
constexpr int64_t kMaxFilters = 1'000, kMaxFilterSize = 65'536, kMaxFilterSizes = 1 << 20;
// What was once accepted is read, by whatever bounds that was.
constexpr json::ParseLimits kStored{.bytes = std::numeric_limits<size_t>::max(), .depth = json::kMaxStoredDepth};

std::string room_text(const std::optional<RoomId>& room) { return room ? room->str() : ""; }

// Edits of one user come one after the other, on every process.
void lock_account(db::Tx& tx, const UserId& user) {
  tx.one("SELECT 1 FROM account WHERE user_id = $1 {for_update}", [](const db::Row&) { return 1; }, user.str());
}

// May this item be stored? A first /sync gets all account data at once. What is there may stay, and shrink; the fully
// read marker is one for each room, and small.
Result<void> check_sizes(db::Tx& tx, int64_t max, const UserId& user, const std::string& room, const std::string& type,
                         const std::string& content) {
  if (!room.empty() && type == kFullyRead) return {};
  struct Sizes {
    int64_t all, item;
  };
  auto sizes = tx.one(
      "SELECT coalesce(sum(length(content)), 0), coalesce(sum(CASE WHEN room_id = $2 AND type = $3 THEN "
      "length(content) ELSE 0 END), 0) FROM account_data WHERE user_id = $1",
      [](const db::Row& row) { return Sizes{row.i64(0), row.i64(1)}; }, user.str(), room, type);
  auto size = static_cast<int64_t>(content.size());
  if (size <= sizes->item || sizes->all - sizes->item + size <= max) return {};
  return fail(Code::kTooLarge, "all your account data together would be too much");
}

void store_account_data(db::Tx& tx, const UserId& user, const std::string& room, const std::string& type,
                        const std::string& content) {
  tx.exec(
      "INSERT INTO account_data (user_id, room_id, type, content) VALUES ($1, $2, $3, $4) ON CONFLICT (user_id, "
      "room_id, type) DO UPDATE SET content = excluded.content",
      user.str(), room, type, content);
  publish(tx, user, AccountDataChanged{room, type});
}

std::optional<std::string> find_account_data(db::ReadTx& tx, const UserId& user, const std::string& room,
                                             const std::string& type) {
  return tx.one(
      "SELECT content FROM account_data WHERE user_id = $1 AND room_id = $2 AND type = $3",
      [](const db::Row& row) { return row.str(0); }, user.str(), room, type);
}

Result<json::Object> find_push_rules(db::ReadTx& tx, const UserId& user) {
  auto stored = tx.one(
      "SELECT content FROM push_rules WHERE user_id = $1", [](const db::Row& row) { return row.str(0); }, user.str());
  if (!stored) return default_push_rules(user);
  auto content = json::parse_object(*stored, kStored);
  if (!content) return fail(Code::kCorrupt, "the stored push rules of " + user.str() + " cannot be read");
  return with_default_push_rules(*content, user);
}

void store_push_rules(db::Tx& tx, const UserId& user, const json::Object& content) {
  tx.exec(
      "INSERT INTO push_rules (user_id, content) VALUES ($1, $2) ON CONFLICT (user_id) DO UPDATE SET content = "
      "excluded.content",
      user.str(), json::serialize(content));
  publish(tx, user, AccountDataChanged{"", std::string(kPushRules)});
}

}  // namespace

Task<Result<void>> AccountsImpl::put_account_data(UserId user, std::optional<RoomId> room, std::string type,
                                                  std::string content) {
  auto stored = co_await db_.write(
      lane_of(user),
      [user, room = room_text(room), type, content, max = config_.account_data_bytes](db::Tx& tx) -> Result<void> {
        lock_account(tx, user);
        MYELIN_CHECK(check_sizes(tx, max, user, room, type, content));
        store_account_data(tx, user, room, type, content);
        return {};
      });
  if (stored && !room && type == kIgnoredUsers) rules_changed_();
  co_return stored;
}

Task<Result<std::string>> AccountsImpl::account_data(UserId user, std::optional<RoomId> room, std::string type) {
  if (!room && type == kPushRules) {
    MYELIN_CO_TRY(auto rules, co_await push_rules(user));
    co_return json::serialize(*rules);
  }
  co_return co_await db_.read([user, room = room_text(room), type](db::ReadTx& tx) -> Result<std::string> {
    auto found = find_account_data(tx, user, room, type);
    if (!found) return fail(Code::kNotFound, "there is no such account data");
    return *found;
  });
}

Task<Result<std::vector<AccountDataItem>>> AccountsImpl::all_account_data(UserId user, std::optional<RoomId> room) {
  co_return co_await db_.read([user, room = room_text(room)](db::ReadTx& tx) {
    return tx.all(
        "SELECT type, content FROM account_data WHERE user_id = $1 AND room_id = $2 ORDER BY type",
        [](const db::Row& row) { return AccountDataItem{row.str(0), row.str(1)}; }, user.str(), room);
  });
}

Task<Result<void>> AccountsImpl::edit_account_data(UserId user, std::optional<RoomId> room, std::string type,
                                                   std::function<Result<void>(json::Object&)> edit) {
  co_return co_await db_.write(
      lane_of(user),
      [user, room = room_text(room), type, edit = std::move(edit),
       max = config_.account_data_bytes](db::Tx& tx) -> Result<void> {
        lock_account(tx, user);
        json::Object content;
        if (auto stored = find_account_data(tx, user, room, type)) {
          MYELIN_TRY(content, json::parse_object(*stored, kStored));
        }
        auto before = content;
        MYELIN_CHECK(edit(content));
        if (content == before) return {};
        if (json::is_deeper_than(json::kMaxBodyDepth, content) && !json::is_deeper_than(json::kMaxBodyDepth, before))
          return fail(Code::kBadJson, "the content is nested too deeply");
        auto text = json::serialize(content);
        MYELIN_CHECK(check_sizes(tx, max, user, room, type, text));
        store_account_data(tx, user, room, type, text);
        return {};
      });
}

Task<Result<std::string>> AccountsImpl::put_filter(UserId user, json::Object filter) {
  MYELIN_CO_TRY(auto canonical, json::canonical(filter, json::CanonicalMode::kLax));
  if (canonical.size() > kMaxFilterSize) co_return fail(Code::kTooLarge, "the filter is larger than 64 KiB");
  auto id = base64url(sha256(canonical)).substr(0, 22);
  co_return co_await db_.write(
      lane_of(user), [user, id, content = json::serialize(filter)](db::Tx& tx) -> Result<std::string> {
        int64_t added = tx.exec(
            "INSERT INTO client_filter (user_id, filter_id, content) VALUES ($1, $2, $3) ON CONFLICT (user_id, "
            "filter_id) DO NOTHING",
            user.str(), id, content);
        if (added == 0) return id;
        auto is_within_limits = tx.one(
            "SELECT COUNT(*), CAST(SUM(LENGTH(content)) AS BIGINT) FROM client_filter WHERE user_id = $1",
            [](const db::Row& row) { return row.i64(0) <= kMaxFilters && row.i64(1) <= kMaxFilterSizes; }, user.str());
        if (!is_within_limits.value_or(false)) return fail(Code::kResourceLimitExceeded, "too many stored filters");
        return id;
      });
}

Task<Result<std::string>> AccountsImpl::filter(UserId user, std::string filter_id) {
  co_return co_await db_.read([user, filter_id](db::ReadTx& tx) -> Result<std::string> {
    auto found = tx.one(
        "SELECT content FROM client_filter WHERE user_id = $1 AND filter_id = $2",
        [](const db::Row& row) { return row.str(0); }, user.str(), filter_id);
    if (!found) return fail(Code::kNotFound, "there is no such filter");
    return *found;
  });
}

Task<Result<std::shared_ptr<const json::Object>>> AccountsImpl::push_rules(UserId user) {
  bool caches = db_.is_sqlite();  // elsewhere another process may write them
  if (auto* cached = caches ? push_rules_.find(user.str()) : nullptr) co_return *cached;
  auto stamp = push_rules_stamp_;
  MYELIN_CO_TRY(auto content, co_await db_.read([user](db::ReadTx& tx) { return find_push_rules(tx, user); }));
  auto rules = std::make_shared<const json::Object>(std::move(content));
  if (caches && stamp == push_rules_stamp_) push_rules_.put(user.str(), rules, push_rules_weight(*rules));
  co_return rules;
}

Task<Result<void>> AccountsImpl::edit_push_rules(UserId user, std::function<Result<void>(json::Object&)> edit) {
  auto edited = co_await db_.write(lane_of(user), [user, edit = std::move(edit)](db::Tx& tx) -> Result<void> {
    lock_account(tx, user);
    MYELIN_TRY(auto content, find_push_rules(tx, user));
    MYELIN_CHECK(edit(content));
    store_push_rules(tx, user, content);
    return {};
  });
  ++push_rules_stamp_;
  push_rules_.erase(user.str());
  if (edited) rules_changed_();
  co_return edited;
}

Task<Result<std::vector<UserId>>> AccountsImpl::with_own_push_rules(std::vector<UserId> users) {
  std::vector<std::string> names;
  for (const auto& user : users) names.push_back(user.str());
  co_return co_await db_.read([names = db::text_set(names)](db::ReadTx& tx) {
    return tx.all(
        "SELECT user_id FROM push_rules WHERE user_id IN {texts $1} UNION SELECT user_id FROM account_data WHERE "
        "user_id IN {texts $1} AND room_id = '' AND type = 'm.ignored_user_list'",
        [](const db::Row& row) { return UserId::trusted(row.str(0)); }, names);
  });
}

}  // namespace myelin::accounts
