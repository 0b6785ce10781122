#include "infra/lease/balance.h"

#include <algorithm>
#include <utility>

namespace myelin::lease {

Plan balance(const Parts& parts, std::string_view me) {
  auto mine = std::ranges::find(parts.wanting, me);
  bool wants = mine != parts.wanting.end();
  auto rank = static_cast<uint32_t>(mine - parts.wanting.begin());
  auto processes = static_cast<uint32_t>(std::max<size_t>(parts.wanting.size(), 1));
  size_t share = wants ? (parts.count + processes - 1) / processes : 0;
  auto is_far = [&](uint32_t part) { return part % processes != rank; };  // nobody else begins with the near ones

  Plan plan;
  auto held = parts.held;
  if (held.size() > share) {
    std::ranges::sort(held, {}, [&](uint32_t part) { return std::pair(!is_far(part), part); });
    plan.let_go.assign(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(held.size() - share));
    held.resize(share);
  }
  auto room = share - held.size();
  auto take = [&](const std::vector<uint32_t>& from) {
    auto count = std::min(room, from.size());
    plan.take.insert(plan.take.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
    room -= count;
    return count;
  };
  auto kept = take(parts.former);
  plan.give_up.assign(parts.former.begin() + static_cast<std::ptrdiff_t>(kept), parts.former.end());
  auto free = parts.free;
  std::ranges::sort(free, {}, [&](uint32_t part) { return std::pair(is_far(part), part); });
  take(free);
  return plan;
}

}  // namespace myelin::lease
