// Boost.JSON, compiled here instead of linked from the system, with a hash for its tables that nobody outside can
// predict. Its own is FNV-1a, salted with an address, and a table has as many buckets as the text has keys: 2^k keys
// that agree in k bits made one list, and reading, comparing and copying key by key took time quadratic in their
// number. The order of an object's members does not come from the hash.
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "base/keyed_hash.h"

#define BOOST_JSON_DETAIL_DIGEST_HPP  // boost/json/detail/digest.hpp, whose one function stands here instead

namespace boost::json::detail {

// The second parameter is there to have another name for the linker than Boost's, which other files may have seen.
template <class Iterator, bool kKeyed = true>
std::size_t digest(Iterator begin, Iterator end, std::size_t) noexcept {
  if constexpr (!std::is_same_v<Iterator, const char*>) {  // of a JSON pointer
    std::string text;
    for (; begin != end; ++begin) text += *begin;
    return myelin::keyed_hash(text);
  } else {
    return myelin::keyed_hash({begin, static_cast<std::size_t>(end - begin)});
  }
}

}  // namespace boost::json::detail

#include <boost/json/src.hpp>
