#include "infra/db/testing/moves.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/fault.h"
#include "infra/db/copy.h"
#include "infra/db/identity.h"

namespace myelin::db::testing {

const std::set<std::string>& tables_that_stay() {
  static const std::set<std::string> names{"database_identity", "database_move", "lease",
                                           "process",           "schema_step",   "schema_version"};
  return names;
}

std::span<const Migration> few_tables() {
  static const std::vector<Migration> migrations = [] {
    auto out = migrations_of({});
    out.push_back({"shop", 1, "0001_shop.sql",
                   "CREATE TABLE list (id BIGINT PRIMARY KEY, name TEXT NOT NULL, body BYTEA NOT NULL, note TEXT);"
                   "CREATE TABLE pair (name TEXT, number BIGINT, body BYTEA, PRIMARY KEY (name, number)) WITHOUT ROWID;"
                   "CREATE TABLE key_history (id BIGINT PRIMARY KEY, history TEXT NOT NULL);"});
    return out;
  }();
  return migrations;
}

Opened::Opened(Options options) {
  options.session_timeout = std::chrono::minutes(1);
  engine = options.url.starts_with("sqlite:") ? *open_sqlite(options) : *open_postgres(options);
  session = *engine->connect_writer();
}
Opened::~Opened() {
  session.reset();
  engine->stop();
}
void Opened::write(const std::function<void()>& work) {
  auto done = in_transaction(*session, work);
  ASSERT_TRUE(done) << done.error().message;
}
void Opened::script(const std::string& text) {
  write([&] { session->script(text); });
}
std::string Opened::text(Sql sql) {
  std::string out;
  auto done = in_snapshot(*session, [&] { session->run(sql, {}, [&](const Row& row) { out = row.str(0); }); });
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

namespace {

std::set<std::string> columns_that_may_be_null(Session& session, const std::string& table) {
  std::set<std::string> out;
  Value name = table;
  session.run(session.dialect() == Dialect::kSqlite
                  ? Sql("SELECT name FROM pragma_table_info($1) WHERE \"notnull\" = 0 AND pk = 0")
                  : Sql("SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_name = $1 AND "
                        "is_nullable = 'YES'"),
              {&name, 1}, [&](const Row& row) { out.insert(row.str(0)); });
  return out;
}

// Row `number` of a table: extremes first, then what is unlike any other row's.
Cell cell_of(const Table& table, ColumnType type, size_t number) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  const std::vector<int64_t> numbers{kLeast, -1, 0, int64_t{1} << 32, kMost};
  const std::vector<std::string> texts{"", "a\n'\"\\", "\x7f\u00e4\u20ac\U0001F600", "B", "NULL"};
  const std::vector<std::string> blobs{"", std::string("\0\xff", 2), std::string(70'000, '\0'), "b", "\\x00"};
  if (number >= numbers.size()) {
    auto text = fmt::format("row {}", number);
    return type == ColumnType::kInteger ? Cell(static_cast<int64_t>(number)) : Cell(text);
  }
  bool is_summed = table.name == "outbox_head";
  if (type == ColumnType::kInteger) return is_summed ? static_cast<int64_t>(number) + 2 : numbers[number];
  return type == ColumnType::kText ? texts[number] : blobs[number];
}

std::vector<Cells> rows_for(const Table& table, const std::set<std::string>& may_be_null) {
  bool is_long = table.name == "list" || table.name == "event" || table.name == "outbox";
  std::vector<Cells> rows(is_long ? 2 * kPageRows + 20 : 5);
  for (size_t i = 0; i < rows.size(); ++i)
    for (const auto& column : table.columns)
      rows[i].push_back(i == 2 && may_be_null.contains(column.name) ? Cell() : cell_of(table, column.type, i));
  return rows;
}

}  // namespace

void fill(const Options& options) {
  Opened db(options);
  std::vector<std::pair<Table, std::set<std::string>>> tables;
  db.write([&] {
    for (const auto& name : table_names(*db.session))
      if (!tables_that_stay().contains(name) || name == "lease" || name == "process")
        tables.emplace_back(read_table(*db.session, name), columns_that_may_be_null(*db.session, name));
  });
  for (const auto& [table, may_be_null] : tables) {
    auto rows = rows_for(table, may_be_null);  // before the transaction, which must not stand idle
    db.write([&] { db.session->insert_rows(table, rows); });
  }
}

Dump dump(const Options& options) {
  Dump out;
  Opened db(options);
  auto done = in_snapshot(*db.session, [&] {
    db.engine->identify(read_identity(*db.session).token);
    for (const auto& name : table_names(*db.session)) {
      if (tables_that_stay().contains(name)) continue;
      auto table = read_table(*db.session, name);
      auto& rows = out[name];
      db.session->run(lasting_sql(fmt::format("SELECT {} FROM {} ORDER BY {}", column_list(table), quoted_name(name),
                                              key_list(table))),
                      {}, [&](const Row& row) { rows.push_back(cells_of(table, row)); });
      for (auto& row : rows) rename_history(table, row, db.engine->history(), "this one");
    }
  });
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

MoveTest::MoveTest(std::span<const Migration> migrations) : migrations_(migrations) { renew(); }

void MoveTest::renew() {
  from_ = temporary_database(GetParam());
  to_ = temporary_database(other(GetParam()));
  EXPECT_TRUE(open(from()));
}

Options MoveTest::of(const TemporaryDatabase& database) {
  auto out = database.options();
  out.migrations = migrations_;
  return out;
}

Result<void> MoveTest::open(const Options& options) {
  auto db = Database::open(options, loop_.get_executor(), clock_);
  if (!db) return std::unexpected(db.error());
  history_ = (*db)->history();
  (*db)->stop();
  return {};
}

Move MoveTest::move_from(const Options& from, const Options& to) {
  Move out{from, to, "the old place", "the new place"};
  out.left_out = {"lease", "process"};
  out.page_rows = kPageRows;
  out.is_text = [](std::string_view text) { return text.find_first_of(std::string_view("\0\xff", 2)) == text.npos; };
  return out;
}

Result<void> MoveTest::write_to(Database& db) {
  return testing::run(loop_, db.write({}, [](Tx& tx) { tx.exec("INSERT INTO pair VALUES ('late', 1, NULL)"); }));
}

void MoveTest::run_until_killed_at(const std::string& point) {
  auto child = ::fork();
  if (child == 0) {
    ::setenv("MYELIN_CRASH_AT", point.c_str(), 1);
    fault::arm_from_environment();
    ::_exit(run(a_move()) ? 3 : 4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << point << ": the point was not reached";
}

}  // namespace myelin::db::testing
