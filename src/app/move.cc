#include "app/move.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/addresses.h"
#include "app/components.h"
#include "app/data_file.h"
#include "infra/lease/lease.h"
#include "matrix/ids.h"

namespace myelin::app {
namespace {

std::string place_of(const Config& config) {
  return config.database == "sqlite" ? config.data_dir + "/myelin.db" : without_password(config.database);
}

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The signing key goes along where it is looked for in the data directory.
Result<void> check_key(const Config& from, const Config& to) {
  if (signing_key_path(to) == signing_key_path(from)) return {};
  auto ours = text_of(signing_key_path(from)), theirs = text_of(signing_key_path(to));
  if (ours.empty())
    return fail(Code::kNotFound,
                fmt::format("the server's signing key has to go along, and is not here as {}", signing_key_path(from)));
  if (theirs.empty() || theirs == ours) return {};
  return fail(Code::kConflict,
              fmt::format("{} holds another server's signing key: name another directory", to.data_dir));
}

Result<void> take_key_along(const Config& from, const Config& to) {
  if (signing_key_path(to) == signing_key_path(from)) return {};
  return make_file(signing_key_path(to), text_of(signing_key_path(from)));
}

Result<void> check_nobody_alive(db::ReadTx& tx, Milliseconds now) {
  for (const auto& each : lease::Leases::status(tx, now))
    if (each.alive)
      return fail(Code::kConflict, fmt::format("process {} on {} uses the database: stop it first. One that was killed "
                                               "counts for a few seconds more",
                                               each.instance, each.about.host));
  return {};
}

std::string report(const Config& from, const Config& to, const db::Moved& moved) {
  std::string out = moved.finished_an_earlier ? fmt::format("the move to {} is finished\n", place_of(to))
                                              : fmt::format("moved to {}: {} rows of {} tables, each compared\n",
                                                            place_of(to), moved.rows, moved.tables);
  out += fmt::format("Now set in {}:\n", from.file.empty() ? "your configuration" : from.file);
  out += to.database == "sqlite" ? "  database = \"sqlite\"\n"
                                 : fmt::format("  database = \"{}\"{}\n", without_password(to.database),
                                               without_password(to.database) == to.database ? "" : "  # its password");
  if (to.data_dir != from.data_dir) out += fmt::format("  data_dir = \"{}\"\n", to.data_dir);
  out += to.database == "sqlite" ? "and leave nats and roles out, if they are set."
                                 : "and nats, if an external one is to serve several processes.";
  out += fmt::format(
      " Then start the server as before (`myelin serve`); nobody has to log in again.\n"
      "{} is kept as it was, and refuses to be started. To come back later, stop the server and run\n"
      "  myelin move --to {}",
      place_of(from), from.database == "sqlite" ? "sqlite --to-data NEW-DIRECTORY" : "postgres://NEW-DATABASE");
  return out;
}

}  // namespace

Result<std::string> move_server(const Config& from, const MoveTo& wish) {
  auto key = std::ranges::find(keys(), "database", &Key::name);
  if (!key->check(wish.database))
    return fail(Code::kInvalidParam, fmt::format("--to wants {}, not \"{}\"", key->right, wish.database));
  Config to = from;
  to.database = wish.database;
  if (!wish.data_dir.empty()) to.data_dir = wish.data_dir;
  db::Move move{database_options(from), database_options(to), place_of(from), place_of(to)};
  if (move.from.url == move.to.url)
    return fail(Code::kInvalidParam, fmt::format("the server's data is in {} already", place_of(to)));
  MYELIN_CHECK(check_data_directory(from));
  MYELIN_TRY(auto lock, lease::DirectoryLock::take(from.data_dir));
  std::optional<lease::DirectoryLock> other_lock;
  if (to.data_dir != from.data_dir) {
    MYELIN_CHECK(make_data_directory(to));
    MYELIN_CHECK(sync_directory(std::filesystem::absolute(to.data_dir).lexically_normal().parent_path()));
    MYELIN_TRY(other_lock, lease::DirectoryLock::take(to.data_dir));
  }
  MYELIN_CHECK(check_key(from, to));

  SystemClock clock;
  move.left_out.assign(std::begin(lease::kTables), std::end(lease::kTables));
  move.replaces = wish.replaces;
  if (to.database != "sqlite")
    move.is_text = [](std::string_view text) { return text.find('\0') == text.npos && is_valid_utf8(text); };
  if (from.database != "sqlite") move.check_idle = [&](db::ReadTx& tx) { return check_nobody_alive(tx, clock.now()); };
  move.before_switch = [&] { return take_key_along(from, to); };
  move.progress = wish.progress;
  MYELIN_TRY(auto moved, db::move_database(move, clock));
  return report(from, to, moved);
}

}  // namespace myelin::app
