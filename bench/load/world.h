// The homeserver that is measured, as bench/load/run started it: its programs, what they cost, and an end for one of
// them. Thread: one. What cannot be read throws.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace myelin::bench {

struct Program {
  std::string name, kind;          // rooms-1, rooms
  uint16_t port = 0;               // where it answers
  std::vector<std::string> roles;  // of `myelin serve`; none: all of them
  bool is_server = false;          // it is `myelin serve`
  double start_seconds = 0;        // until it was ready
};

class World {
 public:
  // `file`: JSON, an object with name, folder, port, programs.
  explicit World(const std::string& file);

  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }  // for clients
  bool is_one_process() const { return servers().size() == 1; }
  std::vector<Program> servers() const;
  std::vector<Program> of_kind(const std::string& kind) const;

  size_t rss_bytes(const Program&) const;  // resident set now
  size_t rss_bytes() const;                // of all servers
  // User and system seconds so far of every program and its children, by kind.
  std::map<std::string, double> cpu_seconds() const;
  pid_t pid(const Program&) const;  // changes when it is started again
  void kill(const Program&) const;  // at once, with -9

 private:
  std::string name_, folder_;
  uint16_t port_ = 0;
  std::vector<Program> programs_;
};

}  // namespace myelin::bench
