// The heads of all partitions, and the deletion of outbox rows that every registered consumer has applied. Thread: the
// loop.
#pragma once
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/task.h"
#include "infra/bus/bus.h"

namespace myelin::bus {

// next_seq of each partition, by topic; 0: has no head yet.
using Heads = std::map<std::string, std::array<uint64_t, kPartitions>, std::less<>>;
Task<Result<Heads>> read_heads(db::Database&);  // one query

// Whose rows go is decided by the table of cursors, which knows every consumer of every process; a topic without any
// keeps all of its rows.
class Trimmer {
 public:
  explicit Trimmer(db::Database&);
  // Once, in pieces that do not hold a lane up.
  Task<Result<void>> trim(std::set<std::string, std::less<>> topics);

 private:
  struct Partition {
    uint32_t number;
    uint64_t applied;  // by all
  };
  using Applied = std::map<std::string, std::vector<Partition>>;
  Task<Result<Applied>> look();
  Task<Result<void>> trim_topic(std::string topic, std::vector<Partition> partitions);

  db::Database& db_;
  std::map<std::string, std::array<uint64_t, kPartitions>> done_;  // up to where rows are gone
  bool alarmed_ = false;
  prometheus::Gauge& rows_;
};

}  // namespace myelin::bus
