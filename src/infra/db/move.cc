#include "infra/db/move.h"

#include <algorithm>
#include <map>
#include <thread>

#include "base/fault.h"
#include "infra/db/copy.h"
#include "infra/db/identity.h"
#include "infra/db/move_mark.h"

namespace myelin::db {
namespace {

Result<std::unique_ptr<Engine>> open_engine(const Options& options) {
  return options.url.starts_with("sqlite:") ? open_sqlite(options) : open_postgres(options, false);
}

std::map<std::string, int64_t> versions_of(std::span<const Migration> migrations) {
  std::map<std::string, int64_t> out;
  for (const auto& each : migrations) out[std::string(each.component)] = std::max<int64_t>(each.number, 1);
  return out;
}

constexpr std::chrono::milliseconds kPatience{60'000};  // with a slow PostgreSQL: no lease hangs on a move

// One of the two databases.
struct Side {
  explicit Side(const Options& its_options) : options(its_options) {
    options.session_timeout = std::max(options.session_timeout, kPatience);
  }
  ~Side() {
    if (engine) engine->stop();
  }
  Result<void> connect() {
    MYELIN_TRY(engine, open_engine(options));
    MYELIN_TRY(session, engine->connect_writer());
    return {};
  }
  void identify(const std::string& token) {
    engine->identify(token);
    history = engine->history();
  }
  // Who wants to go on has to connect again, and finds the mark: on PostgreSQL, processes that came before it and were
  // not seen, as they were suspended, cut off, or about to start.
  Result<void> cut_others_off() {
    if (engine->dialect() == Dialect::kSqlite) return {};
    for (int attempt = 0; attempt < 100; ++attempt) {
      size_t others = 0;
      MYELIN_CHECK(in_snapshot(*session, [&] {
        session->run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
            "application_name = 'myelin' AND usename = current_user AND pid <> pg_backend_pid()",
            {}, [&](const Row&) { ++others; });
      }));
      if (others == 0) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return fail(Code::kUnavailable, "PostgreSQL does not end the sessions of another process on its database");
  }
  std::span<const Migration> migrations() const {
    return options.migrations.empty() ? all_migrations() : options.migrations;
  }

  Options options;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
  std::string history;
  std::optional<MoveMark> mark;
};

class Mover {
 public:
  Mover(const Move& move, const Clock& clock) : move_(move), clock_(clock), from_(move.from), to_(move.to) {}

  Result<Moved> run() {
    MYELIN_CHECK(from_.connect());
    MYELIN_CHECK(to_.connect());
    MYELIN_CHECK(look_at_source());
    MYELIN_CHECK(look_at_target());
    if (from_.mark && from_.mark->state == "gone") {
      MYELIN_CHECK(finish());
      return Moved{0, 0, true};
    }
    MYELIN_CHECK(check_idle());
    moved_.finished_an_earlier = state_ == "arrived";
    if (state_ != "arrived") MYELIN_CHECK(make_copy());
    MYELIN_CHECK(switch_over());
    MYELIN_CHECK(finish());
    return moved_;
  }

 private:
  // ---- what is there

  Result<void> look_at_source() {
    bool has_schema = false;
    std::map<std::string, int64_t> versions;
    Identity identity;
    MYELIN_CHECK(in_snapshot(*from_.session, [&] {
      has_schema = std::ranges::binary_search(table_names(*from_.session), "schema_version");
      if (!has_schema) return;
      from_.session->run("SELECT component, MAX(version) FROM schema_version GROUP BY component", {},
                         [&](const Row& row) { versions[row.str(0)] = row.i64(1); });
      if (versions != versions_of(from_.migrations())) return;
      identity = read_identity(*from_.session);
      from_.mark = read_mark(*from_.session);
    }));
    if (!has_schema) return fail(Code::kNotFound, fmt::format("there is no server's data in {}", move_.from_place));
    if (identity.token.empty())
      return fail(Code::kUnavailable,
                  fmt::format("the tables in {} are another version's than this program's: start the server on them "
                              "once, with this program",
                              move_.from_place));
    if (from_.mark && from_.mark->is_of_a_copy()) return fail(Code::kConflict, why_unfinished(*from_.mark));
    from_.identify(identity.token);
    token_ = identity.token;
    messages_ = identity.messages;
    if (!from_.options.witness.empty()) {
      Witness witness(from_.options.witness);
      is_earlier_state_ = is_earlier_state(witness.memory(), from_.history, identity.messages, from_.engine->dialect());
    }
    return {};
  }

  // Decides where to begin: state_ "" is from nothing.
  Result<void> look_at_target() {
    std::vector<std::string> names;
    std::string token;
    MYELIN_CHECK(in_snapshot(*to_.session, [&] {
      names = table_names(*to_.session);
      to_.mark = read_mark(*to_.session);
      if (to_.mark && (to_.mark->state == "copying" || to_.mark->state == "arrived"))
        token = read_identity(*to_.session).token;
    }));
    bool is_the_same = from_.mark && to_.mark && from_.mark->move == to_.mark->move;
    if (is_the_same) move_token_ = to_.mark->move;
    if (is_the_same && !token.empty()) to_.identify(token);
    if (from_.mark && from_.mark->state == "gone") {
      if (is_the_same && to_.mark->state == "arrived") return {};
      return fail(Code::kConflict, why_gone(*from_.mark));
    }
    if (is_the_same && to_.mark->is_of_a_copy()) {
      state_ = to_.mark->state;
      return {};
    }
    if (names.empty() || may_overwrite()) return {};
    return is_taken();
  }

  // Never a living server's data, nor what another server may have moved to already.
  bool may_overwrite() const {
    if (!to_.mark || to_.mark->state == "leaving") return false;
    bool is_ours = to_.mark->is_of_a_copy() && to_.mark->source == token_;
    return is_ours || (move_.replaces && to_.mark->state != "arrived");
  }

  std::unexpected<Error> is_taken() const {
    const auto& place = move_.to_place;
    if (!to_.mark || to_.mark->state == "leaving")
      return fail(
          Code::kConflict,
          fmt::format("{} is not empty: it holds a server's data, or other tables. Name a new database", place));
    if (to_.mark->state == "arrived")
      return fail(Code::kConflict,
                  fmt::format("{} holds all that another server had in {}, and may be the only one to: "
                              "name a new database",
                              place, to_.mark->place));
    return fail(Code::kConflict,
                fmt::format("{} holds {}. Name a new database, or overwrite it with --replace", place,
                            to_.mark->is_of_a_copy()
                                ? fmt::format("an unfinished move from {}", to_.mark->place)
                                : fmt::format("what a server had there before it moved to {}", to_.mark->place)));
  }

  Result<void> check_idle() {
    if (!move_.check_idle) return {};
    Result<void> idle;
    MYELIN_CHECK(in_snapshot(*from_.session, [&] {
      SessionReadTx tx(*from_.session);
      idle = move_.check_idle(tx);
    }));
    return idle;
  }

  // ---- the copy

  Result<void> make_copy() {
    if (state_.empty()) MYELIN_CHECK(leave());
    MYELIN_CHECK(read_source());
    if (state_.empty()) MYELIN_CHECK(arrive());
    if (state_ != "copying") MYELIN_CHECK(prepare_target());
    for (const auto& table : tables_) MYELIN_CHECK(copy(table));
    crash_point("move.copied");
    MYELIN_CHECK(compare());
    if (to_.engine->dialect() == Dialect::kPostgres)
      MYELIN_CHECK(in_transaction(*to_.session, [&] { to_.session->script("ANALYZE"); }));
    moved_.tables = tables_.size();
    moved_.rows = progress_.all_rows;
    return {};
  }

  static bool is_of_the_schema(const std::string& name) { return name == "schema_version" || name == "schema_step"; }

  bool is_left_out(const std::string& name) const {
    return name == kMoveTable || name == "database_identity" || is_of_the_schema(name) ||
           std::ranges::find(move_.left_out, name) != move_.left_out.end();
  }

  Result<std::vector<Table>> tables_of(Side& side) {
    std::vector<Table> out;
    MYELIN_CHECK(in_snapshot(*side.session, [&] {
      for (const auto& name : table_names(*side.session))
        if (!is_left_out(name)) out.push_back(read_table(*side.session, name));
    }));
    return out;
  }

  // Sums of everything, and whether the target can hold it.
  Result<void> read_source() {
    MYELIN_TRY(tables_, tables_of(from_));
    MYELIN_CHECK(in_snapshot(*from_.session, [&] {
      for (const auto& table : tables_) progress_.all_rows += count_rows(*from_.session, table);
    }));
    std::string bad;
    for (const auto& table : tables_) {
      MYELIN_TRY(auto sum, sum_of(from_, table, [&](const Cells& cells) { look_for_bad_text(table, cells, bad); }));
      sums_.push_back(std::move(sum));
    }
    progress_.all_rows = progress_.rows;
    if (bad.empty()) return {};
    MYELIN_CHECK(in_transaction(*from_.session, [&] { delete_mark(*from_.session); }));
    return fail(
        Code::kInvalidParam,
        fmt::format("{} cannot hold texts with a NUL, or that are no UTF-8, and there are some: {}. Nothing was "
                    "changed",
                    move_.to_place, bad));
  }

  void look_for_bad_text(const Table& table, const Cells& cells, std::string& bad) const {
    constexpr size_t kLongest = 500;
    for (size_t i = 0; i < cells.size(); ++i) {
      auto text = std::get_if<std::string>(&cells[i]);
      if (text == nullptr || table.columns[i].type != ColumnType::kText || !move_.is_text || move_.is_text(*text))
        continue;
      auto place = fmt::format("{}.{}", table.name, table.columns[i].name);
      if (bad.size() < kLongest && !bad.contains(place)) bad += (bad.empty() ? "" : ", ") + place;
    }
  }

  template <class Each>
  Result<TableSum> sum_of(Side& side, const Table& table, Each each) {
    TableSum out(table, is_earlier_state_ && &side == &from_ ? "" : side.history);
    Pages pages(table, move_.page_rows);
    for (std::vector<Cells> page;;) {
      MYELIN_CHECK(in_snapshot(*side.session, [&] { page = pages.next(*side.session); }));
      if (page.empty()) return out;
      for (const auto& cells : page) {
        each(cells);
        out.add(cells);
      }
      tell(table, page.size());
    }
  }

  MoveMark a_mark(std::string state, const std::string& place) const {
    return {std::move(state), move_token_, place, token_, clock_.now()};
  }

  // Whatever is written to the source from here on takes its mark away, and so ends the move.
  Result<void> leave() {
    move_token_ = new_token();
    MYELIN_CHECK(
        in_transaction(*from_.session, [&] { write_mark(*from_.session, a_mark("leaving", move_.to_place)); }));
    crash_point("move.begun");
    return from_.cut_others_off();
  }

  Result<void> arrive() {
    return in_transaction(*to_.session, [&] {
      auto now = read_mark(*to_.session);
      bool is_as_seen = now ? to_.mark && now->move == to_.mark->move && now->state == to_.mark->state
                            : !to_.mark && table_names(*to_.session).empty();
      if (!is_as_seen) throw Failure({Code::kStale, move_.to_place + " was taken by somebody else meanwhile"});
      write_mark(*to_.session, a_mark("arriving", move_.from_place));
    });
  }

  // In a transaction that nobody else's move to there can come between.
  Result<void> in_target(const std::function<void()>& work) {
    return in_transaction(*to_.session, [&] {
      Value move = move_token_;
      bool is_ours = false;
      to_.session->run("SELECT 1 FROM database_move WHERE id = 1 AND move = $1 {for_update}", {&move, 1},
                       [&](const Row&) { is_ours = true; });
      if (!is_ours) throw Failure({Code::kStale, "another move to there has begun"});
      work();
    });
  }

  // Brings the schema up to date and empties every table; what migrations put into some is the source's to say.
  Result<void> prepare_target() {
    crash_point("move.before_schema");
    MYELIN_CHECK(to_.cut_others_off());
    MYELIN_CHECK(migrate(*to_.session, to_.migrations(), clock_));
    MYELIN_TRY(auto theirs, tables_of(to_));
    if (theirs != tables_) return fail(Code::kInternal, "the two databases have different tables");
    auto token = new_token();
    MYELIN_CHECK(in_target([&] {
      bool sqlite = to_.engine->dialect() == Dialect::kSqlite;
      for (const auto& name : table_names(*to_.session))
        if (name != kMoveTable && !is_of_the_schema(name))
          to_.session->script(fmt::format("{} {}", sqlite ? "DELETE FROM" : "TRUNCATE", quoted_name(name)));
      set_identity(*to_.session, token);
      write_mark(*to_.session, a_mark("copying", move_.from_place));
    }));
    to_.identify(token);
    return {};
  }

  // From where an earlier attempt got to: pages are whole and in order.
  Result<void> copy(const Table& table) {
    begin_step(MoveProgress::Step::kCopying, table);
    Pages pages(table, move_.page_rows);
    int64_t found = 0;
    MYELIN_CHECK(in_snapshot(*to_.session, [&] {
      auto last = last_row(*to_.session, table);
      if (!last) return;
      pages.start_after(*last);
      found = count_rows(*to_.session, table);
    }));
    progress_.found_rows += found;
    tell(table, static_cast<size_t>(found));
    for (std::vector<Cells> page;;) {
      MYELIN_CHECK(in_snapshot(*from_.session, [&] { page = pages.next(*from_.session); }));
      if (page.empty()) return {};
      if (!is_earlier_state_)
        for (auto& cells : page) rename_history(table, cells, from_.history, to_.history);
      MYELIN_CHECK(in_target([&] {
        to_.session->insert_rows(table, page);
        crash_point("move.page_written");
      }));
      to_.session->maintain();
      crash_point("move.page_committed");
      tell(table, page.size());
    }
  }

  Result<void> compare() {
    for (size_t i = 0; i < tables_.size(); ++i) {
      begin_step(MoveProgress::Step::kComparing, tables_[i]);
      MYELIN_TRY(auto sum, sum_of(to_, tables_[i], [](const Cells&) {}));
      if (sum == sums_[i]) continue;
      MYELIN_CHECK(in_target([&] { to_.session->script("UPDATE database_move SET move = ''"); }));
      return fail(Code::kCorrupt,
                  fmt::format("table {} differs: {} rows there, {} here. The source is as it was; moving again copies "
                              "everything anew",
                              tables_[i].name, sums_[i].rows(), sum.rows()));
    }
    return {};
  }

  // ---- the switch

  Result<void> switch_over() {
    if (move_.before_switch) MYELIN_CHECK(move_.before_switch());
    if (state_ != "arrived")
      MYELIN_CHECK(in_target([&] { write_mark(*to_.session, a_mark("arrived", move_.from_place)); }));
    crash_point("move.before_switch");
    bool is_ours = false;
    MYELIN_CHECK(in_transaction(*from_.session, [&] {
      Value values[] = {to_value(clock_.now()), move_token_};
      auto changed = from_.session->post(
          "UPDATE database_move SET state = 'gone', at = $1 WHERE id = 1 AND state = 'leaving' AND move = $2", values);
      is_ours = from_.session->changed(changed) == 1;
    }));
    crash_point("move.switched");
    if (!is_ours) return fail(Code::kStale, "the server was started meanwhile, and goes on; move again");
    return {};
  }

  // The copy may be opened.
  Result<void> finish() {
    if (!to_.options.witness.empty()) MYELIN_CHECK(Witness(to_.options.witness).remember({to_.history, messages_}));
    MYELIN_CHECK(in_target([&] { delete_mark(*to_.session); }));
    crash_point("move.finished");
    return {};
  }

  // ---- progress

  void begin_step(MoveProgress::Step step, const Table& table) {
    if (progress_.step != step) progress_ = {step, table.name, 0, progress_.all_rows, 0};
  }
  void tell(const Table& table, size_t rows) {
    progress_.table = table.name;
    progress_.rows += static_cast<int64_t>(rows);
    if (move_.progress) move_.progress(progress_);
  }

  const Move& move_;
  const Clock& clock_;
  Side from_, to_;
  std::string token_;              // the source's
  std::string move_token_;         // of this move; an earlier attempt's where that is resumed
  std::string state_;              // of the target, where an earlier attempt is resumed
  int64_t messages_ = 0;           // that the source has numbered
  bool is_earlier_state_ = false;  // the source was put back, and has not been started since
  std::vector<Table> tables_;
  std::vector<TableSum> sums_;  // of the source's tables
  MoveProgress progress_;
  Moved moved_;
};

}  // namespace

Result<Moved> move_database(const Move& move, const Clock& clock) { return Mover(move, clock).run(); }

Result<bool> take_back(const Options& options) {
  Side side(options);
  MYELIN_CHECK(side.connect());
  bool has_mark = false, was_gone = false;
  MYELIN_CHECK(in_snapshot(*side.session, [&] {
    auto mark = read_mark(*side.session);
    if (mark && mark->is_of_a_copy()) throw Failure({Code::kConflict, why_unfinished(*mark)});
    has_mark = mark.has_value();
    was_gone = mark && mark->state == "gone";
  }));
  if (has_mark)
    MYELIN_CHECK(in_transaction(*side.session, [&] {
      delete_mark(*side.session);
      if (was_gone) set_identity(*side.session, new_token());
    }));
  return was_gone;
}

}  // namespace myelin::db
