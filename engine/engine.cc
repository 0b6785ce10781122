#include "engine/engine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cstring>
#include <unordered_map>

#include "base/bytes.h"
#include "base/log.h"
#include "engine/mailbox.h"

// Exported by the Go files in archive/.
extern "C" {
uint64_t engine_open(char* options, int length, void* to_go, void* from_go, void* take, void* give, int bell,
                     int* status, char** message);
void engine_close(uint64_t handle);
uint64_t engine_memory();
int64_t engine_last_sequence(uint64_t handle, char* stream);
int engine_ensure_stream(uint64_t handle, char* spec, int length, char** message);
int engine_ensure_consumer(uint64_t handle, char* spec, int length, char** message);
int engine_delete_stream(uint64_t handle, char* stream, char** message);
int engine_delete_consumer(uint64_t handle, char* stream, char* consumer, char** message);
void engine_subscribe(uint64_t handle, char* stream, char* consumer, int prefetch, uint64_t token);
void engine_unsubscribe(uint64_t handle, uint64_t token);
char* engine_server(uint64_t handle);
void engine_leave_server(uint64_t handle);
int engine_listen(uint64_t handle, char* subject, uint64_t token, char** message);
}

namespace myelin::engine {
namespace asio = boost::asio;
namespace {

enum Status : uint32_t { kOk = 0, kFailed = 1, kMessage = 2, kLog = 4, kTimedOut = 8, kBack = 9 };
enum Kind : uint32_t { kPublish = 1, kAcknowledge = 2, kHint = 3, kRequest = 4, kRefuse = 5 };
constexpr size_t kToGo = 64 << 20, kFromGo = 16 << 20;  // bytes that may wait
constexpr int kAtOnce = 256;                            // records handled before others on the loop get their turn
constexpr std::string_view kClosed = "the engine is closed";

// cgo's functions take pointers to what they only read.
char* c_text(std::string_view text) { return const_cast<char*>(text.data()); }

// Of a step in Go: 1 is success, 2 what is there was declared otherwise, 3 nobody is there to answer, 4
// what the embedded engine has stored is damaged.
Result<void> outcome(int status, char* message) {
  if (status == 1) return {};
  std::string text = message != nullptr ? message : "unknown error";
  ::free(message);
  constexpr Code kCodes[] = {Code::kUnavailable, Code::kInternal, Code::kConflict, Code::kTimeout, Code::kCorrupt};
  auto code = kCodes[status];
  return fail(code, "NATS: " + text);
}

// ThreadSanitizer does not see what Go's threads agree on among themselves: it is told when memory, a mailbox or Go's
// own, may pass into their hands and out of them.
#if __has_feature(thread_sanitizer)
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
char in_go;
void hand_over() { __tsan_release(&in_go); }
void take_over() { __tsan_acquire(&in_go); }
#else
void hand_over() {}
void take_over() {}
#endif

// What Go calls, on its threads.
int take(void* box, char* out, int capacity) {
  take_over();
  int size = static_cast<Mailbox*>(box)->take(out, static_cast<size_t>(capacity));
  hand_over();
  return size;
}
int give(void* box, const char* records, int size) {
  take_over();
  bool fits = static_cast<Mailbox*>(box)->give({records, static_cast<size_t>(size)});
  hand_over();
  return fits ? 1 : 0;
}

// A message as the archive cuts it.
std::string message_head(std::string_view subject, std::string_view payload) {
  std::string out(6, '\0');
  auto subject_size = static_cast<uint16_t>(subject.size());
  auto payload_size = static_cast<uint32_t>(payload.size());
  std::memcpy(out.data(), &subject_size, 2);
  std::memcpy(out.data() + 2, &payload_size, 4);
  return out += subject;
}

void log_line(std::string_view data) {
  if (data.empty()) return;
  auto text = data.substr(1);
  switch (data[0]) {
    case 0:
      log::debug("engine: {}", text);
      break;
    case 1:
      log::info("engine: {}", text);
      break;
    case 2:
      log::warning("engine: {}", text);
      break;
    default:
      log::error("engine: {}", text);
  }
}

}  // namespace

struct Engine::State {
  explicit State(Executor e) : loop(e), bell(e, ::fcntl(from_go.bell(), F_DUPFD_CLOEXEC, 0)) {}
  using Handler = std::function<void(uint32_t status, std::string_view data)>;

