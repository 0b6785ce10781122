#include "app/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "app/addresses.h"
#include "app/nearest.h"
#include "app/roles.h"

namespace myelin::app {
namespace {

const Key* find(std::string_view name) {
  auto it = std::ranges::find(keys(), name, &Key::name);
  return it == keys().end() ? nullptr : &*it;
}

Result<void> wrong(std::string_view place, const std::string& what) {
  return fail(Code::kInvalidParam, fmt::format("{}: {}", place, what));
}

std::string upper(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}
std::string lower(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// A value as text, for complaints.
std::string shown(const Key& key, std::string_view value) { return key.mask ? key.mask(value) : std::string(value); }

// Does it hold the mask of `myelin config` where a secret belongs? A secret without a URL around it may contain it.
bool lacks_its_secret(const Key& key, std::string_view value) {
  return key.mask && (value == kMask || (key.mask(value) != kMask && value.contains(kMask)));
}

Result<void> check_number(const Key& key, std::string_view place, std::string_view value) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc() && end == value.data() + value.size() && number >= key.least && number <= key.most)
    return {};
  return wrong(
      place, fmt::format("{} must be a whole number from {} to {}, not \"{}\"", key.name, key.least, key.most, value));
}

Result<void> check_texts(const Key& key, std::string_view place, std::string_view value) {
  if (!key.check) return {};
  auto items = key.type == KeyType::kList ? split_list(value) : std::vector<std::string>{std::string(value)};
  if (items.empty() && !key.initial.empty()) items.emplace_back();  // a list that may not be empty
  for (const auto& item : items)
    if (!key.check(item))
      return wrong(place, fmt::format("{} must be {}, not \"{}\"", key.name, key.right, shown(key, item)));
  return {};
}

// Sets a key from text, with the checks it asks for.
Result<void> assign(Config& config, std::string_view place, std::string_view name, std::string_view value) {
  const auto* key = find(name);
  if (key == nullptr) return wrong(place, fmt::format("unknown key \"{}\"; did you mean \"{}\"?", name, nearest(name)));
  if (key->type == KeyType::kFlag && value != "true" && value != "false" && value != "on" && value != "off")
    return wrong(place, fmt::format("{} must be true or false, not \"{}\"", name, value));
  if (key->type == KeyType::kNumber) MYELIN_CHECK(check_number(*key, place, value));
  if (!key->choices.empty() && std::ranges::find(key->choices, value) == key->choices.end())
    return wrong(place, fmt::format("{} must be one of {}, not \"{}\"", name, fmt::join(key->choices, ", "), value));
  MYELIN_CHECK(check_texts(*key, place, value));
  if (lacks_its_secret(*key, value))
    return wrong(place, fmt::format("{} has {} for the secret, which is not printed: put the secret back, or take this "
                                    "out and set MYELIN_{}",
                                    name, kMask, upper(name)));
  key->set(config, value);
  config.places.insert_or_assign(std::string(name), place);
  if (name == "server_name") config.server_name_is_given = true;
  return {};
}

std::string_view kind_of(KeyType type) {
  switch (type) {
    case KeyType::kText:
      return "a text in quotes";
    case KeyType::kFlag:
      return "true or false";
    case KeyType::kNumber:
      return "a whole number, without quotes";
    case KeyType::kList:
      break;
  }
  return "a list of texts in quotes";
}

// The value as the other sources have it; nullopt: it is of another type.
std::optional<std::string> text_of(const Key& key, const toml::node& node) {
  auto text = node.value_exact<std::string>();
  auto flag = node.value_exact<bool>();
  auto number = node.value_exact<int64_t>();
  if (key.type == KeyType::kText) return text;
  if (key.type == KeyType::kFlag && flag) return *flag ? "true" : "false";
  if (key.type == KeyType::kNumber && number) return std::to_string(*number);
  if (key.type != KeyType::kList || !node.is_array()) return std::nullopt;
  std::vector<std::string> items;
  for (const auto& item : *node.as_array()) {
    auto each = item.value_exact<std::string>();
    if (!each || each->find(',') != std::string::npos) return std::nullopt;
    items.push_back(*each);
  }
  return fmt::format("{}", fmt::join(items, ","));
}

Result<void> read_file(Config& config, const std::string& path) {
  std::ifstream in(path);
  if (!in) return wrong(path, "cannot be read");
  std::stringstream text;
  text << in.rdbuf();
  auto parsed = toml::parse(text.str(), path);
  if (!parsed) {
    const auto& error = parsed.error();
    return wrong(fmt::format("{}:{}", path, error.source().begin.line), std::string(error.description()));
  }
  for (const auto& [name, node] : parsed.table()) {
    auto place = fmt::format("{}:{}", path, node.source().begin.line);
    const auto* key = find(name.str());
    if (const auto* section = node.as_table(); section != nullptr && !section->is_inline())
      return wrong(
          place, fmt::format("there are no sections here: [{}] has no meaning, keys stand by themselves", name.str()));
    auto value = key != nullptr ? text_of(*key, node) : "";
    if (!value) return wrong(place, fmt::format("{} must be {}", name.str(), kind_of(key->type)));
    MYELIN_CHECK(assign(config, place, name.str(), *value));
  }
  return {};
}

// Variables that are none of the configuration's: those of tests, and what Kubernetes sets for a service of this name.
bool is_foreign(std::string_view variable) {
  constexpr std::string_view kOfTests[] = {"MYELIN_CRASH_AT", "MYELIN_FAIL_AT", "MYELIN_POWER_CUT"};
  return std::ranges::find(kOfTests, variable) != std::end(kOfTests) || variable.starts_with("MYELIN_SERVICE_") ||
         variable == "MYELIN_PORT" || variable.starts_with("MYELIN_PORT_");
}

Result<void> read_environment(Config& config, const std::map<std::string, std::string>& environment) {
  constexpr std::string_view kPrefix = "MYELIN_";
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(kPrefix) || is_foreign(variable)) continue;
    auto name = lower(std::string_view(variable).substr(kPrefix.size()));
    if (find(name) == nullptr || variable != kPrefix.data() + upper(name))
      return wrong(variable, fmt::format("unknown variable; did you mean {}{}?", kPrefix, upper(nearest(name))));
    MYELIN_CHECK(assign(config, variable, name, value));
  }
  return {};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string toml_value(const Key& key, std::string_view value) {
  switch (key.type) {
    case KeyType::kText:
      return quoted(value);
    case KeyType::kFlag:
    case KeyType::kNumber:
      return std::string(value);
    case KeyType::kList:
      break;
  }
  std::string out = "[";
  for (const auto& item : split_list(value)) {
    if (out.size() > 1) out += ", ";
    out += quoted(item);
  }
  return out + "]";
}

}  // namespace

