#include "engine/testing/nats_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/log.h"

namespace myelin::engine::testing {
namespace {

struct Child {
  pid_t process = 0;
  int input = -1, output = -1;
};

Child spawn(const std::vector<std::string>& arguments) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::vector<char*> argv{const_cast<char*>(MYELIN_NATS_SERVER)};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Child child{0, in[1], out[0]};
  int failed = ::posix_spawn(&child.process, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  if (failed != 0) {
    log::error("{} does not run: {}", argv[0], ::strerror(failed));
    std::abort();
  }
  return child;
}

std::string read_all_of_a_line(int fd) {
  std::string line;
  for (char c; ::read(fd, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

}  // namespace

NatsServer::NatsServer(Login login) : login_(login) {
  if (login_ >= Login::kNkey) {
    auto child = spawn({"-make", directory_.path()});
    ::waitpid(child.process, nullptr, 0);
    ::close(child.input);
    ::close(child.output);
  }
  start();
}

NatsServer::~NatsServer() { kill(); }

void NatsServer::start() {
  std::vector<std::string> arguments{"-store", directory_.path() + "/store", "-port", std::to_string(port_)};
  auto with = [&](std::initializer_list<std::string> more) { arguments.insert(arguments.end(), more); };
  if (login_ == Login::kPassword) with({"-user", "myelin", "-password", "pass word"});
  if (login_ == Login::kToken) with({"-token", "secret"});
  if (login_ == Login::kNkey) with({"-nkey", directory_.path()});
  if (login_ == Login::kTls) with({"-tls", directory_.path()});
  if (login_ == Login::kCredentials) with({"-creds", directory_.path()});
  auto child = spawn(arguments);
  auto line = read_all_of_a_line(child.output);
  ::close(child.output);
  if (!line.starts_with("ready ")) {
    log::error("nats-server does not start: {}", line);
    std::abort();
  }
  port_ = std::stoi(line.substr(6));
  process_ = child.process;
  alive_ = child.input;
}

Options NatsServer::client() const {
  Options options;
  options.url = fmt::format("{}://127.0.0.1:{}", login_ == Login::kTls ? "tls" : "nats", port_);
  auto file = [&](const char* name) { return directory_.path() + "/" + name; };
  if (login_ == Login::kPassword) {
    options.user = "myelin";
    options.password = "pass word";
  }
  if (login_ == Login::kToken) options.token = "secret";
  if (login_ == Login::kNkey) options.nkey = file("nkey.seed");
  if (login_ == Login::kCredentials) options.credentials = file("user.creds");
  if (login_ == Login::kTls) {
    options.tls_ca = file("ca.pem");
    options.tls_cert = file("cert.pem");
    options.tls_key = file("key.pem");
  }
  return options;
}

void NatsServer::end(int signal) {
  if (process_ == 0) return;
  ::kill(process_, signal);
  ::waitpid(process_, nullptr, 0);
  ::close(alive_);
  process_ = 0;
}
void NatsServer::kill() { end(SIGKILL); }
void NatsServer::stop() { end(SIGTERM); }
void NatsServer::pause() { ::kill(process_, SIGSTOP); }
void NatsServer::resume() { ::kill(process_, SIGCONT); }

void NatsServer::empty_store() { std::filesystem::remove_all(directory_.path() + "/store"); }

}  // namespace myelin::engine::testing
