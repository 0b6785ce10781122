// What is measured, case by case: each adds its rows, and throws when something acknowledged is missing afterwards.
#pragma once
#include "bench/load/bench.h"

namespace myelin::bench {

void idle(Bench&);                    // time of the start, memory; nothing was asked yet
Task<> parked(Bench&, size_t polls);  // memory of a long poll that waits
Task<> sends(Bench&, size_t clients, size_t rooms, std::string bar);
Task<> fan_out(Bench&, size_t devices);  // from a send until every long poll has answered with it
Task<> empty_sync(Bench&);
Task<> messages(Bench&);
Task<> rooms_and_joins(Bench&);
// kill -9 of a process that owns rooms, `kills` times, while sends go on. Needs two of them, and somebody who starts
// again what was killed.
Task<> failover(Bench&, size_t kills);

}  // namespace myelin::bench
