// libcurl's multi interface on one thread: it is handed transfers, and posts their results to the loop.
#include "infra/net/http_client.h"

#include <curl/curl.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <map>
#include <mutex>
#include <thread>

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

// One exchange. Owned by the thread once started; the waiting coroutine shares only `waiting`.
struct Waiting {
  explicit Waiting(Executor loop) : bell(loop) {}
  Doorbell bell;
  std::optional<Result<Response>> result;
};
struct Transfer {
  OutboundRequest request;
  std::shared_ptr<Waiting> waiting;
  Easy curl;
  List headers;
  Response response;
  bool allow_private = false, denied = false, too_large = false;
};

size_t on_body(char* data, size_t, size_t size, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  if (transfer.response.body.size() + size > transfer.request.max_body_bytes) {
    transfer.too_large = true;
    return 0;
  }
  transfer.response.body.append(data, size);
  return size;
}

size_t on_header(char* data, size_t, size_t size, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  std::string_view line(data, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) transfer.response.headers.clear();  // an interim answer came before
  auto colon = line.find(':');
  if (colon == std::string_view::npos || transfer.response.headers.size() >= 200) return size;
  auto value = line.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
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
  if (transfer.denied) return fail(Code::kForbidden, "connections to this address are not allowed");
  if (transfer.too_large) return fail(Code::kTooLarge, "the answer is too large");
  if (code == CURLE_OPERATION_TIMEDOUT) return fail(Code::kTimeout, "no answer in time");
  if (code != CURLE_OK) return fail(Code::kUnavailable, curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(transfer.curl.get(), CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  for (const auto& header : transfer.response.headers)
    if (curl_strequal(header.name.c_str(), "content-type")) transfer.response.content_type = header.value;
  return std::move(transfer.response);
}

class CurlClient final : public HttpClient {
 public:
  CurlClient(Executor loop, ClientOptions options) : loop_(std::move(loop)), options_(std::move(options)) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    multi_.reset(curl_multi_init());
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, 6L);
    thread_ = std::thread([this] { run(); });
  }
  ~CurlClient() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
  }

  Task<Result<Response>> send(OutboundRequest request) override {
    auto waiting = std::make_shared<Waiting>(loop_);
    auto transfer = std::make_unique<Transfer>();
    auto deadline = std::chrono::steady_clock::now() + request.deadline + std::chrono::seconds(5);
    transfer->request = std::move(request);
    transfer->waiting = waiting;
    if (!prepare(*transfer)) co_return fail(Code::kUnavailable, "the request cannot be made");
    {
      std::lock_guard lock(mutex_);
      incoming_.push_back(std::move(transfer));
    }
    curl_multi_wakeup(multi_.get());
    co_await waiting->bell.wait(0, deadline);
    if (!waiting->result) co_return fail(Code::kTimeout, "no answer in time");
    co_return std::move(*waiting->result);
  }

 private:
  bool prepare(Transfer& transfer) {
    transfer.curl.reset(curl_easy_init());
    auto* curl = transfer.curl.get();
    if (curl == nullptr) return false;
    const auto& request = transfer.request;
    transfer.allow_private = options_.allow_private_addresses;
    bool ok = true;
    auto set = [&](CURLoption option, auto value) { ok = curl_easy_setopt(curl, option, value) == CURLE_OK && ok; };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.deadline.count()));
    set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
    set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&transfer));
    set(CURLOPT_PRIVATE, static_cast<void*>(&transfer));
    if (request.method == Method::kHead) set(CURLOPT_NOBODY, 1L);
    if (request.method != Method::kGet && request.method != Method::kHead) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.data());
      set(CURLOPT_CUSTOMREQUEST, std::string(to_string(request.method)).c_str());
    }
    auto add = [&](const std::string& line) {
      auto* longer = curl_slist_append(transfer.headers.get(), line.c_str());
      if (longer == nullptr) return false;
      (void)transfer.headers.release();
      transfer.headers.reset(longer);
      return true;
    };
    for (const auto& header : request.headers) ok = add(header.name + ": " + header.value) && ok;
    ok = add("Expect:") && ok;
    set(CURLOPT_HTTPHEADER, transfer.headers.get());
    return ok;
  }

  void finish(std::unique_ptr<Transfer> transfer, CURLcode code) {
    auto result = result_of(*transfer, code);
    boost::asio::post(loop_, [waiting = transfer->waiting, result = std::move(result)]() mutable {
      waiting->result = std::move(result);
      waiting->bell.ring();
    });
  }

  void take_incoming() {
    std::lock_guard lock(mutex_);
    for (auto& transfer : incoming_) {
      auto* curl = transfer->curl.get();
      curl_multi_add_handle(multi_.get(), curl);
      running_[curl] = std::move(transfer);
    }
    incoming_.clear();
  }

  void run() {
    while (!stopping_) {
      take_incoming();
      int active = 0, left = 0;
      curl_multi_perform(multi_.get(), &active);
      while (auto* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        auto* curl = message->easy_handle;
        auto code = message->data.result;
        curl_multi_remove_handle(multi_.get(), curl);
        auto done = running_.extract(curl);
        finish(std::move(done.mapped()), code);
      }
      curl_multi_poll(multi_.get(), nullptr, 0, 1'000, nullptr);
    }
    for (auto& [curl, transfer] : running_) curl_multi_remove_handle(multi_.get(), curl);
    running_.clear();
  }

  Executor loop_;
  ClientOptions options_;
  Multi multi_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> incoming_;  // under mutex_
  std::atomic<bool> stopping_ = false;
  std::map<CURL*, std::unique_ptr<Transfer>> running_;  // the thread's
  std::thread thread_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::make(Executor loop, ClientOptions options) {
  return std::make_unique<CurlClient>(std::move(loop), std::move(options));
}

}  // namespace myelin::net
