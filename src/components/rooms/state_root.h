// State roots as stored: 24 bytes. Any thread.
#pragma once
#include <cstring>
#include <string>
#include <string_view>

#include "matrix/state_map.h"

namespace myelin::rooms {

inline std::string encode_root(const StateRoot& root) {
  std::string out(24, '\0');
  std::memcpy(out.data(), &root.page, 4);
  std::memcpy(out.data() + 4, &root.slot, 4);
  std::memcpy(out.data() + 8, root.fingerprint.data(), 16);
  return out;
}

inline StateRoot decode_root(std::string_view bytes) {
  StateRoot root;
  if (bytes.size() != 24) return root;
  std::memcpy(&root.page, bytes.data(), 4);
  std::memcpy(&root.slot, bytes.data() + 4, 4);
  std::memcpy(root.fingerprint.data(), bytes.data() + 8, 16);
  return root;
}

}  // namespace myelin::rooms
