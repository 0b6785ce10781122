#include "components/push/pushers.h"

#include <boost/url/parse.hpp>

#include "infra/db/sql.h"

namespace myelin::push {
namespace {

constexpr size_t kMaxPushkeyBytes = 512, kMaxAppIdBytes = 64, kMaxTextBytes = 1024, kMaxDataBytes = 16 * 1024;
constexpr int64_t kMaxPushers = 100;  // of one user
constexpr std::string_view kGatewayPath = "/_matrix/push/v1/notify";

bool is_text(std::string_view text, size_t max_bytes) {
  return text.size() <= max_bytes && text.find('\0') == text.npos;
}

// HTTPS with the gateway's path. Without TLS only to this machine, which HttpClient refuses unless it is allowed to.
Result<void> check_url(std::string_view text) {
  auto url = boost::urls::parse_uri(text);
  if (!url || !is_text(text, kMaxTextBytes)) return fail(Code::kInvalidParam, "data.url is not a URL");
  bool is_local = url->host() == "localhost" || url->host() == "127.0.0.1" || url->host() == "[::1]";
  if (url->scheme() != "https" && !(url->scheme() == "http" && is_local))
    return fail(Code::kInvalidParam, "data.url must be an HTTPS URL");
  if (url->path() != kGatewayPath)
    return fail(Code::kInvalidParam, "the path of data.url must be /_matrix/push/v1/notify");
  return {};
}

Result<std::string> text_field(const json::Object& body, std::string_view name, size_t max_bytes) {
  if (!body.contains(name)) return fail(Code::kMissingParam, "Missing parameters: " + std::string(name));
  auto text = json::string_at(body, name);
  if (!text) return fail(Code::kBadJson, std::string(name) + " is not a string");
  if (!is_text(*text, max_bytes)) return fail(Code::kInvalidParam, std::string(name) + " is too long");
  return std::string(*text);
}

Result<json::Object> data_field(const json::Object& body) {
  if (!body.contains("data")) return fail(Code::kMissingParam, "Missing parameters: data");
  const auto* data = json::object_at(body, "data");
  if (data == nullptr) return fail(Code::kBadJson, "data is not an object");
  if (!data->contains("url")) return fail(Code::kMissingParam, "Missing parameters: data.url");
  auto url = json::string_at(*data, "url");
  if (!url) return fail(Code::kBadJson, "data.url is not a string");
  MYELIN_CHECK(check_url(*url));
  if (data->contains("format") && !json::string_at(*data, "format"))
    return fail(Code::kBadJson, "data.format is not a string");
  if (json::serialize(*data).size() > kMaxDataBytes) return fail(Code::kInvalidParam, "data is too large");
  return *data;
}

Pusher to_pusher(const db::Row& row) {
  auto data = json::parse_object(row.text(8));
  if (!data) throw db::Failure(Error{Code::kCorrupt, "pusher.data is not JSON"});
  Pusher out{{UserId::trusted(row.str(0)), row.str(1), row.str(2)},
             DeviceId::trusted(row.str(3)),
             row.str(4),
             row.str(5),
             row.str(7),
             std::nullopt,
             std::move(*data),
             row.i64(9),
             row.i64(10)};
  if (!row.null(6)) out.profile_tag = row.str(6);
  return out;
}

void insert(db::Tx& tx, const Pusher& pusher, const std::string& data) {
  tx.exec(
      "INSERT INTO pusher (user_id, app_id, pushkey, device_id, app_display_name, device_display_name, profile_tag, "
      "lang, "
      "data, ts, badge) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, -1) ON CONFLICT (user_id, app_id, pushkey) "
      "DO UPDATE SET device_id = excluded.device_id, app_display_name = excluded.app_display_name, "
      "device_display_name = excluded.device_display_name, profile_tag = excluded.profile_tag, lang = excluded.lang, "
      "data = excluded.data, ts = excluded.ts",
      pusher.key.user.str(), pusher.key.app_id, pusher.key.pushkey, pusher.device.str(), pusher.app_display_name,
      pusher.device_display_name, pusher.profile_tag, pusher.lang, data, pusher.ts);
}

}  // namespace

std::string PusherKey::str() const { return json::serialize(json::Value(json::Array{user.str(), app_id, pushkey})); }

std::optional<PusherKey> PusherKey::parse(std::string_view text) {
  auto value = json::parse(text);
  if (!value || !value->is_array() || value->get_array().size() != 3) return std::nullopt;
  const auto& parts = value->get_array();
  for (const auto& part : parts)
    if (!part.is_string()) return std::nullopt;
  auto at = [&](size_t i) { return std::string(parts[i].get_string()); };
  return PusherKey{UserId::trusted(at(0)), at(1), at(2)};
}

Result<PusherChange> check_pusher(const json::Object& body, const accounts::Session& session, Milliseconds now) {
  PusherChange out;
  MYELIN_TRY(out.app_id, text_field(body, "app_id", kMaxAppIdBytes));
  MYELIN_TRY(out.pushkey, text_field(body, "pushkey", kMaxPushkeyBytes));
  const auto* kind = body.if_contains("kind");
  if (kind == nullptr) return fail(Code::kMissingParam, "Missing parameters: kind");
  if (kind->is_null()) return out;
  if (!kind->is_string()) return fail(Code::kBadJson, "kind is not a string");
  if (kind->get_string() != "http") return fail(Code::kInvalidParam, "only pushers of kind http are known here");
  if (const auto* append = body.if_contains("append"); append != nullptr && !append->is_bool())
    return fail(Code::kBadJson, "append is neither true nor false");
  out.append = json::bool_at(body, "append").value_or(false);
  Pusher pusher{{session.user, out.app_id, out.pushkey}, session.device, {}, {}, {}, {}, {}, now, -1};
  MYELIN_TRY(pusher.app_display_name, text_field(body, "app_display_name", kMaxTextBytes));
  MYELIN_TRY(pusher.device_display_name, text_field(body, "device_display_name", kMaxTextBytes));
  MYELIN_TRY(pusher.lang, text_field(body, "lang", kMaxTextBytes));
  if (const auto* tag = body.if_contains("profile_tag"); tag != nullptr && !tag->is_null()) {
    MYELIN_TRY(pusher.profile_tag, text_field(body, "profile_tag", kMaxTextBytes));
  }
  MYELIN_TRY(pusher.data, data_field(body));
  out.pusher = std::move(pusher);
  return out;
}

Task<Result<std::vector<Pusher>>> Pushers::of(UserId user) {
  co_return co_await db_.read([user](db::ReadTx& tx) {
    return tx.all(
        "SELECT user_id, app_id, pushkey, device_id, app_display_name, device_display_name, profile_tag, lang, data, "
        "ts, "
        "badge FROM pusher WHERE user_id = $1 ORDER BY app_id, pushkey",
        to_pusher, user.str());
  });
}

Task<Result<std::optional<Pusher>>> Pushers::find(PusherKey key) {
  co_return co_await db_.read([key](db::ReadTx& tx) {
    return tx.one(
        "SELECT user_id, app_id, pushkey, device_id, app_display_name, device_display_name, profile_tag, lang, data, "
        "ts, "
        "badge FROM pusher WHERE user_id = $1 AND app_id = $2 AND pushkey = $3",
        to_pusher, key.user.str(), key.app_id, key.pushkey);
  });
}

Task<Result<std::vector<PusherKey>>> Pushers::keys_of(std::vector<UserId> users) {
  std::vector<std::string> names;
  for (const auto& user : users) names.push_back(user.str());
  co_return co_await db_.read([set = db::text_set(names)](db::ReadTx& tx) {
    return tx.all(
        "SELECT user_id, app_id, pushkey FROM pusher WHERE user_id IN {texts $1} ORDER BY user_id, app_id, pushkey",
        [](const db::Row& row) { return PusherKey{UserId::trusted(row.str(0)), row.str(1), row.str(2)}; }, set);
  });
}

Task<Result<void>> Pushers::set(UserId user, PusherChange change) {
  auto write = [user, change](db::Tx& tx) -> Result<void> {
    if (!change.pusher) {
      tx.exec("DELETE FROM pusher WHERE user_id = $1 AND app_id = $2 AND pushkey = $3", user.str(), change.app_id,
              change.pushkey);
      return {};
    }
    if (!change.append)
      tx.exec("DELETE FROM pusher WHERE app_id = $1 AND pushkey = $2 AND user_id <> $3", change.app_id, change.pushkey,
              user.str());
    insert(tx, *change.pusher, json::serialize(change.pusher->data));
    auto count = tx.one(
        "SELECT COUNT(*) FROM pusher WHERE user_id = $1", [](const db::Row& row) { return row.i64(0); }, user.str());
    if (count > kMaxPushers) return fail(Code::kInvalidParam, "too many pushers");
    return {};
  };
  auto done = co_await db_.write({.lane = bus::hash_of(user.str())}, std::move(write));
  changed();
  co_return done;
}

Task<Result<Pushers::Users>> Pushers::users() {
  if (users_) co_return users_;
  auto generation = generation_;
  MYELIN_CO_TRY(auto names, co_await db_.read([](db::ReadTx& tx) {
    return tx.all("SELECT DISTINCT user_id FROM pusher",
                  [](const db::Row& row) { return UserId::trusted(row.str(0)); });
  }));
  auto users = std::make_shared<const std::unordered_set<UserId>>(names.begin(), names.end());
  if (db_.is_sqlite() && generation == generation_) users_ = users;
  co_return users;
}

void Pushers::erase_everywhere(db::Tx& tx, const PusherKey& key) {
  tx.exec("DELETE FROM pusher WHERE app_id = $1 AND pushkey = $2", key.app_id, key.pushkey);
}

void Pushers::erase_of_device(db::Tx& tx, const UserId& user, const DeviceId& device) {
  tx.exec("DELETE FROM pusher WHERE user_id = $1 AND device_id = $2", user.str(), device.str());
}

void Pushers::remember_badge(db::Tx& tx, const PusherKey& key, int64_t badge) {
  tx.exec("UPDATE pusher SET badge = $4 WHERE user_id = $1 AND app_id = $2 AND pushkey = $3", key.user.str(),
          key.app_id, key.pushkey, badge);
}

}  // namespace myelin::push
