#include "components/sync/v3/event_fields.h"

#include "matrix/json.h"

namespace myelin::sync {
namespace {

// Appendices, Dot-separated property paths.
std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> out(1);
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size() && (path[i + 1] == '.' || path[i + 1] == '\\'))
      out.back() += path[++i];
    else if (path[i] == '.')
      out.emplace_back();
    else
      out.back() += path[i];
  }
  return out;
}

void copy(const json::Object& from, json::Object& to, const std::vector<std::string>& path, size_t depth) {
  const auto* value = from.if_contains(path[depth]);
  if (value == nullptr) return;
  if (depth + 1 == path.size()) {
    to[path[depth]] = *value;
    return;
  }
  const auto* inner = value->if_object();
  if (inner == nullptr) return;
  auto& slot = to[path[depth]];
  copy(*inner, slot.is_object() ? slot.get_object() : slot.emplace_object(), path, depth + 1);
}

}  // namespace

std::string only_fields(std::string event, const std::vector<std::string>& paths) {
  if (paths.empty()) return event;
  auto whole = json::parse_object(event, {.bytes = 1u << 20, .depth = json::kMaxTransactionDepth});
  if (!whole) return event;
  json::Object out;
  for (const auto& path : paths) copy(*whole, out, split(path), 0);
  return json::serialize(out);
}

}  // namespace myelin::sync
