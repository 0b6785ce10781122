#pragma once
#include <string_view>

namespace myelin::app {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace myelin::app
