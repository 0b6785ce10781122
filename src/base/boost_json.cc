// Boost.JSON, compiled here instead of linked from the system, with a hash for its tables that nobody outside can
// predict. Its own is FNV-1a, salted with an address, and a table has as many buckets as the text has keys: 2^k keys
// that agree in k bits made one list, and reading, comparing and copying key by key took time quadratic in their
// number. Here it is SipHash with a key of this process. The order of an object's members does not come from the hash.
#include <sodium.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <random>
#include <string>
#include <type_traits>
#include <utility>

#define BOOST_JSON_DETAIL_DIGEST_HPP  // boost/json/detail/digest.hpp, whose one function stands here instead

namespace boost::json::detail {

using HashKey = std::array<unsigned char, crypto_shorthash_KEYBYTES>;

inline const HashKey& hash_key() {
  static const HashKey key = [] {
    std::random_device device;
    HashKey random;
    for (size_t i = 0; i < random.size(); i += sizeof(unsigned)) {
      unsigned word = device();
      std::memcpy(&random[i], &word, sizeof word);
    }
    return random;
  }();
  return key;
}

// The second parameter is there to have another name for the linker than Boost's, which other files may have seen.
template <class Iterator, bool kKeyed = true>
std::size_t digest(Iterator begin, Iterator end, std::size_t salt) noexcept {
  if constexpr (!std::is_same_v<Iterator, const char*>) {  // of a JSON pointer
    std::string text;
    for (; begin != end; ++begin) text += *begin;
    return digest(std::as_const(text).data(), std::as_const(text).data() + text.size(), salt);
  } else {
    unsigned char hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, reinterpret_cast<const unsigned char*>(begin), static_cast<size_t>(end - begin),
                     hash_key().data());
    std::size_t out;
    std::memcpy(&out, hash, sizeof out);
    return out;
  }
}

}  // namespace boost::json::detail

#include <boost/json/src.hpp>
