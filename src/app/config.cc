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

namespace myelin::app {
namespace {

const Key* find(std::string_view name) {
  auto it = std::ranges::find(keys(), name, &Key::name);
  return it == keys().end() ? nullptr : &*it;
}

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row.back();
}

Result<void> wrong(std::string_view place, const std::string& what) {
  return fail(Code::kInvalidParam, fmt::format("{}: {}", place, what));
}

// Sets a key from text, with the checks its type asks for.
Result<void> assign(Config& config, std::string_view place, std::string_view name, std::string_view value) {
  const auto* key = find(name);
  if (key == nullptr) return wrong(place, fmt::format("unknown key \"{}\"; did you mean \"{}\"?", name, nearest(name)));
  if (key->type == KeyType::kFlag && value != "true" && value != "false" && value != "on" && value != "off")
    return wrong(place, fmt::format("{} must be true or false, not \"{}\"", name, value));
  if (key->type == KeyType::kNumber) {
    int64_t number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number <= 0)
      return wrong(place, fmt::format("{} must be a positive whole number, not \"{}\"", name, value));
  }
  if (!key->choices.empty() && std::ranges::find(key->choices, value) == key->choices.end())
    return wrong(place, fmt::format("{} must be one of {}, not \"{}\"", name, fmt::join(key->choices, ", "), value));
  key->set(config, value);
  return {};
}

Result<std::string> text_of(const toml::node& node, std::string_view place, std::string_view name) {
  if (auto text = node.value_exact<std::string>()) return *text;
  if (auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (auto number = node.value_exact<int64_t>()) return std::to_string(*number);
  if (const auto* array = node.as_array()) {
    std::vector<std::string> items;
    for (const auto& item : *array) {
      auto text = item.value_exact<std::string>();
      if (!text) return fail(Code::kInvalidParam, fmt::format("{}: {} must be a list of texts", place, name));
      items.push_back(*text);
    }
    return fmt::format("{}", fmt::join(items, ","));
  }
  return fail(Code::kInvalidParam, fmt::format("{}: {} has a value of a kind that no key takes", place, name));
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
    MYELIN_TRY(auto value, text_of(node, place, name.str()));
    if (key != nullptr && (key->type == KeyType::kList) != node.is_array())
      return wrong(place, fmt::format("{} must {}be a list", name.str(), key->type == KeyType::kList ? "" : "not "));
    MYELIN_CHECK(assign(config, place, name.str(), value));
  }
  return {};
}

std::string upper(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
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
  while (!value.empty()) {
    auto comma = value.find(',');
    if (out.size() > 1) out += ", ";
    out += quoted(value.substr(0, comma));
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
  }
  return out + "]";
}

}  // namespace

std::string nearest(std::string_view name) {
  std::string best;
  size_t least = SIZE_MAX;
  for (const auto& key : keys()) {
    if (key.hidden) continue;
    if (auto d = distance(name, key.name); d < least) {
      least = d;
      best = key.name;
    }
  }
  return best;
}

Result<Config> load(const Sources& sources) {
  Config config;
  for (const auto& key : keys()) key.set(config, key.initial);
  if (sources.file) {
    MYELIN_CHECK(read_file(config, *sources.file));
    config.file = *sources.file;
  }
  if (sources.environment)
    for (const auto& key : keys()) {
      auto variable = "MYELIN_" + upper(key.name);
      if (auto value = sources.environment(variable)) MYELIN_CHECK(assign(config, variable, key.name, *value));
    }
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

std::string effective_toml(const Config& config) {
  std::string out = "# Myelin's configuration. Every key can also be given as MYELIN_<KEY> or --set key=value.\n";
  for (const auto& key : keys()) {
    if (key.hidden) continue;
    auto value = key.get(config);
    if (key.secret && !value.empty()) value = "(secret)";
    out += fmt::format("\n# {}\n{} = {}\n", key.comment, key.name, toml_value(key, value));
  }
  return out;
}

std::string markdown() {
  std::string out =
      "# Configuration\n"
      "Made by `myelin config --markdown`. A key can stand in a TOML file (`--config FILE`), in the environment as "
      "`MYELIN_` and its\n"
      "name in capitals, or on the command line; the later wins. An unknown key or a wrong value stops the start.\n"
      "`myelin config` prints what is in effect.\n\n"
      "| key | default | command line | |\n|---|---|---|---|\n";
  for (const auto& key : keys()) {
    if (key.hidden) continue;
    out += fmt::format("| `{}` | `{}` | {} | {} |\n", key.name, toml_value(key, key.initial),
                       key.flag.empty() ? std::string() : fmt::format("`{}`", key.flag), key.comment);
  }
  return out;
}

}  // namespace myelin::app
