// Choices at random, each taking the next number of one source. For generators of tests.
#pragma once
#include <cstdint>
#include <functional>
#include <iterator>
#include <random>

namespace myelin::testing {

class Dice {
 public:
  explicit Dice(uint64_t seed) : next_(std::mt19937_64(seed)) {}
  explicit Dice(std::function<uint64_t()> next) : next_(std::move(next)) {}

  uint64_t number() { return next_(); }
  unsigned pick(size_t below) { return static_cast<unsigned>(next_() % below); }
  bool chance(unsigned percent) { return pick(100) < percent; }
  template <class List>
  const auto& one_of(const List& list) {
    return list[pick(std::size(list))];
  }

 private:
  std::function<uint64_t()> next_;
};

}  // namespace myelin::testing
