#include "matrix/property_path.h"

#include <algorithm>
#include <span>

namespace myelin {
namespace {

// Those of `paths`, which begin with the same `depth` names, in `from`.
void select(const json::Object& from, std::span<const PropertyPath> paths, size_t depth, json::Object& to) {
  while (!paths.empty()) {
    auto& name = paths.front()[depth];
    auto end = std::ranges::find_if(paths, [&](auto& path) { return path[depth] != name; });
    auto same = paths.first(static_cast<size_t>(end - paths.begin()));
    paths = paths.subspan(same.size());
    auto value = from.if_contains(name);
    if (!value) continue;
    if (same.front().size() == depth + 1) {
      to[name] = *value;
    } else if (auto object = value->if_object()) {
      json::Object inside;
      select(*object, same, depth + 1, inside);
      if (!inside.empty()) to[name] = std::move(inside);
    }
  }
}

bool begins_with(const PropertyPath& path, const PropertyPath& start) {
  return path.size() >= start.size() && std::equal(start.begin(), start.end(), path.begin());
}

}  // namespace

PropertyPath parse_property_path(std::string_view text) {
  PropertyPath path(1);
  for (size_t i = 0; i < text.size() && path.size() <= json::kMaxStoredDepth; ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '.' || text[i + 1] == '\\'))
      path.back() += text[++i];
    else if (text[i] == '.')
      path.emplace_back();
    else
      path.back() += text[i];
  }
  return path;
}

const json::Value* property_at(const json::Object& in, const PropertyPath& path) {
  const json::Object* object = &in;
  const json::Value* value = nullptr;
  for (auto& name : path) {
    if (!object) return nullptr;
    value = object->if_contains(name);
    if (!value) return nullptr;
    object = value->if_object();
  }
  return value;
}

PropertySelection::PropertySelection(std::vector<PropertyPath> paths) {
  std::ranges::sort(paths);
  for (auto& path : paths)
    if (paths_.empty() || !begins_with(path, paths_.back())) paths_.push_back(std::move(path));
}

json::Object PropertySelection::of(const json::Object& object) const {
  json::Object out;
  select(object, paths_, 0, out);
  return out;
}

}  // namespace myelin
