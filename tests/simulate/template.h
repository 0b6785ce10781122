// Where every run begins: a homeserver with users who share rooms, in order. Thread: the one there is.
#pragma once
#include <vector>

#include "matrix/signing.h"
#include "tests/simulate/ledger.h"
#include "tests/simulate/shared_database.h"

namespace myelin::simulate {

inline constexpr int64_t kStart = 1'700'000'000'000;  // ms since the epoch, at the beginning of the template

struct Template {
  db::SqliteHandle database;
  std::vector<Account> accounts;
};
// Throws std::runtime_error.
Template make_template(SharedDatabase&, const SigningKey&);

}  // namespace myelin::simulate
