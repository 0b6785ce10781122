#include "app/readiness.h"

#include "base/log.h"
#include "components/accounts/identity.h"

namespace myelin::app {
namespace {

constexpr std::chrono::milliseconds kBelieved{1'000}, kPatience{2'000}, kPing{1'000};

std::unexpected<Error> not_ready(std::string_view what, const Error& why) {
  return fail(Code::kUnavailable, fmt::format("{}: {}", what, why.message));
}

}  // namespace

Readiness::Readiness(db::Database& db, bus::Bus& bus, Executor loop, const Clock& clock, Random& random)
    : db_(db), bus_(bus), clock_(clock), subject_("alive." + random.token(16)), looked_(loop), tasks_(loop) {
  bus_.serve(subject_, [](std::string ping) -> Task<std::string> { co_return ping; });
}

Task<Result<void>> Readiness::check() {
  if (is_draining_) co_return fail(Code::kUnavailable, "the server is stopping");
  if (!waits_for_.empty()) co_return fail(Code::kUnavailable, waits_for_);
  auto now = clock_.steady();
  if (last_ && now - looked_at_ < kBelieved) co_return *last_;
  auto seen = looked_.generation();
  if (!std::exchange(is_looking_, true)) tasks_.spawn("readiness", look());
  if (co_await looked_.wait(seen, now + kPatience)) co_return *last_;
  Result<void> silence = fail(Code::kUnavailable, "the database does not answer");
  note(silence);
  co_return silence;
}

void Readiness::waits_for(std::string reason) { waits_for_ = std::move(reason); }

void Readiness::note(const Result<void>& found) {
  auto why = found ? "" : found.error().message;
  if (why == noted_) return;
  noted_ = why;
  if (found)
    log::info("ready again");
  else
    log::warning("not ready: {}", why);
}

Task<> Readiness::look() {
  last_ = co_await found();
  looked_at_ = clock_.steady();
  is_looking_ = false;
  note(*last_);
  looked_.ring();
}

Task<Result<void>> Readiness::found() {
  if (auto written = co_await accounts::probe_database(db_, clock_.now()); !written)
    co_return not_ready("the database refuses to write", written.error());
  if (auto pong = co_await bus_.request(subject_, "?", kPing); !pong)
    co_return not_ready("NATS does not answer", pong.error());
  co_return Result<void>{};
}

Task<> Readiness::stop() {
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace myelin::app
