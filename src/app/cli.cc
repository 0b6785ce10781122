#include "app/cli.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "app/admin.h"
#include "app/components.h"
#include "app/config.h"
#include "app/move.h"
#include "app/nearest.h"
#include "app/progress.h"
#include "app/server.h"
#include "app/version.h"
#include "base/log.h"
#include "matrix/explain.h"

namespace myelin::app {
namespace {

int complain(const Error& error) {
  fmt::print(stderr, "myelin: {}\n", error.message);
  return 2;
}

// The options that every command takes: where the configuration comes from.
struct ConfigOptions {
  std::string file;
  std::vector<std::string> assignments;
  std::vector<std::pair<const Key*, std::vector<std::string>>> flags;

  void add_to(CLI::App& command) {
    command.add_option("--config", file, "TOML file")->check(CLI::ExistingFile);
    flags.reserve(keys().size());
    for (const auto& key : keys()) {
      if (key.flag.empty()) continue;
      auto& [known, values] = flags.emplace_back(&key, std::vector<std::string>{});
      auto* option = command.add_option(std::string(key.flag), values, std::string(key.comment));
      if (key.type != KeyType::kList) option->expected(1);
    }
    command.add_option("--set", assignments, "key=value, for every key of `myelin config`");
  }

  Result<Config> load() const {
    Sources sources;
    if (!file.empty()) sources.file = file;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      std::string_view text = *entry;
      auto equals = text.find('=');
      if (text.starts_with("MYELIN_") && equals != std::string_view::npos)
        sources.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    for (const auto& [key, values] : flags)
      for (const auto& value : values) sources.settings.emplace_back(key->name, value);
    for (const auto& assignment : assignments) {
      auto equals = assignment.find('=');
      if (equals == std::string::npos)
        return fail(Code::kInvalidParam, "--set wants key=value, not \"" + assignment + "\"");
      sources.settings.emplace_back(assignment.substr(0, equals), assignment.substr(equals + 1));
    }
    return app::load(sources);
  }
};

std::string ask_password() {
  if (!::isatty(STDIN_FILENO)) {
    std::string line;
    std::getline(std::cin, line);
    return line;
  }
  fmt::print(stderr, "Password: ");
  termios before{};
  ::tcgetattr(STDIN_FILENO, &before);
  auto silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  std::string line;
  std::getline(std::cin, line);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
  fmt::print(stderr, "\n");
  return line;
}

// Of an account, once it is known that there is a database to put it in.
Result<std::string> password_for(const Config& config) {
  MYELIN_CHECK(check_data_directory(config));
  return ask_password();
}

// Loads the configuration and calls `action` with it.
int with_config(const ConfigOptions& options, const std::function<int(const Config&)>& action) {
  auto config = options.load();
  if (!config) return complain(config.error());
  return action(*config);
}

int report(const Result<std::string>& text) {
  if (!text) return complain(text.error());
  if (!text->empty()) fmt::print("{}\n", *text);
  return 0;
}

// `myelin room explain FILE`: needs neither configuration nor database.
struct ExplainCommand {
  std::string file;

  void add_to(CLI::App& program, int& status) {
    auto* room = program.add_subcommand("room", "rooms")->require_subcommand(1);
    auto* explain =
        room->add_subcommand("explain", "say why each event was accepted or rejected, and what state results");
    explain->add_option("file", file, "the room's events as JSON, one a line")->required()->check(CLI::ExistingFile);
    explain->callback([this, &status] {
      std::ifstream in(file);
      auto explanation = explain_room(std::string(std::istreambuf_iterator<char>(in), {}));
      if (!explanation) {
        status = complain(explanation.error());
        return;
      }
      fmt::print("{}", to_text(*explanation));
    });
  }
};

// `myelin move`: the server's data into another database.
struct MoveCommand {
  ConfigOptions options;
  MoveTo to;

  void add_to(CLI::App& program, int& status) {
    auto* move = program.add_subcommand("move", "move a stopped server's data into another database, and back");
    options.add_to(*move);
    move->add_option("--to", to.database, "sqlite, or the postgres:// URL of an empty database")->required();
    move->add_option("--to-data", to.data_dir, "the data directory from then on; the same one if not given");
    move->add_flag("--replace", to.replaces,
                   "overwrite what is at the target, if it is what a server left behind or an unfinished move");
    move->callback(
        [this, &status] { status = with_config(options, [this](const Config& config) { return run(config); }); });
  }