std::string nearest(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& key : keys())
    if (!key.hidden) names.emplace_back(key.name);
  return nearest_of(name, names);
}

Result<Config> load(const Sources& sources) {
  Config config;
  for (const auto& key : keys()) key.set(config, key.initial);
  if (sources.file) {
    MYELIN_CHECK(read_file(config, *sources.file));
    config.file = *sources.file;
  }
  MYELIN_CHECK(read_environment(config, sources.environment));
  std::vector<std::pair<std::string, std::string>> merged;  // a list named twice has both values
  for (const auto& [name, value] : sources.settings) {
    const auto* key = find(name);
    auto same = std::ranges::find(merged, name, &std::pair<std::string, std::string>::first);
    if (key != nullptr && key->type == KeyType::kList && same != merged.end())
      same->second += "," + value;
    else
      merged.emplace_back(name, value);
  }
  for (const auto& [name, value] : merged) MYELIN_CHECK(assign(config, "command line", name, value));
  return config;
}

namespace {
std::string place_of(const Config& config, std::string_view key) {
  auto place = config.places.find(key);
  return place == config.places.end() ? "configuration" : place->second;
}
}  // namespace

Result<void> check_roles(const Config& config) {
  auto roles = Roles::of(config.roles);
  bool alone = config.database == "sqlite" || config.nats == "embedded";
  if (roles.client && roles.rooms && roles.sync && roles.background) return {};
  if (config.roles.empty()) return wrong(place_of(config, "roles"), "roles: this process would do nothing");
  if (!alone) return {};
  return wrong(place_of(config, "roles"),
               fmt::format("roles: with {} there is no other process that could do the rest: several need PostgreSQL "
                           "and an external NATS",
                           config.database == "sqlite" ? "sqlite" : "the embedded engine"));
}

Result<void> check_nats(const Config& config) {
  for (const auto& key : keys()) {
    bool is_file = key.name == "nats_credentials" || key.name == "nats_nkey" || key.name.starts_with("nats_tls_");
    auto value = key.get(config);
    if (!key.name.starts_with("nats_") || value.empty()) continue;
    auto at = place_of(config, key.name);
    if (config.nats == "embedded")
      return wrong(at, fmt::format("{} is for an external NATS, and nats is \"embedded\"", key.name));
    if (is_file && !std::ifstream(value)) return wrong(at, fmt::format("{}: {} cannot be read", key.name, value));
  }
  return {};
}

std::string effective_toml(const Config& config) {
  std::string out = "# Myelin's configuration. Every key can also be given as MYELIN_<KEY> or --set key=value.\n";
  for (const auto& key : keys()) {
    if (key.hidden) continue;
    auto value = key.get(config);
    auto printed = shown(key, value);
    if (printed == value)
      out += fmt::format("\n# {}\n{} = {}\n", key.comment, key.name, toml_value(key, value));
    else  // a start with this line is refused: nothing else is taken in the secret's place
      out += fmt::format(
          "\n# {}\n# Secrets are not printed: put yours back for {}, or take this line out and set MYELIN_{}.\n{} = "
          "{}\n",
          key.comment, kMask, upper(key.name), key.name, toml_value(key, printed));
  }
  return out;
}

std::string markdown() {
  std::string out =
      "# Configuration\n"
      "Made by `myelin config --markdown`. A key can stand in a TOML file (`--config FILE`), in the environment as "
      "`MYELIN_` and its\n"
      "name in capitals, or on the command line; the later wins. An unknown key or variable or a wrong value stops the "
      "start, and is named\n"
      "with its line. `myelin config` prints what is in effect, as a file with `***` for each secret: it is refused "
      "until they are put\n"
      "back.\n\n"
      "| key | default | command line | |\n|---|---|---|---|\n";
  for (const auto& key : keys()) {
    if (key.hidden) continue;
    out += fmt::format("| `{}` | `{}` | {} | {} |\n", key.name, toml_value(key, key.initial),
                       key.flag.empty() ? std::string() : fmt::format("`{}`", key.flag), key.comment);
  }
  return out;
}

}  // namespace myelin::app
