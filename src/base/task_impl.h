// The template part of base/task.h.
#pragma once
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "base/task.h"

namespace myelin {

template <class F>
Task<Result<std::invoke_result_t<F>>> WorkerPool::run(F work) {
  using T = std::invoke_result_t<F>;
  using Out = Result<T>;
  auto executor = co_await boost::asio::this_coro::executor;
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Out)>(
      [this, executor](auto handler, F job) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        auto finish = [shared, executor](Out out) {
          boost::asio::post(executor,
                            [shared, out = std::move(out)]() mutable { std::move (*shared)(std::move(out)); });
        };
        auto held = std::make_shared<F>(std::move(job));
        bool queued = submit([held, finish] {
          try {
            if constexpr (std::is_void_v<T>) {
              (*held)();
              finish(Out{});
            } else {
              finish(Out{(*held)()});
            }
          } catch (const std::exception& e) {
            finish(fail(Code::kInternal, e.what()));
          }
        });
        if (!queued) finish(fail(Code::kUnavailable, "too much work is queued"));
      },
      boost::asio::use_awaitable, std::move(work));
}

}  // namespace myelin
