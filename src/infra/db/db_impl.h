// The template part of infra/db/db.h: from closures of any type to Database::run. It stands in every file that reads or
// writes, so it is as thin as can be.
#pragma once
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

template <class F, class T>
struct Closure {
  F fn;
  Slot<T> slot{};
};

template <class T>
Task<Answer<T>> value_of(std::shared_ptr<Slot<T>> slot, Task<Result<void>> ended) {
  co_return slot->take(co_await std::move(ended));
}

}  // namespace detail

template <class F>
auto Database::write(WriteOptions options, F fn) -> Task<Answer<std::invoke_result_t<F, Tx&>>> {
  using T = std::invoke_result_t<F, Tx&>;
  auto closure = std::make_shared<detail::Closure<F, T>>(std::move(fn));
  auto ended = run(options, [closure](Tx& tx) { return closure->slot.fill(closure->fn, tx); });
  return detail::value_of(std::shared_ptr<detail::Slot<T>>(closure, &closure->slot), std::move(ended));
}

template <class F>
auto Database::read(F fn) -> Task<Answer<std::invoke_result_t<F, ReadTx&>>> {
  using T = std::invoke_result_t<F, ReadTx&>;
  auto closure = std::make_shared<detail::Closure<F, T>>(std::move(fn));
  auto ended = run([closure](ReadTx& tx) { (void)closure->slot.fill(closure->fn, tx); });
  return detail::value_of(std::shared_ptr<detail::Slot<T>>(closure, &closure->slot), std::move(ended));
}

}  // namespace myelin::db