  uint64_t handle = 0;  // 0: closed
  Executor loop;
  Mailbox to_go{kToGo}, from_go{kFromGo};
  asio::posix::stream_descriptor bell;
  uint64_t last_token = 0;
  std::unordered_map<uint64_t, Handler> once;
  std::unordered_map<uint64_t, std::shared_ptr<MessageHandler>> always;
  std::function<void()> reconnected;

  uint64_t add_once(Handler handler) {
    once.emplace(++last_token, std::move(handler));
    return last_token;
  }
  uint64_t add_always(MessageHandler handler) {
    always.emplace(++last_token, std::make_shared<MessageHandler>(std::move(handler)));
    return last_token;
  }
  // Completes the token with what Go makes of it, or with why it does not get it.
  void submit(uint64_t token, Kind kind, std::initializer_list<std::string_view> parts) {
    if (handle == 0) return dispatch(token, kFailed, kClosed);
    if (!to_go.put(token, kind, parts)) dispatch(token, kFailed, "the engine is far behind");
  }

  void dispatch(uint64_t token, uint32_t status, std::string_view data) {
    if (status == kLog) return log_line(data);
    if (status == kMessage) return deliver(token, data);
    if (status == kBack) {
      if (auto handler = reconnected) handler();  // it may close the engine
      return;
    }
    auto it = once.find(token);
    if (it == once.end()) return log::error("engine: {}", data);  // a panic in a goroutine of ours
    auto handler = std::move(it->second);
    once.erase(it);
    handler(status, data);
  }

  void deliver(uint64_t token, std::string_view data) {
    auto reply = read_string(data);
    if (!reply) return;
    auto it = always.find(token);
    if (it == always.end()) return answer(kRefuse, {std::string(*reply)});  // it has unsubscribed
    auto handler = it->second;                                              // it may close the engine
    (*handler)(*reply, data);
  }

  void answer(Kind kind, const std::vector<std::string>& replies) {
    std::string text;
    for (const auto& reply : replies) text += reply + '\n';
    if (!text.empty() && handle != 0) (void)to_go.put(0, kind, {text});
  }

  // The first records, which it cuts off.
  void handle_some(std::string_view& records) {
    for (int i = 0; i < kAtOnce && records.size() >= Mailbox::kHead && handle != 0; ++i) {
      uint64_t token;
      uint32_t status, size;
      std::memcpy(&token, records.data(), 8);
      std::memcpy(&status, records.data() + 8, 4);
      std::memcpy(&size, records.data() + 12, 4);
      auto data = records.substr(Mailbox::kHead, size);
      records.remove_prefix(Mailbox::kHead + size);
      dispatch(token, status, data);
    }
  }

  static Task<> listen(std::shared_ptr<State> state) {
    while (state->handle != 0) {
      boost::system::error_code error;
      co_await state->bell.async_wait(asio::posix::stream_descriptor::wait_read,
                                      asio::redirect_error(asio::use_awaitable, error));
      if (error || state->handle == 0) co_return;
      uint64_t rung;
      [[maybe_unused]] auto ignored = ::read(state->bell.native_handle(), &rung, sizeof rung);
      auto taken = state->from_go.take();
      for (std::string_view rest = taken; !rest.empty() && state->handle != 0;) {
        state->handle_some(rest);
        if (!rest.empty()) co_await asio::post(state->loop, asio::use_awaitable);
      }
    }
  }

