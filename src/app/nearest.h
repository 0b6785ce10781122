// What somebody who mistyped a name may have meant. Thread: any.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace myelin::app {

// The name with the least edit distance to `word`, the first of several; "" when there is none.
std::string nearest_of(std::string_view word, std::span<const std::string> names);

}  // namespace myelin::app
