// The bus's consumers among the processes: each is at work in one of those whose roles allow it, by a lease, and at
// rest in the others. All topics of one consumer go together. Thread: the loop.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/roles.h"
#include "infra/bus/bus.h"
#include "infra/lease/lease.h"

namespace myelin::app {

class SharedConsumers {
 public:
  SharedConsumers(bus::Bus&, Executor loop);
  // Before the leases start, when every consumer is declared.
  void want(lease::Leases&, const Roles&);
  Task<> stop();

 private:
  void begin(const std::string& consumer);
  Task<> end(std::string consumer);
  Task<> rest(std::string consumer);

  bus::Bus& bus_;
  std::map<std::string, std::vector<bus::Topic>> topics_;  // by consumer
  std::set<std::string> mine_;
  TaskSet tasks_;
};

}  // namespace myelin::app
