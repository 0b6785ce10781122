#include "infra/db/testing/cutting_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>
#include <vector>

namespace myelin::db::testing {
namespace {

int unix_socket(const std::string& path, bool listening) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto raw = reinterpret_cast<sockaddr*>(&address);
  int code = listening ? ::bind(fd, raw, sizeof(address)) : ::connect(fd, raw, sizeof(address));
  if (code == 0 && (!listening || ::listen(fd, 16) == 0)) return fd;
  ::close(fd);
  return -1;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool counts_to_zero(std::atomic<int>& left) { return left > 0 && --left == 0; }

}  // namespace

CuttingProxy::CuttingProxy(const TemporaryPostgres& server) {
  auto url = server.url();
  auto host = url.find("host=") + 5;
  server_socket_ = url.substr(host, url.find('&', host) - host) + "/.s.PGSQL.5432";
  url_ = url.replace(host, url.find('&', host) - host, directory_.path());
  listener_ = unix_socket(directory_.path() + "/.s.PGSQL.5432", true);
  thread_ = std::thread([this] { relay(); });
}

CuttingProxy::~CuttingProxy() {
  stopping_ = true;
  thread_.join();
  ::close(listener_);
  if (kept_) ::close(kept_socket_);
}

void CuttingProxy::let_through() {
  if (!kept_.exchange(false)) return;
  send_all(kept_socket_, kept_bytes_);
  ::shutdown(kept_socket_, SHUT_WR);
  char buffer[65536];
  while (::recv(kept_socket_, buffer, sizeof(buffer), 0) > 0) continue;
  ::close(kept_socket_);
}

void CuttingProxy::relay() {
  struct Pair {
    int client, server;
  };
  std::vector<Pair> pairs;
  auto drop = [](Pair& pair) {
    ::close(pair.client);
    ::close(pair.server);
    pair.client = -1;
  };
  char buffer[65536];
  while (!stopping_) {
    std::vector<pollfd> polled{{listener_, POLLIN, 0}};
    for (auto& pair : pairs) {
      polled.push_back({pair.client, POLLIN, 0});
      polled.push_back({pair.server, POLLIN, 0});
    }
    ::poll(polled.data(), polled.size(), 20);
    for (size_t i = 0; i < pairs.size(); ++i) {
      for (bool from_server : {false, true}) {
        auto& pair = pairs[i];
        if (pair.client < 0 || polled[1 + 2 * i + (from_server ? 1 : 0)].revents == 0) continue;
        auto length = ::recv(from_server ? pair.server : pair.client, buffer, sizeof(buffer), 0);
        std::string_view bytes(buffer, length > 0 ? static_cast<size_t>(length) : 0);
        if (!from_server && !bytes.empty() && counts_to_zero(keeps_)) {
          kept_socket_ = std::exchange(pair.server, -1);
          kept_bytes_ = bytes;
          kept_ = true;
          drop(pair);
          continue;
        }
        bool cut = from_server && (counts_to_zero(answers_left_) ||
                                   (bytes.contains(std::string_view("COMMIT\0", 7)) && counts_to_zero(commits_left_)));
        if (cut || bytes.empty() || !send_all(from_server ? pair.client : pair.server, bytes)) drop(pair);
      }
    }
    std::erase_if(pairs, [](const Pair& pair) { return pair.client < 0; });
    if (polled[0].revents != 0) {
      int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      int server = unix_socket(server_socket_, false);
      if (client >= 0 && server >= 0) pairs.push_back({client, server});
    }
  }
  for (auto& pair : pairs) drop(pair);
}

}  // namespace myelin::db::testing
