// Stands between a client and a PostgreSQL on a Unix socket, and cuts the connection that sees an answer, or its COMMIT
// answered: the commit has landed, its answer is lost. Or it keeps what a client sends, which has been cut off by then.
// Thread: the test's; it relays on a thread of its own.
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
  // From now on, and once: 1 is the next. An answer may come in several pieces.
  void cut_commit(int number) { commits_left_ = number; }
  void cut_next_commit() { cut_commit(1); }
  void cut_answer(int number) { answers_left_ = number; }
  bool has_cut() const { return commits_left_ == 0 && answers_left_ == 0; }
  // From now on, and once: cuts the connection off that a client sends something on. The server receives that, and that
  // the client is gone, when it is let through; returns when the server has ended the connection.
  void keep_back() { keeps_ = 1; }
  bool has_kept() const { return kept_; }
  void let_through();

 private:
  void relay();

  TemporaryDirectory directory_;
  std::string server_socket_, url_;
  int listener_ = -1;
  std::atomic<int> commits_left_ = 0, answers_left_ = 0, keeps_ = 0;
  int kept_socket_ = -1;  // to the server; set before `kept_` is
  std::string kept_bytes_;
  std::atomic<bool> kept_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace myelin::db::testing
