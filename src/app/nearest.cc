#include "app/nearest.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace myelin::app {
namespace {

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_of(std::string_view word, std::span<const std::string> names) {
  std::string best;
  size_t least = SIZE_MAX;
  for (const auto& name : names)
    if (auto d = distance(word, name); d < least) {
      least = d;
      best = name;
    }
  return best;
}

}  // namespace myelin::app
