#include "components/accounts/last_seen.h"

namespace myelin::accounts {
namespace {
constexpr size_t kMaxPending = 50'000;  // beyond, a use goes unnoted
constexpr size_t kPiece = 200;          // rows of one transaction
}  // namespace

void LastSeen::note(const UserId& user, const DeviceId& device, const std::string& address, Milliseconds now) {
  Key key{user, device};
  if (pending_.size() >= kMaxPending && !pending_.contains(key)) return;
  pending_[std::move(key)] = {address, now};
}

void LastSeen::add_to(std::vector<Device>& devices) const {
  for (auto& device : devices) {
    auto it = pending_.find({device.user, device.id});
    if (it == pending_.end()) continue;
    device.last_seen_ip = it->second.address;
    device.last_seen_ts = it->second.at;
  }
}

Task<Result<void>> LastSeen::write() {
  while (!pending_.empty()) {
    std::vector<std::pair<Key, Use>> piece;
    for (auto it = pending_.begin(); it != pending_.end() && piece.size() < kPiece; ++it) piece.push_back(*it);
    MYELIN_CO_CHECK(co_await db_.write({}, [piece](db::Tx& tx) {
      for (const auto& [key, use] : piece)
        tx.exec(  // of many users, so it waits for no row
            "UPDATE device SET last_seen_ip = $3, last_seen_ts = $4 WHERE user_id = $1 AND device_id = (SELECT "
            "device_id FROM device WHERE user_id = $1 AND device_id = $2 {skip_locked})",
            key.first.str(), key.second.str(), use.address, use.at);
    }));
    for (const auto& [key, use] : piece)
      if (auto it = pending_.find(key); it != pending_.end() && it->second.at == use.at) pending_.erase(it);
  }
  co_return Result<void>{};
}

}  // namespace myelin::accounts
