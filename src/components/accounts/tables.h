// Statements on the tables of accounts that several parts share. Inside a closure; any thread.
#pragma once
#include <string>
#include <vector>

#include "components/accounts/accounts.h"
#include "components/accounts/user_out.h"

namespace myelin::accounts {

inline constexpr std::string_view kProfileQueue = "profile", kDeactivationQueue = "deactivation",
                                  kDeviceQueue = "ended device";
// What is done in all rooms of a user is done once more after a while: the first time misses a room that its user is
// about to join, or whose join is in doubt (docs/spine.md, rule A12).
inline constexpr std::string_view kProfileAgainQueue = "profile again", kDeactivationAgainQueue = "deactivation again";
inline constexpr Milliseconds kLongestJoin = 30'000;  // as a rule it is done by then, or cannot be done any more

void publish(db::Tx&, const UserId&, decltype(UserOut::what));
// Deletes the devices with their tokens, tells of it, and leaves what other components keep of them to kDeviceQueue.
// The hashes of their access tokens.
std::vector<std::string> erase_devices(db::Tx&, const UserId&, const std::vector<std::string>& device_ids);
std::vector<std::string> device_ids(db::ReadTx&, const UserId&);

// What a login gives out. The text of the tokens is never stored, only their hashes.
struct NewTokens {
  Tokens tokens;
  std::optional<Milliseconds> expires_at{};
};
NewTokens make_tokens(Random&, bool refreshable, Milliseconds now, Milliseconds lifetime);
// `parent`: hash of the refresh token traded for them.
void insert_tokens(db::Tx&, const UserId&, const DeviceId&, const NewTokens&, const std::string* parent = nullptr);
// A device as a login asks for it: a known one keeps its name and loses its tokens, whose hashes are returned.
std::vector<std::string> put_device(db::Tx&, const UserId&, const DeviceId&, const std::optional<std::string>& name);
Result<DeviceId> device_id_for(const DeviceRequest&, Random&);      // the one asked for, or a new one
Result<void> check_device_name(const std::optional<std::string>&);  // kInvalidParam: it is too long

}  // namespace myelin::accounts
