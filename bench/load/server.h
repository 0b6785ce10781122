// The server that is measured: a process of its own on a fresh data directory.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace myelin::bench {

class Server {
 public:
  Server(std::string program, std::string data, uint16_t port, std::vector<std::string> extra);
  ~Server();                   // ends it
  double start();              // seconds from exec to the first answered request
  size_t rss_bytes() const;    // resident set now
  double cpu_seconds() const;  // user and system so far
  uint16_t port() const { return port_; }

 private:
  std::string program_, data_;
  uint16_t port_;
  std::vector<std::string> extra_;
  pid_t pid_ = -1;
};

}  // namespace myelin::bench
