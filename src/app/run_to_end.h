// Runs one coroutine from a function that is none. Blocking.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>

#include "base/task.h"

namespace myelin::app {

// Nothing else may be running `io`; it can be run again afterwards. kInternal when the coroutine throws.
template <class T>
Result<T> run_to_end(boost::asio::io_context& io, Task<Result<T>> task) {
  std::optional<Result<T>> out;
  boost::asio::co_spawn(io, std::move(task), [&](const std::exception_ptr& failure, Result<T> result) {
    out = failure ? fail(Code::kInternal, "the command failed") : std::move(result);
    io.stop();
  });
  auto work = boost::asio::make_work_guard(io);
  io.run();
  work.reset();  // which stops it, if nothing else is left
  io.restart();
  return std::move(*out);
}

}  // namespace myelin::app
