// libcurl's multi interface on one thread: it is handed transfers, and posts their results to the loop.
#include "infra/net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "infra/net/address_policy.h"

namespace myelin::net {
namespace {

template <auto kFree>
struct Deleter {
  void operator()(auto* object) const { kFree(object); }
};
using Easy = std::unique_ptr<CURL, Deleter<curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Deleter<curl_multi_cleanup>>;
using List = std::unique_ptr<curl_slist, Deleter<curl_slist_free_all>>;

constexpr size_t kMaxHeaderBytes = 64 * 1024;
constexpr long kConnectionsPerHost = 6, kConnections = 256;
// Past the deadline that libcurl keeps: how much longer the coroutine waits for libcurl to say so.
constexpr std::chrono::seconds kGrace{5};

// What a coroutine and the transfer it waits for share.
struct Waiting {
  explicit Waiting(Executor loop) : bell(std::move(loop)) {}
  Doorbell bell;                           // the loop's
  std::optional<Result<Response>> result;  // the loop's
  std::atomic<bool> abandoned = false;     // nobody waits any more
};

// One exchange. Owned by the thread once handed over.
struct Transfer {
  OutboundRequest request;
  std::shared_ptr<Waiting> waiting;
  Easy curl;
  List headers;
  Response response;
  size_t header_bytes = 0;
  bool allow_private = false, denied = false, too_large = false;
};

size_t on_body(char* data, size_t, size_t size, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  if (size > transfer.request.max_body_bytes - transfer.response.body.size()) {
    transfer.too_large = true;
    return 0;
  }
  transfer.response.body.append(data, size);
  return size;
}

size_t on_header(char* data, size_t, size_t size, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  transfer.header_bytes += size;
  if (transfer.header_bytes > kMaxHeaderBytes) {
    transfer.too_large = true;
    return 0;
  }
  std::string_view line(data, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) transfer.response.headers.clear();  // an interim answer came before
  auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  auto value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  transfer.response.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  return size;
}

// The address is checked where it is used, so no name can resolve to another one in between.
curl_socket_t open_socket(void* from, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(from);
  if (!transfer.allow_private && !is_public_address(address->addr)) {
    transfer.denied = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

Result<Response> result_of(Transfer& transfer, CURLcode code) {
  if (transfer.too_large) return fail(Code::kTooLarge, "the answer is too large");
  if (code == CURLE_UNSUPPORTED_PROTOCOL) return fail(Code::kForbidden, "only http and https are spoken");
  if (code != CURLE_OK && transfer.denied) return fail(Code::kForbidden, "connections to this address are not allowed");
  if (code == CURLE_OPERATION_TIMEDOUT) return fail(Code::kTimeout, "no answer in time");
  if (code != CURLE_OK) return fail(Code::kUnavailable, curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(transfer.curl.get(), CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  transfer.response.content_type.clear();
  for (const auto& header : transfer.response.headers)
    if (curl_strequal(header.name.c_str(), "content-type")) transfer.response.content_type = header.value;
  return std::move(transfer.response);
}

bool is_one_line(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

// Makes libcurl's list of header lines; false when one of them cannot be sent.
bool add_headers(Transfer& transfer) {
  auto add = [&](const std::string& line) {
    auto* list = transfer.headers.release();
    auto* longer = curl_slist_append(list, line.c_str());
    transfer.headers.reset(longer == nullptr ? list : longer);
    return longer != nullptr;
  };
  bool ok = add("Expect:");  // no waiting for 100 Continue
  for (const auto& header : transfer.request.headers)
    ok = ok && is_one_line(header.name) && is_one_line(header.value) &&
         add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  return ok;
}

bool prepare(Transfer& transfer, const ClientOptions& options) {
  transfer.curl.reset(curl_easy_init());
  auto* curl = transfer.curl.get();
  if (curl == nullptr || !add_headers(transfer)) return false;
  const auto& request = transfer.request;
  transfer.allow_private = options.allow_private_addresses;
  bool ok = true;
  auto set = [&](CURLoption option, auto value) { ok = curl_easy_setopt(curl, option, value) == CURLE_OK && ok; };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name that does not resolve in time holds nobody else up
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_TIMEOUT_MS, std::max(1L, static_cast<long>(request.deadline.count())));
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&transfer));
  set(CURLOPT_HTTPHEADER, transfer.headers.get());
  if (request.method == Method::kHead) set(CURLOPT_NOBODY, 1L);
  if (request.method != Method::kGet && request.method != Method::kHead) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.data());
    set(CURLOPT_CUSTOMREQUEST, std::string(to_string(request.method)).c_str());
  }
  return ok;
}

// The transfers and the thread's work on them. The loop adds and abandons, the thread does the rest.
class Transfers {
 public:
  explicit Transfers(Executor loop) : loop_(std::move(loop)), multi_(curl_multi_init()) {
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, kConnectionsPerHost);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, kConnections);
  }

