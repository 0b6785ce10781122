// A hash that nobody outside can predict: for every table whose keys come from the network. With the library's own,
// whoever chooses the keys can make all of them collide, and each look-up walks over all.
#pragma once
#include <cstddef>
#include <functional>
#include <string_view>
#include <type_traits>

namespace myelin {

size_t keyed_hash(std::string_view) noexcept;  // SipHash-2-4 with a random key of this process; any thread

// For std::unordered_map and set: strings by keyed_hash, numbers and what has a std::hash of its own by that.
struct KeyedHash {
  using is_transparent = void;
  template <class T>
  size_t operator()(const T& key) const noexcept {
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      return keyed_hash(key);
    } else {
      return std::hash<T>()(key);
    }
  }
};

}  // namespace myelin
