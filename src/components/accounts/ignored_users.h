// Whom a user ignores (client-server API, Ignoring Users). Thread: the loop.
#pragma once
#include <set>
#include <string>

#include "components/accounts/accounts.h"

namespace myelin::accounts {

// The users that m.ignored_user_list names.
Task<Result<std::set<std::string>>> ignored_users(Accounts&, UserId);

}  // namespace myelin::accounts
