// Profiles (client-server API, Profiles): any field, of which the display name and the avatar go into member events.
#include <set>

#include "components/accounts/accounts_impl.h"
#include "components/accounts/tables.h"

namespace myelin::accounts {
namespace {

constexpr size_t kMaxField = 255, kMaxProfile = 64 * 1024;  // bytes
constexpr size_t kMaxInMemberEvents = 1024;                 // of a display name, of an avatar's URL

bool is_in_member_events(std::string_view field) { return field == "displayname" || field == "avatar_url"; }

Result<json::Object> read_profile(db::ReadTx& tx, const UserId& user) {
  json::Object out;
  Result<void> bad;
  tx.query(
      "SELECT field, value FROM profile WHERE user_id = $1 ORDER BY field",
      [&](const db::Row& row) {
        auto value = json::parse(row.text(1));
        if (value)
          out[row.text(0)] = std::move(*value);
        else
          bad = fail(Code::kCorrupt, "a stored profile is not JSON");
      },
      user.str());
  MYELIN_CHECK(bad);
  return out;
}

std::set<int64_t> numbers_in(std::string_view array) {
  std::set<int64_t> out;
  auto value = json::parse(array);
  if (value && value->is_array())
    for (const auto& each : value->get_array())
      if (each.is_int64()) out.insert(each.get_int64());
  return out;
}

rooms::MemberProfile to_member_profile(const json::Object& fields) {
  rooms::MemberProfile out;
  if (auto name = json::string_at(fields, "displayname")) out.displayname = *name;
  if (auto avatar = json::string_at(fields, "avatar_url")) out.avatar_url = *avatar;
  return out;
}

}  // namespace

Task<Result<json::Object>> AccountsImpl::profile(UserId user) {
  co_return co_await db_.read([user](db::ReadTx& tx) -> Result<json::Object> {
    auto known = tx.one("SELECT 1 FROM account WHERE user_id = $1", [](const db::Row&) { return 1; }, user.str());
    if (!known) return fail(Code::kNotFound, "there is no such user");
    return read_profile(tx, user);
  });
}

Task<Result<rooms::MemberProfile>> AccountsImpl::member_profile(UserId user) {
  MYELIN_CO_TRY(auto fields, co_await db_.read([user](db::ReadTx& tx) { return read_profile(tx, user); }));
  co_return to_member_profile(fields);
}

Task<Result<void>> AccountsImpl::set_profile(UserId user, ProfileChange change) {
  if (change.field.empty()) co_return fail(Code::kInvalidParam, "a profile field needs a name");
  if (change.field.size() > kMaxField)
    co_return fail(Code::kKeyTooLarge, "the name of a profile field has at most 255 bytes");
  bool propagated = is_in_member_events(change.field);
  if (change.value && propagated) {
    if (!change.value->is_string() && !change.value->is_null())
      co_return fail(Code::kInvalidParam, change.field + " must be a string");
    if (change.value->is_string() && change.value->as_string().size() > kMaxInMemberEvents)
      co_return fail(Code::kInvalidParam, change.field + " has at most 1024 bytes");
    bool gone = change.value->is_null() || change.value->as_string().empty();
    if (gone) change.value.reset();
  }
  auto now = clock_.now();
  auto set = co_await db_.write(lane_of(user), [user, change, propagated, now](db::Tx& tx) -> Result<void> {
    int64_t known = tx.exec(
        "UPDATE account SET profile_version = profile_version + 1 WHERE user_id = $1 AND deactivated_at IS NULL",
        user.str());
    if (known == 0) return fail(Code::kNotFound, "there is no such user");
    if (change.value)
      tx.exec(
          "INSERT INTO profile (user_id, field, value) VALUES ($1, $2, $3) ON CONFLICT (user_id, field) DO UPDATE SET "
          "value = excluded.value",
          user.str(), change.field, json::serialize(*change.value));
    else
      tx.exec("DELETE FROM profile WHERE user_id = $1 AND field = $2", user.str(), change.field);
    MYELIN_TRY(auto whole, read_profile(tx, user));
    if (json::serialize(whole).size() > kMaxProfile)
      return fail(Code::kProfileTooLarge, "a profile has at most 64 KiB");
    if (propagated) work::enqueue(tx, kProfileQueue, user.str(), "", now);
    return {};
  });
  if (propagated) queues_.wake(kProfileQueue);  // also when nobody knows whether it is there
  co_return set;
}

// Writes the profile as it is now into the user's member event of every room: running twice changes nothing. The second
// time its body says which rooms are left out, as their name may have been changed there since: an array of numbers.
Task<work::Outcome> AccountsImpl::propagate_profile(work::Item item) {
  work::Outcome again{.kind = work::Outcome::Kind::kRetry};
  auto user = UserId::trusted(std::move(item.key));
  auto profile = co_await member_profile(user);
  auto memberships = co_await rooms_.queries().memberships(user);
  if (!profile || !memberships) {
    again.reason = (profile ? memberships.error() : profile.error()).message;
    co_return again;
  }
  auto left_out = numbers_in(item.body);
  json::Array done;
  for (const auto& entry : *memberships) {
    if (entry.membership != rooms::Membership::kJoin || left_out.contains(entry.room_no)) continue;
    rooms::ChangeMembership update{.room = entry.room,
                                   .sender = user,
                                   .target = user,
                                   .action = rooms::MembershipAction::kProfile,
                                   .profile = *profile};
    auto updated = co_await rooms_.commands().change_membership(std::move(update));
    if (updated || http_status(updated.error().code) < 500) {  // left meanwhile, for instance
      done.push_back(entry.room_no);
      continue;
    }
    again.reason = updated.error().message;
    co_return again;
  }
  if (!item.body.empty()) co_return work::Outcome{};
  co_return once_more(kProfileAgainQueue, user, json::serialize(done));
}

}  // namespace myelin::accounts
