#include "infra/db/identity.h"

#include "base/random.h"

namespace myelin::db {

std::string new_token() {
  SystemRandom random;
  return random.token(16);
}

Identity read_identity(Session& session) {
  Identity out;
  session.run("SELECT token FROM database_identity WHERE id = 1", {}, [&](const Row& row) { out.token = row.str(0); });
  if (out.token.empty()) throw Failure({Code::kNotFound, "the database has no identity: no server has run on it"});
  session.run("SELECT CAST(COALESCE(SUM(next_seq - 1), 0) AS BIGINT) FROM outbox_head", {},
              [&](const Row& row) { out.messages = row.i64(0); });
  return out;
}

void set_identity(Session& session, const std::string& token) {
  Value value = token;
  session.post(
      "INSERT INTO database_identity (id, token) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET token = excluded.token",
      {&value, 1});
}

Result<Identity> identify(Session& session) {
  Identity out;
  auto found = in_snapshot(session, [&] { out = read_identity(session); });
  if (found) return out;
  if (found.error().code != Code::kNotFound) return std::unexpected(std::move(found).error());
  auto fresh = new_token();
  MYELIN_CHECK(in_transaction(session, [&] {
    Value token = fresh;
    auto made =
        session.post("INSERT INTO database_identity (id, token) VALUES (1, $1) ON CONFLICT DO NOTHING", {&token, 1});
    bool is_new = session.changed(made) == 1;
    out = read_identity(session);
    out.is_new = is_new;
  }));
  return out;
}

bool is_earlier_state(const std::optional<Witness::Memory>& memory, const std::string& history, int64_t messages,
                      Dialect dialect) {
  bool is_known = memory && memory->history == history;
  return is_known ? messages < memory->messages : dialect == Dialect::kSqlite;
}

}  // namespace myelin::db
