// A round of a process's leases, in one transaction: it says that it is alive (or registers), reads what the others
// say, and takes what is its share and free.
//
// It waits for no lock but that of its own row: what is locked (the head of a partition whose former owner has a
// transaction under way, a row that another process is taking) is left for the next round. So rule A2's order cannot
// deadlock here, and a renewal is never late because of a taking. Thread: a lane's; plain data.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "infra/lease/lease.h"

namespace myelin::lease {

struct RoundWish {
  std::string name;
  uint32_t parts = 1;
  bool is_topic = false;
  std::map<uint32_t, int64_t> held;  // with its epoch
  std::set<uint32_t> leaving;        // on its way out, in `held` or not any more
};

struct Round {
  std::string instance;
  std::string process_token;  // what every life of this process begins with
  std::string life;
  Process about;
  bool registers = false;  // the first of a life
  bool stopping = false;   // wants nothing any more
  bool resting = false;    // wants nothing for now
  bool is_alone = false;   // SQLite: whoever else is in the tables is not there
  Milliseconds length = 0;
  Milliseconds clock = 0;         // this process's own
  std::vector<RoundWish> wishes;  // sorted by name
};

using Holders = std::map<std::string, std::vector<std::string>, std::less<>>;  // by name, by part; "" = nobody alive

struct Change {                       // of one wish
  std::map<uint32_t, int64_t> taken;  // with its epoch
  std::vector<uint32_t> surplus;      // held, to be let go
  std::vector<uint32_t> lost;         // held, and another's by the tables
};

struct Outcome {
  enum class Standing {
    kAlive,
    kOver,      // the time was over, so all may be another's: nothing is held
    kReplaced,  // another process is alive under this instance
  };
  Standing standing = Standing::kAlive;
  std::string other_life;       // kReplaced
  Holders holders;              // after this round
  std::vector<Change> changes;  // of the wishes, in their order
  bool changed = false;         // what others may wait for
  bool again = false;           // something was locked: look again soon
};

Outcome run_round(db::Tx&, const Round&);

// The end of a life: nothing is held, and nobody waits for its time to be over.
void end_life(db::Tx&, const std::string& instance, const std::string& life, Milliseconds clock);
void give_up(db::Tx&, const std::string& instance, const std::string& name, uint32_t part, int64_t epoch);

}  // namespace myelin::lease
