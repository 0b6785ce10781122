// Sums of fingerprints, inside the library. Any thread.
#pragma once
#include <cstring>

#include "matrix/state_map.h"

namespace myelin {

__extension__ typedef unsigned __int128 Uint128;

inline Uint128 number_of(const Fingerprint& bytes) {
  Uint128 number;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}
inline Fingerprint bytes_of(Uint128 number) {
  Fingerprint bytes;
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

}  // namespace myelin
