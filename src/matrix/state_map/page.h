// The stored form of pages (docs/decisions/0003-state-map.md), inside the library.
#pragma once
#include <algorithm>
#include <span>
#include <string>

#include "matrix/state_map.h"

namespace myelin {

inline constexpr uint8_t kMaxLevel = 7;  // 16^8 keys: all of them

inline constexpr size_t kChecksumBytes = 4;

std::string encode_page(uint32_t page_no, std::span<const StateNode> nodes);
// CRC-32C of the page number and what follows the checksum: a page in another's place is found out too.
std::string page_checksum(uint32_t page_no, std::string_view body);

// The node, its level checked. kCorrupt.
Result<StateNode> load_node(PageStore&, NodeRef, std::optional<uint8_t> level = {});

// A slot that no page has stays one.
inline NodeRef top(const StateRoot& root) {
  return {root.page, static_cast<uint8_t>(std::min<uint32_t>(root.slot, UINT8_MAX))};
}
inline unsigned digit(uint32_t key_no, uint8_t level) { return key_no >> (4 * level) & 15U; }
inline bool covers(uint8_t level, uint32_t key_no) { return level >= kMaxLevel || key_no >> (4 * (level + 1)) == 0; }

}  // namespace myelin
