#include "components/accounts/ignored_users.h"

namespace myelin::accounts {

Task<Result<std::set<std::string>>> ignored_users(Accounts& accounts, UserId user) {
  std::set<std::string> out;
  auto list = co_await accounts.account_data(user, std::nullopt, "m.ignored_user_list");
  if (!list && list.error().code == Code::kNotFound) co_return out;
  if (!list) co_return std::unexpected(std::move(list).error());
  auto content = json::parse_object(*list);
  const auto* users = content ? json::object_at(*content, "ignored_users") : nullptr;
  if (users != nullptr)
    for (const auto& entry : *users) out.emplace(entry.key());
  co_return out;
}

}  // namespace myelin::accounts
