// Stands between a client and a PostgreSQL on a Unix socket, and cuts the connection that sees its COMMIT answered:
// the commit has landed, its answer is lost. Thread: the test's; it relays on a thread of its own.
#pragma once
#include <atomic>
#include <string>
#include <thread>

#include "infra/db/testing/databases.h"

namespace myelin::db::testing {

class CuttingProxy {
 public:
  explicit CuttingProxy(const TemporaryPostgres&);
  ~CuttingProxy();
  const std::string& url() const { return url_; }
  void cut_next_commit() { armed_ = true; }
  bool has_cut() const { return !armed_; }

 private:
  void relay();

  TemporaryDirectory directory_;
  std::string server_socket_, url_;
  int listener_ = -1;
  std::atomic<bool> armed_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace myelin::db::testing
