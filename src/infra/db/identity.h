// The row of table `database_identity`: the token that names the database, and with it its history. Thread: the
// session's.
#pragma once
#include <optional>
#include <string>

#include "infra/db/session.h"
#include "infra/db/witness.h"

namespace myelin::db {

struct Identity {
  std::string token;
  bool is_new = false;
  int64_t messages = 0;  // ever numbered
};

std::string new_token();

// In a transaction of the caller; throw Failure.
Identity read_identity(Session&);                       // kNotFound when it has none
void set_identity(Session&, const std::string& token);  // another history from the next start on

Result<Identity> identify(Session&);  // gives it one if it has none

// Whether a database of this history, in which so many messages have been numbered, is an earlier state of what the
// witness remembers (rules A13, A15). A PostgreSQL has witnesses on other machines too: that this one knows none, or
// another history, says nothing there.
bool is_earlier_state(const std::optional<Witness::Memory>&, const std::string& history, int64_t messages, Dialect);

}  // namespace myelin::db
