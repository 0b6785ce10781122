// The fields of an event that a filter asks for (client-server API, Filtering: event_fields). Any thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace myelin::sync {

// The event with nothing but these: dotted paths, a backslash before a dot or backslash that belongs to a name. All of
// it where there are none.
std::string only_fields(std::string event, const std::vector<std::string>& paths);

}  // namespace myelin::sync
