#include "matrix/state_map/page.h"

#include <bit>
#include <boost/crc.hpp>
#include <limits>

#include "base/bytes.h"

namespace myelin {
namespace {

constexpr char kFormat = 1;

void append_leaf(std::string& out, const StateNode& node) {
  uint32_t base = std::numeric_limits<uint32_t>::max();
  for (unsigned i = 0; i < 16; ++i)
    if (node.has(i)) base = std::min(base, node.value[i]);
  append_varint(out, base);
  for (unsigned i = 0; i < 16; ++i)
    if (node.has(i)) append_varint(out, node.value[i] - base);
}

void append_inner(std::string& out, const StateNode& node, uint32_t page_no) {
  for (unsigned i = 0; i < 16; ++i)
    if (node.has(i)) append_varint(out, uint64_t{page_no - node.value[i]} * kNodesPerPage + node.slot[i]);
}

// All of these: false when malformed.
bool read_leaf(std::string_view& in, StateNode& node) {
  auto base = read_varint(in);
  if (!base || *base > std::numeric_limits<uint32_t>::max()) return false;
  for (unsigned i = 0; i < 16; ++i) {
    if (!node.has(i)) continue;
    auto above = read_varint(in);
    if (!above || *above > std::numeric_limits<uint32_t>::max() - *base) return false;
    node.value[i] = static_cast<uint32_t>(*base + *above);
  }
  return true;
}

// A child is older than its parent: in an earlier page, or earlier in the same. So no walk goes in circles.
bool read_inner(std::string_view& in, StateNode& node, uint32_t page_no, size_t own_slot) {
  for (unsigned i = 0; i < 16; ++i) {
    if (!node.has(i)) continue;
    auto back = read_varint(in);
    if (!back || *back / kNodesPerPage >= page_no) return false;
    node.value[i] = page_no - static_cast<uint32_t>(*back / kNodesPerPage);
    node.slot[i] = static_cast<uint8_t>(*back % kNodesPerPage);
    if (node.value[i] == page_no && node.slot[i] >= own_slot) return false;
  }
  return true;
}

bool read_node(std::string_view& in, StateNode& node, uint32_t page_no, size_t own_slot) {
  if (in.size() < 3) return false;
  node.level = static_cast<uint8_t>(in[0]);
  node.present = static_cast<uint16_t>(static_cast<uint8_t>(in[1]) | static_cast<uint8_t>(in[2]) << 8);
  in.remove_prefix(3);
  if (node.level > kMaxLevel || node.present == 0) return false;
  return node.level == 0 ? read_leaf(in, node) : read_inner(in, node, page_no, own_slot);
}

}  // namespace

std::string page_checksum(uint32_t page_no, std::string_view body) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(&page_no, sizeof page_no);
  crc.process_bytes(body.data(), body.size());
  auto sum = static_cast<uint32_t>(crc.checksum());
  std::string bytes(kChecksumBytes, '\0');
  for (size_t i = 0; i < kChecksumBytes; ++i) bytes[i] = static_cast<char>(sum >> (8 * i) & 0xFF);
  return bytes;
}

std::string encode_page(uint32_t page_no, std::span<const StateNode> nodes) {
  std::string body;
  body.push_back(kFormat);
  body.push_back(static_cast<char>(nodes.size()));
  for (auto& node : nodes) {
    body.push_back(static_cast<char>(node.level));
    body.push_back(static_cast<char>(node.present & 0xFF));
    body.push_back(static_cast<char>(node.present >> 8));
    if (node.level == 0) {
      append_leaf(body, node);
    } else {
      append_inner(body, node, page_no);
    }
  }
  return page_checksum(page_no, body) + body;
}

Result<PagePtr> Page::parse(uint32_t page_no, std::string_view bytes) {
  auto corrupt = [&](const char* what) {
    return fail(Code::kCorrupt, fmt::format("state page {}: {}", page_no, what));
  };
  if (bytes.size() < kChecksumBytes + 2) return corrupt("cut short");
  std::string_view body = bytes.substr(kChecksumBytes);
  if (bytes.substr(0, kChecksumBytes) != page_checksum(page_no, body)) return corrupt("wrong checksum");
  if (body[0] != kFormat) return corrupt("unknown format");
  auto count = static_cast<uint8_t>(body[1]);
  if (count == 0 || count > kNodesPerPage) return corrupt("wrong number of nodes");
  body.remove_prefix(2);
  std::vector<StateNode> nodes(count);
  for (size_t slot = 0; slot < count; ++slot)
    if (!read_node(body, nodes[slot], page_no, slot)) return corrupt("malformed node");
  if (!body.empty()) return corrupt("bytes left over");
  return PagePtr(new Page(std::move(nodes)));
}

Result<StateNode> load_node(PageStore& pages, NodeRef ref, std::optional<uint8_t> level) {
  MYELIN_TRY(PagePtr page, pages.load(ref.page));
  auto node = page->node(ref.slot);
  if (!node) return fail(Code::kCorrupt, fmt::format("state page {} has no node {}", ref.page, ref.slot));
  if (level && node->level != *level)
    return fail(Code::kCorrupt, fmt::format("node {} of state page {} is of another level", ref.slot, ref.page));
  return *node;
}

// ---- pages in memory

void PageSet::add(uint32_t page_no, PagePtr page) { pages_[page_no] = std::move(page); }
void PageSet::erase(uint32_t page_no) { pages_.erase(page_no); }

Result<PagePtr> PageSet::load(uint32_t page_no) {
  auto found = pages_.find(page_no);
  if (found != pages_.end()) return found->second;
  missing_.push_back(page_no);
  return fail(Code::kNotFound, fmt::format("state page {} is not in memory", page_no));
}

Result<void> PageSet::add(const NewPage& page) {
  MYELIN_TRY(PagePtr parsed, Page::parse(page.page_no, page.bytes));
  add(page.page_no, std::move(parsed));
  return {};
}

}  // namespace myelin
