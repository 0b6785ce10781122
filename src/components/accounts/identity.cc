#include "components/accounts/identity.h"

#include <fmt/format.h>

namespace myelin::accounts {
namespace {

std::optional<std::string> stored_name(db::ReadTx& tx) {
  return tx.one("SELECT name FROM server WHERE id = 1", [](const db::Row& row) { return row.str(0); });
}

std::optional<std::string> name_of_first_account(db::ReadTx& tx) {
  auto user = tx.one("SELECT user_id FROM account ORDER BY created_at, user_id LIMIT 1",
                     [](const db::Row& row) { return UserId::trusted(row.str(0)); });
  if (!user) return std::nullopt;
  return std::string(user->server());
}

}  // namespace

Task<Result<ServerName>> settle_server_name(db::Database& db, ServerName wanted, Wish wish) {
  MYELIN_CO_TRY(auto known, co_await db.read(stored_name));
  if (!known) {
    MYELIN_CO_TRY(known, co_await db.write({}, [wanted = wanted.str()](db::Tx& tx) {
      tx.exec("INSERT INTO server (id, name, probed_at) VALUES (1, $1, 0) ON CONFLICT (id) DO NOTHING",
              name_of_first_account(tx).value_or(wanted));
      return stored_name(tx);
    }));
  }
  if (wish == Wish::kAtStart && known != wanted.str()) {
    MYELIN_CO_TRY(known, co_await db.write({}, [wanted = wanted.str()](db::Tx& tx) {
      if (!name_of_first_account(tx)) tx.exec("UPDATE server SET name = $1 WHERE id = 1", wanted);
      return stored_name(tx);
    }));
  }
  auto name = ServerName::trusted(known.value_or(wanted.str()));
  if (wish != Wish::kDefault && name != wanted)
    co_return fail(Code::kConflict,
                   fmt::format("the data here is of the server {}, not of {}: user and room ids bear the name for "
                               "ever. Leave server_name out or set it to {}, or name another data directory",
                               name.str(), wanted.str(), name.str()));
  co_return name;
}

Task<Result<void>> probe_database(db::Database& db, Milliseconds now) {
  co_return co_await db.write({}, [now](db::Tx& tx) {
    tx.exec("UPDATE server SET probed_at = $1 WHERE id IN (SELECT id FROM server WHERE id = 1 {skip_locked})", now);
  });
}

}  // namespace myelin::accounts
