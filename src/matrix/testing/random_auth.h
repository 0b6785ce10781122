// Single decisions of the auth rules, made at random: a state, an event, what it cites, and what our rules say to it.
// About half are allowed. For the foreign oracle.
#pragma once
#include <string>
#include <vector>

#include "matrix/auth.h"

namespace myelin::testing {

struct AuthCase {
  struct Known {
    EventPtr event;
    bool rejected = false;
    bool in_state = false;  // else only cited
  };
  const RoomRules* rules = nullptr;
  std::vector<Known> known;
  EventPtr judged;
  std::vector<TypeAndKey> keys;  // that the rules may look at
  bool allowed = false;
  std::string reason;  // why not
};

// Wholly given by the seed.
AuthCase random_auth_case(uint64_t seed);

}  // namespace myelin::testing
