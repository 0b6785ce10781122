// Pagination tokens (appendices, Conventions for Matrix APIs: Pagination): opaque to clients, strict to us. What
// parse() takes is exactly what str() writes. Values; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace myelin {

// A position in a room's topological order, for /messages: events at most this deep, that arrived before
// `arrived_before`.
struct PageToken {
  int64_t depth = 0, order = 0;
  int64_t arrived_before = 0;  // 0: no bound
  std::string str() const;     // "t<depth>_<order>_<arrived_before>"
  static std::optional<PageToken> parse(std::string_view);
  friend bool operator==(const PageToken&, const PageToken&) = default;
};

// A position in /sync: everything up to it was given out; and marks that any server may ignore (docs/spine.md, B10).
struct SyncToken {
  int64_t position = 0;
  int64_t to_device = -1;  // last to-device position given out, when fewer than all were; -1 = position
  uint32_t process = 0;    // of typing: which process counted,
  uint64_t typing = 0;     // and how far, and what it showed (components/sync/typing.h)

  int64_t to_device_position() const { return to_device < 0 ? position : to_device; }
  std::string str() const;  // "s<position>[_<process>.<typing>][~<to_device>]"
  static std::optional<SyncToken> parse(std::string_view);
  friend bool operator==(const SyncToken&, const SyncToken&) = default;
};

// A place in a list that is made anew for each page, as that of the public rooms.
struct OffsetToken {
  uint32_t offset = 0;
  std::string str() const;  // "p<offset>"
  static std::optional<OffsetToken> parse(std::string_view);
  friend bool operator==(const OffsetToken&, const OffsetToken&) = default;
};

}  // namespace myelin