  int run(const Config& config) {
    log::set_level(log::Level::kWarning);  // nothing between the lines of the progress
    SystemClock clock;
    Result<std::string> text;
    {
      ProgressLine line(stderr, ::isatty(STDERR_FILENO) != 0, clock);
      to.progress = [&](const db::MoveProgress& progress) { line.show(progress); };
      text = move_server(config, to);
    }
    return report(text);
  }
};

// What can be said after the words of `command`: its options and its subcommands.
std::vector<std::string> words_of(const CLI::App& command) {
  std::vector<std::string> words;
  for (const auto* option : command.get_options())
    for (const auto& name : option->get_lnames()) words.push_back("--" + name);
  for (const auto* subcommand : command.get_subcommands({})) words.push_back(subcommand->get_name());
  return words;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

// What was meant by `word` after `command`: one of its words, or a key that has no option of its own.
std::string meant(const CLI::App& command, const std::string& word) {
  auto words = words_of(command);
  std::map<std::string, std::string> settings;
  if (has(words, "--set"))
    for (const auto& key : keys()) {
      auto option = fmt::format("--{}", key.name);
      std::ranges::replace(option, '_', '-');
      if (key.flag.empty() && !key.hidden) settings.emplace(option, fmt::format("--set {}=…", key.name));
    }
  for (const auto& [option, setting] : settings) words.push_back(option);
  auto best = nearest_of(word, words);
  return settings.contains(best) ? settings[best] : best;
}

// Of the first word that has no meaning where it stands; "" when all have one.
std::string complaint_about_a_word(const CLI::App& program) {
  const auto* command = &program;
  while (command->remaining_size() == 0 && !command->get_subcommands().empty())
    command = command->get_subcommands().front();
  if (command->remaining_size() == 0) return {};
  auto given = command->remaining().front();
  auto word = given.substr(0, given.find('='));
  for (const auto* chosen : command->get_subcommands())
    if (has(words_of(*chosen), word)) return fmt::format("{} must stand after {}", word, chosen->get_name());
  return fmt::format("{} has no meaning here; did you mean {}?", word, meant(*command, word));
}

}  // namespace

int run_command_line(int argc, char** argv) {
  ::umask(077);  // the data directory is nobody else's to read
  CLI::App program("Myelin, a Matrix homeserver", "myelin");
  program.require_subcommand(1);
  int status = 0;
  ConfigOptions options[8];

  auto* serve = program.add_subcommand("serve", "run the server");
  options[0].add_to(*serve);
  serve->callback([&] { status = with_config(options[0], serve_until_signalled); });

  auto* show = program.add_subcommand("config", "print the configuration in effect, as a file");
  options[1].add_to(*show);
  bool as_markdown = false;
  show->add_flag("--markdown", as_markdown, "print the reference of all keys instead");
  show->callback([&] {
    if (as_markdown) {
      fmt::print("{}", markdown());
      return;
    }
    status = with_config(options[1], [](const Config& config) {
      fmt::print("{}", effective_toml(config));
      return 0;
    });
  });

  auto* user = program.add_subcommand("user", "accounts")->require_subcommand(1);
  std::string name;
  bool admin = false;
  auto* add = user->add_subcommand("add", "make an account; the password is asked for, or read from standard input");
  options[2].add_to(*add);
  add->add_option("name", name, "localpart")->required();
  add->add_flag("--admin", admin, "a server administrator");
  add->callback([&] {
    status = with_config(options[2], [&](const Config& config) {
      auto password = password_for(config);
      return password ? report(add_user(config, name, *password, admin)) : complain(password.error());
    });
  });
  auto* list = user->add_subcommand("list", "every account");
  options[3].add_to(*list);
  list->callback(
      [&] { status = with_config(options[3], [](const Config& config) { return report(list_users(config)); }); });
  auto* change = user->add_subcommand("password", "set an account's password, ending its sessions");
  options[4].add_to(*change);
  change->add_option("name", name, "localpart")->required();
  change->callback([&] {
    status = with_config(options[4], [&](const Config& config) {
      auto password = password_for(config);
      return password ? report(set_password(config, name, *password)) : complain(password.error());
    });
  });

  auto* token = program.add_subcommand("token", "registration tokens")->require_subcommand(1);
  auto* make = token->add_subcommand("new", "print a new registration token");
  options[5].add_to(*make);
  int uses = 1;
  make->add_option("--uses", uses, "accounts it is good for")->check(CLI::Range(1, 1'000'000));
  make->callback(
      [&] { status = with_config(options[5], [&](const Config& config) { return report(new_token(config, uses)); }); });

  auto* back = program.add_subcommand(
      "restored", "say that the database was put back to an earlier state, or is to be used again after it moved");
  options[6].add_to(*back);
  back->callback(
      [&] { status = with_config(options[6], [](const Config& config) { return report(restored(config)); }); });

  auto* state = program.add_subcommand("status", "say which processes are alive, what each does, and how far all is");
  options[7].add_to(*state);
  bool as_json = false;
  state->add_flag("--json", as_json, "as JSON, as /_myelin/admin/status has it");
  state->callback([&] {
    status = with_config(options[7], [&](const Config& config) { return report(app::status(config, as_json)); });
  });

  MoveCommand move;
  move.add_to(program, status);
  ExplainCommand explain;
  explain.add_to(program, status);

  program.add_subcommand("version", "print the version")->callback([] { fmt::print("myelin {}\n", kVersion); });

  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    auto complaint = error.get_exit_code() == 0 ? std::string() : complaint_about_a_word(program);
    return complaint.empty() ? program.exit(error) : complain({Code::kInvalidParam, complaint});
  }
  return status;
}

}  // namespace myelin::app
