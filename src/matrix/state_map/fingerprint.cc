#include "matrix/state_map/fingerprint.h"

#include <sodium.h>

#include <bit>

#include "base/bytes.h"

namespace myelin {

static_assert(std::endian::native == std::endian::little, "fingerprints are stored little-endian");

FingerprintKey::FingerprintKey(std::string_view secret32) {
  secret_.fill(0);
  std::memcpy(secret_.data(), secret32.data(), std::min(secret32.size(), secret_.size()));
}

Fingerprint FingerprintKey::item(std::string_view type, std::string_view state_key, const EventId& event_id) const {
  std::string text;
  text.reserve(type.size() + state_key.size() + event_id.str().size() + 6);
  append_string(text, type);
  append_string(text, state_key);
  append_string(text, event_id.str());
  Fingerprint out;
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                     secret_.data(), secret_.size());
  return out;
}

}  // namespace myelin
