// A nats-server process for tests, from the same Go module as the engine; on loopback, with a store of its own.
// Thread: the test's.
#pragma once
#include <sys/types.h>

#include <string>

#include "engine/engine.h"
#include "infra/db/testing/databases.h"

namespace myelin::engine::testing {

class NatsServer {
 public:
  // How its clients prove who they are. kTls: with certificates on both sides.
  enum class Login { kNothing, kPassword, kToken, kNkey, kTls, kCredentials };
  explicit NatsServer(Login = Login::kNothing);
  ~NatsServer();
  NatsServer(const NatsServer&) = delete;

  Options client() const;  // what opens an engine on it
  void start();            // again, on the same port; ends the test program when it does not start
  void kill();             // -9
  void stop();             // SIGTERM, and its end
  void pause();            // it stands still until resume(), its connections open
  void resume();
  void empty_store();  // while it is down

 private:
  void end(int signal);
  Login login_;
  db::testing::TemporaryDirectory directory_;
  int port_ = -1;  // -1: any
  pid_t process_ = 0;
  int alive_ = -1;  // the writing end of its standard input: it ends with us
};

}  // namespace myelin::engine::testing
