// Paths to properties of an event (appendices, Dot-separated property paths). Any thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "matrix/json.h"

namespace myelin {

// "content.m\.relates_to.rel_type": content, m.relates_to, rel_type. At least one name; any text is a path. One that is
// deeper than any event is cut behind that, where it leads nowhere.
using PropertyPath = std::vector<std::string>;
PropertyPath parse_property_path(std::string_view);

// The property; null when absent.
const json::Value* property_at(const json::Object&, const PropertyPath&);

// The object with the properties at these paths and nothing else. Each is copied once, whatever paths name it.
class PropertySelection {
 public:
  explicit PropertySelection(std::vector<PropertyPath>);
  json::Object of(const json::Object&) const;

 private:
  std::vector<PropertyPath> paths_;  // in order, and none inside another
};

}  // namespace myelin
