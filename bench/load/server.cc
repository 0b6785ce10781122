#include "bench/load/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace myelin::bench {
namespace {

bool answers(uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool ok = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (ok) {
    constexpr std::string_view kRequest =
        "GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char reply[16] = {};
    ok = ::write(fd, kRequest.data(), kRequest.size()) > 0 && ::read(fd, reply, 12) == 12 &&
         std::string_view(reply, 12) == "HTTP/1.1 200";
  }
  ::close(fd);
  return ok;
}

}  // namespace

Server::Server(std::string program, std::string data, uint16_t port, std::vector<std::string> extra)
    : program_(std::move(program)), data_(std::move(data)), port_(port), extra_(std::move(extra)) {}

Server::~Server() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

double Server::start() {
  if (answers(port_)) throw std::runtime_error(fmt::format("another server answers on port {}", port_));
  std::vector<std::string> words{program_,        "serve",     "--data",         data_,
                                 "--server-name", "localhost", "--registration", "open",
                                 "--rate-limits", "off",       "--listen",       "127.0.0.1:" + std::to_string(port_)};
  words.insert(words.end(), extra_.begin(), extra_.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  auto log = data_ + ".log";
  auto begin = std::chrono::steady_clock::now();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execv(program_.c_str(), arguments.data());
    ::_exit(127);
  }
  while (!answers(port_)) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("the server ended at start: see " + log);
    }
    if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(20))
      throw std::runtime_error("no answer in 20 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

size_t Server::rss_bytes() const {
  std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

double Server::cpu_seconds() const {
  std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
  std::string line;
  std::getline(stat, line);
  std::istringstream rest(line.substr(line.rfind(')') + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; rest >> field; ++i)
    if (i == 14 || i == 15) ticks += std::stod(field);
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace myelin::bench
