#include "engine/engine.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
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

// Exported by the Go files in archive/.
extern "C" {
uint64_t engine_open(char* options, int length, int eventfd, char** message);
void engine_close(uint64_t handle);
int engine_drain(uint64_t handle, char* out, int capacity);
uint64_t engine_memory();
int64_t engine_last_sequence(uint64_t handle, char* stream);
int engine_ensure_stream(uint64_t handle, char* spec, int length, char** message);
int engine_ensure_consumer(uint64_t handle, char* spec, int length, char** message);
int engine_delete_stream(uint64_t handle, char* stream, char** message);
int engine_delete_consumer(uint64_t handle, char* stream, char* consumer, char** message);
void engine_publish(uint64_t handle, char* flat, int length, uint64_t token);
void engine_subscribe(uint64_t handle, char* stream, char* consumer, int prefetch, uint64_t token);
void engine_ack(uint64_t handle, char* replies, int length);
void engine_hint(uint64_t handle, char* subject, char* payload, int length);
int engine_listen(uint64_t handle, char* subject, char* queue, uint64_t token, char** message);
void engine_request(uint64_t handle, char* subject, char* payload, int length, int milliseconds, uint64_t token);
}

namespace myelin::engine {
namespace asio = boost::asio;
namespace {

enum Status : uint32_t { kOk = 0, kFailed = 1, kMessage = 2, kLog = 4 };
constexpr size_t kBuffer = 256 * 1024;
constexpr std::string_view kClosed = "the engine is closed";

// cgo's functions take pointers to what they only read.
char* c_text(std::string_view text) { return const_cast<char*>(text.data()); }

Result<void> outcome(int status, char* message) {
  if (status == 1) return {};
  std::string text = message != nullptr ? message : "unknown error";
  ::free(message);
  return fail(status == 2 ? Code::kConflict : Code::kUnavailable, "NATS: " + text);
}

void log_line(std::string_view data) {
  if (data.empty()) return;
  auto text = data.substr(1);
  switch (data[0]) {
    case 0:
      log::debug("engine: {}", text);
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
  State(uint64_t h, int fd, Executor e) : handle(h), loop(e), descriptor(e, fd), buffer(kBuffer, '\0') {}
  using Handler = std::function<void(uint32_t status, std::string_view data)>;

  uint64_t handle;  // 0: closed
  Executor loop;
  asio::posix::stream_descriptor descriptor;
  std::string buffer;
  uint64_t last_token = 0;
  std::unordered_map<uint64_t, Handler> once;
  std::unordered_map<uint64_t, std::shared_ptr<MessageHandler>> always;

  uint64_t add_once(Handler handler) {
    once.emplace(++last_token, std::move(handler));
    return last_token;
  }
  uint64_t add_always(MessageHandler handler) {
    always.emplace(++last_token, std::make_shared<MessageHandler>(std::move(handler)));
    return last_token;
  }

  void dispatch(uint64_t token, uint32_t status, std::string_view data) {
    if (status == kLog) return log_line(data);
    if (status == kMessage) {
      auto it = always.find(token);
      if (it == always.end()) return;
      auto handler = it->second;  // it may close the engine
      if (auto reply = read_string(data)) (*handler)(*reply, data);
      return;
    }
    auto it = once.find(token);
    if (it == once.end()) return log::error("engine: {}", data);  // a panic in a goroutine of ours
    auto handler = std::move(it->second);
    once.erase(it);
    handler(status, data);
  }

  // One bufferful; false when there was nothing.
  bool drain() {
    int n = engine_drain(handle, buffer.data(), static_cast<int>(buffer.size()));
    if (n < 0) {
      buffer.resize(static_cast<size_t>(-n));
      return true;
    }
    for (size_t at = 0; at + 16 <= static_cast<size_t>(n) && handle != 0;) {
      uint64_t token;
      uint32_t status, size;
      std::memcpy(&token, buffer.data() + at, 8);
      std::memcpy(&status, buffer.data() + at + 8, 4);
      std::memcpy(&size, buffer.data() + at + 12, 4);
      dispatch(token, status, std::string_view(buffer).substr(at + 16, size));
      at += 16 + size;
    }
    if (n == 0 && buffer.size() > kBuffer) {
      buffer.resize(kBuffer);
      buffer.shrink_to_fit();
    }
    return n > 0;
  }

  static Task<> listen(std::shared_ptr<State> state) {
    while (state->handle != 0) {
      boost::system::error_code error;
      co_await state->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                            asio::redirect_error(asio::use_awaitable, error));
      if (error || state->handle == 0) co_return;
      uint64_t rung;
      [[maybe_unused]] auto ignored = ::read(state->descriptor.native_handle(), &rung, sizeof rung);
      while (state->handle != 0 && state->drain()) co_await asio::post(state->loop, asio::use_awaitable);
    }
  }

  void close() {
    if (handle == 0) return;
    engine_close(std::exchange(handle, 0));
    boost::system::error_code ignored;
    descriptor.close(ignored);
    always.clear();
    auto unanswered = std::exchange(once, {});
    for (auto& [token, handler] : unanswered) handler(kFailed, kClosed);
  }
};

Engine::Engine(uint64_t handle, int eventfd, Executor loop) : state_(std::make_shared<State>(handle, eventfd, loop)) {
  asio::co_spawn(loop, State::listen(state_), asio::detached);
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
  int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  char* message = nullptr;
  auto handle = engine_open(text.data(), static_cast<int>(text.size()), fd, &message);
  if (handle == 0) {
    ::close(fd);
    return std::unexpected(outcome(0, message).error());
  }
  return std::unique_ptr<Engine>(new Engine(handle, fd, loop));
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
  if (state_->handle == 0) return done(fail(Code::kUnavailable, std::string(kClosed)));
  std::string flat;
  for (const auto& message : messages) {
    auto subject = static_cast<uint16_t>(message.subject.size());
    auto payload = static_cast<uint32_t>(message.payload.size());
    flat.append(reinterpret_cast<const char*>(&subject), 2);
    flat.append(reinterpret_cast<const char*>(&payload), 4);
    flat += message.subject;
    flat += message.payload;
  }
  auto token = state_->add_once([done = std::move(done)](uint32_t status, std::string_view data) {
    done(status == kOk ? Result<void>() : fail(Code::kUnavailable, std::string(data)));
  });
  engine_publish(state_->handle, flat.data(), static_cast<int>(flat.size()), token);
}

void Engine::subscribe(const std::string& stream, const std::string& consumer, int prefetch, MessageHandler handler) {
  engine_subscribe(state_->handle, c_text(stream), c_text(consumer), prefetch, state_->add_always(std::move(handler)));
}

void Engine::acknowledge(const std::vector<std::string>& replies) {
  std::string text;
  for (const auto& reply : replies) text += reply + '\n';
  if (!text.empty()) engine_ack(state_->handle, text.data(), static_cast<int>(text.size()));
}

void Engine::hint(const std::string& subject, std::string_view payload) {
  engine_hint(state_->handle, c_text(subject), c_text(payload), static_cast<int>(payload.size()));
}

Result<void> Engine::listen(const std::string& subject, const std::string& queue, MessageHandler handler) {
  char* message = nullptr;
  return outcome(
      engine_listen(state_->handle, c_text(subject), c_text(queue), state_->add_always(std::move(handler)), &message),
      message);
}

void Engine::request(const std::string& subject, std::string_view payload, std::chrono::milliseconds deadline,
                     std::function<void(Result<std::string>)> done) {
  if (state_->handle == 0) return done(fail(Code::kUnavailable, std::string(kClosed)));
  auto token = state_->add_once([done = std::move(done)](uint32_t status, std::string_view data) {
    if (status == kOk)
      done(std::string(data));
    else
      done(fail(Code::kUnavailable, std::string(data)));
  });
  engine_request(state_->handle, c_text(subject), c_text(payload), static_cast<int>(payload.size()),
                 static_cast<int>(deadline.count()), token);
}

int64_t Engine::last_sequence(const std::string& stream) const {
  return engine_last_sequence(state_->handle, c_text(stream));
}
uint64_t Engine::memory_bytes() { return engine_memory(); }

}  // namespace myelin::engine
