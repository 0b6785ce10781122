// The template part of infra/db/db.h: from typed closures and coroutines to Database::submit.
#pragma once
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>

namespace myelin::db {
namespace detail {

// Where a closure leaves its value until the commit is known. A closure may run twice: the last run counts.
template <class T>
struct Slot {
  std::optional<T> value;
  template <class F, class X>
  Result<void> fill(F& fn, X& tx) {
    value.emplace(fn(tx));
    return {};
  }
  Result<T> take(Result<void> status) {
    if (!status) return std::unexpected(std::move(status).error());
    return std::move(*value);
  }
};
template <>
struct Slot<void> {
  template <class F, class X>
  Result<void> fill(F& fn, X& tx) {
    fn(tx);
    return {};
  }
  Result<void> take(Result<void> status) { return status; }
};
template <class T>
struct Slot<Result<T>> {
  std::optional<Result<T>> value;
  template <class F, class X>
  Result<void> fill(F& fn, X& tx) {
    value.emplace(fn(tx));
    if (!*value) return std::unexpected(value->error());
    return {};
  }
  Result<T> take(Result<void> status) {
    if (!status) return std::unexpected(std::move(status).error());
    return std::move(*value);
  }
};

// Suspends until start(done) calls done(status) from any thread; resumes on the caller's executor.
template <class Start>
Task<Result<void>> suspend_until(Start start) {
  auto executor = co_await boost::asio::this_coro::executor;
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Result<void>)>(
      [executor](auto handler, Start go) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        go([shared, executor](Result<void> status) {
          boost::asio::post(executor,
                            [shared, status = std::move(status)]() mutable { std::move (*shared)(std::move(status)); });
        });
      },
      boost::asio::use_awaitable, std::move(start));
}

template <class T, class F, class Submit>
auto run_closure(F fn, Submit submit) -> Task<decltype(Slot<T>().take({}))> {
  auto slot = std::make_shared<Slot<T>>();
  auto held = std::make_shared<F>(std::move(fn));
  auto start = [slot, held, &submit](std::function<void(Result<void>)> done) { submit(slot, held, std::move(done)); };
  auto status = co_await suspend_until(start);
  co_return slot->take(std::move(status));
}

}  // namespace detail

template <class F>
auto Database::write(WriteOptions options, F fn) -> Task<Result<std::invoke_result_t<F, Tx&>>>
  requires(!requires { typename std::invoke_result_t<F, Tx&>::error_type; })
{
  co_return co_await detail::run_closure<std::invoke_result_t<F, Tx&>>(
      std::move(fn), [this, options](auto slot, auto held, auto done) {
        submit(Write{options, [slot, held](Tx& tx) { return slot->fill(*held, tx); }, std::move(done)});
      });
}

template <class F>
auto Database::write(WriteOptions options, F fn) -> Task<std::invoke_result_t<F, Tx&>>
  requires requires { typename std::invoke_result_t<F, Tx&>::error_type; }
{
  co_return co_await detail::run_closure<std::invoke_result_t<F, Tx&>>(
      std::move(fn), [this, options](auto slot, auto held, auto done) {
        submit(Write{options, [slot, held](Tx& tx) { return slot->fill(*held, tx); }, std::move(done)});
      });
}

template <class F>
auto Database::read(F fn) -> Task<Result<std::invoke_result_t<F, ReadTx&>>>
  requires(!requires { typename std::invoke_result_t<F, ReadTx&>::error_type; })
{
  co_return co_await detail::run_closure<std::invoke_result_t<F, ReadTx&>>(
      std::move(fn), [this](auto slot, auto held, auto done) {
        submit(Read{[slot, held](ReadTx& tx) { (void)slot->fill(*held, tx); }, std::move(done)});
      });
}

template <class F>
auto Database::read(F fn) -> Task<std::invoke_result_t<F, ReadTx&>>
  requires requires { typename std::invoke_result_t<F, ReadTx&>::error_type; }
{
  co_return co_await detail::run_closure<std::invoke_result_t<F, ReadTx&>>(
      std::move(fn), [this](auto slot, auto held, auto done) {
        submit(Read{[slot, held](ReadTx& tx) { (void)slot->fill(*held, tx); }, std::move(done)});
      });
}

}  // namespace myelin::db
