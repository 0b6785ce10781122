// A throwaway PostgreSQL for the life of the test process.
#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/log.h"
#include "infra/db/postgres.h"
#include "infra/db/testing/databases.h"

namespace myelin::db::testing {
namespace {

[[noreturn]] void give_up(const std::string& why) {
  log::error("no PostgreSQL for tests: {}", why);
  std::abort();
}

class Server {
 public:
  static Server& shared() {
    static Server server;
    return server;
  }
  ~Server() {
    if (pid_ > 0) {
      ::kill(pid_, SIGQUIT);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  std::string url(const std::string& database) const {
    return fmt::format("postgresql:///{}?host={}&user=postgres", database, directory_.path());
  }

 private:
  Server() {
    if (::geteuid() == 0) become_ = ::getpwnam("postgres");
    if (become_ != nullptr && ::chown(directory_.path().c_str(), become_->pw_uid, become_->pw_gid) != 0) {
      give_up("chown");
    }
    auto data = directory_.path() + "/data";
    int status = 0;
    ::waitpid(start({bin("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--encoding=UTF8", "--locale=C",
                     "--no-sync", "--no-instructions"}),
              &status, 0);
    if (status != 0) give_up("initdb failed");
    pid_ = start({bin("postgres"), "-D", data, "-k", directory_.path(), "-c", "listen_addresses=", "-c",
                  "shared_buffers=16MB", "-c", "max_connections=60", "-c", "log_min_messages=fatal"});
    for (int i = 0; PQping(url("postgres").c_str()) != PQPING_OK; ++i) {
      if (i > 600) give_up("it does not start");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  static std::string bin(const std::string& program) {
    auto path = "/usr/lib/postgresql/15/bin/" + program;
    if (!std::filesystem::exists(path)) give_up(path + " is not installed");
    return path;
  }

  pid_t start(std::vector<std::string> command) {
    auto log_file = directory_.path() + "/log";
    auto pid = ::fork();
    if (pid != 0) return pid;
    if (become_ != nullptr && (::setgid(become_->pw_gid) != 0 || ::setuid(become_->pw_uid) != 0)) ::_exit(1);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    int log = ::open(log_file.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    ::dup2(log, 1);
    ::dup2(log, 2);
    if (::chdir("/") != 0) ::_exit(1);
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }

  TemporaryDirectory directory_;
  passwd* become_ = nullptr;
  pid_t pid_ = -1;
};

std::string ask(const std::string& url, const std::string& statement) {
  PgConnection connection(PQconnectdb(url.c_str()));
  PgResult result(PQexec(connection.get(), statement.c_str()));
  auto status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK) return PQcmdTuples(result.get());
  if (status != PGRES_TUPLES_OK) give_up(statement + ": " + PQerrorMessage(connection.get()));
  return PQntuples(result.get()) == 0 ? "" : PQgetvalue(result.get(), 0, 0);
}

}  // namespace

TemporaryPostgres::TemporaryPostgres() {
  static std::atomic<int> count = 0;
  auto name = fmt::format("test{}", ++count);
  ask(Server::shared().url("postgres"), "CREATE DATABASE " + name);
  url_ = Server::shared().url(name);
}

std::string TemporaryPostgres::sql(const std::string& statement) const { return ask(url_, statement); }

}  // namespace myelin::db::testing
