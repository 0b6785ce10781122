#include "components/sync/apply/user_apply.h"

namespace myelin::sync {
using namespace accounts;  // the kinds of UserOut

struct UserApply::Batch {
  std::vector<UserOut> items;
  std::map<UserId, std::vector<uint32_t>> rooms;  // of users whose device list changed
  int64_t first = 0;                              // set by the writer
  ServerName server_name;
};

UserApply::UserApply(ServerName name, db::Database& db, Judge& judge, Feed& feed)
    : server_name_(std::move(name)), db_(db), judge_(judge), feed_(feed) {}

Task<Result<bus::Effects>> UserApply::apply(std::vector<bus::Message> messages) {
  auto batch = std::make_shared<Batch>();
  batch->server_name = server_name_;
  for (auto& message : messages) {
    MYELIN_CO_TRY(auto decoded, decode_user_out(message.body));
    if (std::holds_alternative<DeviceListChanged>(decoded.what)) batch->rooms.try_emplace(decoded.user);
    batch->items.push_back(std::move(decoded));
  }
  if (!batch->rooms.empty()) {
    auto read = co_await db_.read([batch](db::ReadTx& tx) {
      for (auto& [user, rooms] : batch->rooms)
        rooms = tx.all(
            "SELECT room_no FROM sync_member WHERE user_id = $1 AND membership = $2",
            [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, user.str(),
            static_cast<int64_t>(rooms::Membership::kJoin));
    });
    MYELIN_CO_CHECK(read);
  }
  co_return bus::Effects{[batch](db::Tx& tx) { return write(batch, tx); }, [this, batch] { committed(*batch); }};
}

namespace {

struct Writer {
  db::Tx& tx;
  const UserId& user;
  const ServerName& server;
  int64_t pos;

  void operator()(const AccountDataChanged& change) { add(kAccountDataKind, change.room, change.type); }
  void operator()(const KeyCountsChanged& change) { add(kKeyCountsKind, "", change.device.str()); }
  void operator()(const DeviceListChanged&) {
    tx.exec("INSERT INTO sync_device_list (pos, user_id) VALUES ($1, $2)", pos, user.str());
  }
  void operator()(const DeviceDeleted& deleted) {
    tx.exec("DELETE FROM to_device WHERE user_id = $1 AND device_id = $2", user.str(), deleted.device.str());
  }
  void operator()(const ToDeviceSent& sent) {
    int64_t seq = 0;
    for (const auto& message : sent.messages)
      if (message.to.server() == server.str())
        tx.exec("INSERT INTO to_device (user_id, device_id, pos, seq, body) VALUES ($1, $2, $3, $4, $5)",
                message.to.str(), message.device.str(), pos, seq++, message.body);
  }
  void add(int64_t kind, std::string_view room, std::string_view what) {
    tx.exec("INSERT INTO sync_user (user_id, pos, kind, room, what) VALUES ($1, $2, $3, $4, $5)", user.str(), pos, kind,
            room, what);
  }
};

}  // namespace

Result<void> UserApply::write(const std::shared_ptr<Batch>& batch, db::Tx& tx) {
  tx.at_position(static_cast<int64_t>(batch->items.size()), [batch](db::Tx& late, int64_t first) {
    batch->first = first;
    for (const auto& item : batch->items) std::visit(Writer{late, item.user, batch->server_name, first++}, item.what);
  });
  return {};
}

void UserApply::committed(const Batch& batch) {
  int64_t pos = batch.first;
  for (const auto& item : batch.items) {
    if (const auto* data = std::get_if<AccountDataChanged>(&item.what)) {
      if (data->type == "m.push_rules" || data->type == "m.ignored_user_list") judge_.rules_changed();
      feed_.user_changed(item.user, pos);
    } else if (const auto* sent = std::get_if<ToDeviceSent>(&item.what)) {
      for (const auto& message : sent->messages) feed_.user_changed(message.to, pos);
    } else if (std::holds_alternative<DeviceListChanged>(item.what)) {
      for (uint32_t room_no : batch.rooms.at(item.user)) feed_.room_changed(room_no, pos);
      feed_.user_changed(item.user, pos);
    } else {
      feed_.user_changed(item.user, pos);
    }
    ++pos;
  }
  feed_.complete(batch.first, pos - 1);
}

}  // namespace myelin::sync
