// Profiles (client-server API, Profiles): any field, of which the display name and the avatar go into member events.
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

rooms::MemberProfile to_member_profile(const json::Object& fields) {
  rooms::MemberProfile out;
  if (auto name = json::string_at(fields, "displayname")) out.displayname = *name;
  if (auto avatar = json::string_at(fields, "avatar_url")) out.avatar_url = *avatar;
  return out;
}

json::Object to_fields(const rooms::MemberProfile& profile) {
  json::Object out;
  if (profile.displayname) out["displayname"] = *profile.displayname;
  if (profile.avatar_url) out["avatar_url"] = *profile.avatar_url;
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
    MYELIN_TRY(auto former, read_profile(tx, user));
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
    if (!propagated) return {};
    work::enqueue(tx, kProfileQueue, user.str(), "", now);
    work::enqueue(tx, kProfileAgainQueue, user.str(), json::serialize(to_fields(to_member_profile(former))), now,
                  kLongestJoin);
    return {};
  });
  if (propagated) queues_.wake(kProfileQueue);  // also when nobody knows whether it is there
  co_return set;
}

// Writes the profile as it is now into the user's member event of every room: running twice changes nothing. With a
// body only where it is still the profile that the body holds.
Task<work::Outcome> AccountsImpl::propagate_profile(work::Item item) {
  work::Outcome again{.kind = work::Outcome::Kind::kRetry};
  auto user = UserId::trusted(std::move(item.key));
  std::optional<rooms::MemberProfile> former;
  if (auto fields = json::parse_object(item.body)) former = to_member_profile(*fields);
  auto profile = co_await member_profile(user);
  auto rooms = co_await joined_rooms(user, former);
  if (!profile || !rooms) {
    again.reason = (profile ? rooms.error() : profile.error()).message;
    co_return again;
  }
  if (former == *profile) co_return work::Outcome{};  // changed back since
  for (const auto& room : *rooms) {
    rooms::ChangeMembership update{
        .room = room, .sender = user, .target = user, .action = rooms::MembershipAction::kProfile, .profile = *profile};
    auto updated = co_await rooms_.commands().change_membership(std::move(update));
    if (updated || http_status(updated.error().code) < 500) continue;  // left meanwhile, for instance
    again.reason = updated.error().message;
    co_return again;
  }
  co_return work::Outcome{};
}

Task<Result<std::vector<RoomId>>> AccountsImpl::joined_rooms(UserId user, std::optional<rooms::MemberProfile> as) {
  MYELIN_CO_TRY(auto joined, co_await rooms_.queries().memberships(user));
  std::erase_if(joined, [](const auto& each) { return each.membership != rooms::Membership::kJoin; });
  std::vector<rooms::EventRef> refs;
  for (const auto& each : joined)
    if (as) refs.push_back(each.ref);
  MYELIN_CO_TRY(auto events, co_await rooms_.queries().events(std::move(refs)));
  std::vector<RoomId> out;
  for (size_t i = 0; i < joined.size(); ++i)
    if (!as || to_member_profile(events.at(i)->event->content()) == *as) out.push_back(joined[i].room);
  co_return out;
}

}  // namespace myelin::accounts
