// Coroutines that wait for a lane or a reader thread.
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "infra/db/db.h"

namespace myelin::db {
namespace {

using Done = std::function<void(Result<void>)>;

// Suspends until start(done) calls done(status) from any thread; resumes on the caller's executor.
Task<Result<void>> suspend_until(std::function<void(Done)> start) {
  auto executor = co_await boost::asio::this_coro::executor;
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Result<void>)>(
      [executor](auto handler, std::function<void(Done)> go) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        go([shared, executor](Result<void> status) {
          boost::asio::post(executor,
                            [shared, status = std::move(status)]() mutable { std::move (*shared)(std::move(status)); });
        });
      },
      boost::asio::use_awaitable, std::move(start));
}

}  // namespace

Task<Result<void>> Database::run(WriteOptions options, std::function<Result<void>(Tx&)> closure) {
  co_return co_await suspend_until([&](Done done) { submit(Write{options, std::move(closure), std::move(done)}); });
}

Task<Result<void>> Database::run(std::function<void(ReadTx&)> closure) {
  co_return co_await suspend_until([&](Done done) { submit(Read{std::move(closure), std::move(done)}); });
}

}  // namespace myelin::db
