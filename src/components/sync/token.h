// A /sync token: the position, and optional marks that any server may ignore (docs/spine.md, rule B10).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace myelin::sync {

struct Token {
  int64_t position = 0;
  int64_t to_device = -1;  // last to-device position given out, when fewer than all were; -1 = position
  uint32_t process = 0;    // of typing: which process counted, and how far
  uint64_t typing = 0;

  int64_t to_device_position() const { return to_device < 0 ? position : to_device; }
  std::string str() const;  // "s<position>[_<process>.<typing>][~<to_device>]"
  static std::optional<Token> parse(std::string_view);
};

}  // namespace myelin::sync
