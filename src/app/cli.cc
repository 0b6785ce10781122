#include "app/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "app/config.h"

namespace myelin::app {
namespace {

constexpr std::string_view kVersion = "0.1.0";

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
    sources.environment = [](const std::string& name) -> std::optional<std::string> {
      const char* value = std::getenv(name.c_str());
      if (value == nullptr) return std::nullopt;
      return value;
    };
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

// Loads the configuration and calls `action` with it.
int with_config(const ConfigOptions& options, const std::function<int(const Config&)>& action) {
  auto config = options.load();
  if (!config) return complain(config.error());
  return action(*config);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App program("Myelin, a Matrix homeserver", "myelin");
  program.require_subcommand(1);
  int status = 0;
  ConfigOptions options[2];

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

  program.add_subcommand("version", "print the version")->callback([] { fmt::print("myelin {}\n", kVersion); });

  CLI11_PARSE(program, argc, argv);
  return status;
}

}  // namespace myelin::app