  void close() {
    if (handle == 0) return;
    engine_close(std::exchange(handle, 0));
    take_over();
    boost::system::error_code ignored;
    bell.close(ignored);
    always.clear();
    reconnected = {};
    auto unanswered = std::exchange(once, {});
    for (auto& [token, handler] : unanswered) handler(kFailed, kClosed);
  }
};

Engine::Engine(std::shared_ptr<State> state) : state_(std::move(state)) {
  asio::co_spawn(state_->loop, State::listen(state_), asio::detached);
}

Engine::~Engine() { close(); }
void Engine::close() { state_->close(); }

Result<std::unique_ptr<Engine>> Engine::open(const Options& options, Executor loop) {
  boost::json::object json{{"store_dir", options.store_dir}, {"max_memory_mb", options.memory_mb},
                           {"threads", options.threads},     {"url", options.url},
                           {"user", options.user},           {"password", options.password},
                           {"token", options.token},         {"credentials", options.credentials},
                           {"nkey", options.nkey},           {"tls_ca", options.tls_ca},
                           {"tls_cert", options.tls_cert},   {"tls_key", options.tls_key}};
  auto text = boost::json::serialize(json);
  auto state = std::make_shared<State>(loop);
  char* message = nullptr;
  int status = 0;
  int bell = ::fcntl(state->to_go.bell(), F_DUPFD_CLOEXEC, 0);  // Go closes it
  hand_over();
  state->handle = engine_open(text.data(), static_cast<int>(text.size()), &state->to_go, &state->from_go,
                              reinterpret_cast<void*>(&take), reinterpret_cast<void*>(&give), bell, &status, &message);
  if (state->handle == 0) return std::unexpected(outcome(status, message).error());
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Result<void> Engine::ensure_stream(const StreamSpec& spec) {
  boost::json::array subjects;
  for (const auto& subject : spec.subjects) subjects.emplace_back(subject);
  auto text = boost::json::serialize(boost::json::object{{"name", spec.name},
                                                         {"subjects", std::move(subjects)},
                                                         {"memory", spec.in_memory},
                                                         {"max_bytes", spec.max_bytes}});
  char* message = nullptr;
  return outcome(engine_ensure_stream(state_->handle, text.data(), static_cast<int>(text.size()), &message), message);
}

Result<void> Engine::ensure_consumer(const std::string& stream, const std::string& name) {
  auto text = boost::json::serialize(boost::json::object{{"stream", stream}, {"name", name}});
  char* message = nullptr;
  return outcome(engine_ensure_consumer(state_->handle, text.data(), static_cast<int>(text.size()), &message), message);
}

Result<void> Engine::delete_stream(const std::string& name) {
  char* message = nullptr;
  return outcome(engine_delete_stream(state_->handle, c_text(name), &message), message);
}
Result<void> Engine::delete_consumer(const std::string& stream, const std::string& name) {
  char* message = nullptr;
  return outcome(engine_delete_consumer(state_->handle, c_text(stream), c_text(name), &message), message);
}

void Engine::publish(const std::vector<Publish>& messages, std::function<void(Result<void>)> done) {
  std::string flat;
  for (const auto& message : messages) {
    flat += message_head(message.subject, message.payload);
    flat += message.payload;
  }
  auto token = state_->add_once([done = std::move(done)](uint32_t status, std::string_view data) {
    done(status == kOk ? Result<void>() : fail(Code::kUnavailable, std::string(data)));
  });
  state_->submit(token, kPublish, {flat});
}

uint64_t Engine::subscribe(const std::string& stream, const std::string& consumer, int prefetch,
                           MessageHandler handler) {
  auto token = state_->add_always(std::move(handler));
  engine_subscribe(state_->handle, c_text(stream), c_text(consumer), prefetch, token);
  return token;
}

void Engine::unsubscribe(uint64_t subscription) {
  if (state_->always.erase(subscription) > 0) engine_unsubscribe(state_->handle, subscription);
}

std::string Engine::server() const {
  char* name = engine_server(state_->handle);
  std::string out = name;
  ::free(name);
  return out;
}

void Engine::leave_server() { engine_leave_server(state_->handle); }

void Engine::acknowledge(const std::vector<std::string>& replies) { state_->answer(kAcknowledge, replies); }
void Engine::refuse(const std::vector<std::string>& replies) { state_->answer(kRefuse, replies); }
void Engine::on_reconnected(std::function<void()> handler) { state_->reconnected = std::move(handler); }

void Engine::hint(const std::string& subject, std::string_view payload) {
  if (state_->handle != 0) (void)state_->to_go.put(0, kHint, {message_head(subject, payload), payload});
}

Result<void> Engine::listen(const std::string& subject, MessageHandler handler) {
  char* message = nullptr;
  return outcome(engine_listen(state_->handle, c_text(subject), state_->add_always(std::move(handler)), &message),
                 message);
}

void Engine::request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
                     std::function<void(Result<std::string>)> done) {
  auto token = state_->add_once([done = std::move(done)](uint32_t status, std::string_view data) {
    if (status == kOk)
      done(std::string(data));
    else
      done(fail(status == kTimedOut ? Code::kTimeout : Code::kUnavailable, std::string(data)));
  });
  auto milliseconds = static_cast<uint32_t>(deadline.count());
  std::string_view wait(reinterpret_cast<const char*>(&milliseconds), sizeof milliseconds);
  state_->submit(token, kRequest, {wait, message_head(subject, payload), payload});
}

int64_t Engine::last_sequence(const std::string& stream) const {
  return engine_last_sequence(state_->handle, c_text(stream));
}
uint64_t Engine::memory_bytes() { return engine_memory(); }

}  // namespace myelin::engine
