#include "infra/bus/bus.h"

namespace myelin::bus {

// FNV-1a over the bytes, folded: written down here because it may never change (docs/spine.md, rule B12).
uint32_t hash_of(std::string_view key) {
  uint64_t hash = 14695981039346656037ULL;
  for (unsigned char c : key) hash = (hash ^ c) * 1099511628211ULL;
  hash ^= hash >> 32;
  hash ^= hash >> 16;
  return static_cast<uint32_t>(hash);
}

}  // namespace myelin::bus