  void add(std::unique_ptr<Transfer> transfer) {
    std::lock_guard lock(mutex_);
    incoming_.push_back(std::move(transfer));
    curl_multi_wakeup(multi_.get());
  }
  void abandon(Waiting& waiting) {
    waiting.abandoned = true;
    any_abandoned_ = true;
    curl_multi_wakeup(multi_.get());
  }
  void stop() {
    stopping_ = true;
    curl_multi_wakeup(multi_.get());
  }

  void run() {
    while (!stopping_) {
      take_incoming();
      if (any_abandoned_.exchange(false)) drop_abandoned();
      int active = 0, left = 0;
      curl_multi_perform(multi_.get(), &active);
      while (auto* message = curl_multi_info_read(multi_.get(), &left))
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
      curl_multi_poll(multi_.get(), nullptr, 0, 1'000, nullptr);
    }
    take_incoming();
    while (!running_.empty()) finish(running_.begin()->first, CURLE_ABORTED_BY_CALLBACK);
  }

 private:
  void take_incoming() {
    std::vector<std::unique_ptr<Transfer>> incoming;
    {
      std::lock_guard lock(mutex_);
      incoming.swap(incoming_);
    }
    for (auto& transfer : incoming) {
      auto* curl = transfer->curl.get();
      running_[curl] = std::move(transfer);
      if (curl_multi_add_handle(multi_.get(), curl) != CURLM_OK) finish(curl, CURLE_FAILED_INIT);
    }
  }

  void drop_abandoned() {
    std::erase_if(running_, [&](const auto& entry) {
      if (!entry.second->waiting->abandoned) return false;
      curl_multi_remove_handle(multi_.get(), entry.first);
      return true;
    });
  }

  void finish(CURL* curl, CURLcode code) {
    curl_multi_remove_handle(multi_.get(), curl);
    auto transfer = std::move(running_.extract(curl).mapped());
    auto result = result_of(*transfer, code);
    boost::asio::post(loop_, [waiting = transfer->waiting, result = std::move(result)]() mutable {
      waiting->result = std::move(result);
      waiting->bell.ring();
    });
  }

  Executor loop_;
  Multi multi_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> incoming_;  // under mutex_
  std::atomic<bool> stopping_ = false, any_abandoned_ = false;
  std::map<CURL*, std::unique_ptr<Transfer>> running_;  // the thread's
};

class CurlClient final : public HttpClient {
 public:
  CurlClient(Executor loop, ClientOptions options)
      : loop_(std::move(loop)), options_(std::move(options)), transfers_(std::make_shared<Transfers>(loop_)) {
    thread_ = std::thread([transfers = transfers_.get()] {
      pthread_setname_np(pthread_self(), "http client");
      transfers->run();
    });
  }
  ~CurlClient() override {
    transfers_->stop();
    thread_.join();
  }

  Task<Result<Response>> send(OutboundRequest request) override {
    auto deadline = std::chrono::steady_clock::now() + request.deadline + kGrace;
    auto transfers = transfers_;  // the client may be gone when this coroutine ends
    auto waiting = std::make_shared<Waiting>(loop_);
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->waiting = waiting;
    if (!prepare(*transfer, options_)) co_return fail(Code::kUnavailable, "the request cannot be made");
    struct Leave {
      Transfers& transfers;
      Waiting& waiting;
      ~Leave() {
        if (!waiting.result) transfers.abandon(waiting);
      }
    } leave{*transfers, *waiting};
    transfers->add(std::move(transfer));
    co_await waiting->bell.wait(0, deadline);
    if (!waiting->result) co_return fail(Code::kTimeout, "no answer in time");
    co_return std::move(*waiting->result);
  }

 private:
  Executor loop_;
  ClientOptions options_;
  std::shared_ptr<Transfers> transfers_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::make(Executor loop, ClientOptions options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) log::error("libcurl does not start: {}", curl_easy_strerror(ready));
  return std::make_unique<CurlClient>(std::move(loop), std::move(options));
}

}  // namespace myelin::net
