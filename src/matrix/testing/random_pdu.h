// PDUs made at random as they arrive from the network: of every version, with whatever JSON can hold, hashed and
// signed, and then most of them changed. And what we say to them. For the foreign oracle.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "matrix/verify.h"

namespace myelin::testing {

struct PduCase {
  const RoomRules* rules = nullptr;
  std::string text;    // as received; maybe not even UTF-8
  std::string change;  // what was done to it
  // Of what Event::parse accepts:
  std::optional<std::string> canonical, content_hash, reference_hash, event_id, redacted;  // hashes in base64
  std::string verdict;  // "whole", "redacted" (only that copy may be kept) or "refused"
  std::string reason;   // why refused
};

// Wholly given by the seed.
PduCase random_pdu_case(uint64_t seed);

// The keys that the servers of these PDUs sign with, by server and key id; what is signed with another is by no known
// key.
struct KnownKey {
  SigningKey key;
  std::optional<int64_t> expired_ts;
};
const std::map<std::string, std::map<std::string, KnownKey>>& known_keys();

}  // namespace myelin::testing
