// What must be true when everything has calmed down. Thread: the one there is.
#pragma once
#include "tests/simulate/client.h"

namespace myelin::simulate {

using Clients = std::vector<std::unique_ptr<Client>>;

// What is still under way; "" when nothing is.
std::string unfinished(SharedDatabase&, const Processes&, const Clients&);
// The database has lost its last commits: what was acknowledged in them is not asked for any more.
void forget_what_is_lost(SharedDatabase&, Ledger&, Clients&);
// Of the tables; each broken promise is a violation.
void check_tables(World&, SharedDatabase&, const Ledger&);
void check_pushes(World&, const Ledger&, const Account& who);
// What a new client is told is unread is what comes to by counting the events.
Task<> check_counts(World&, SharedDatabase&, const Processes&, const Ledger&, Account who);
// Every process shows what was redacted as redacted.
Task<> check_redactions(World&, const Processes&, const Ledger&, Account who);

}  // namespace myelin::simulate
