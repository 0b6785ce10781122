#include "components/sync/apply/user_apply.h"

namespace myelin::sync {
using namespace accounts;  // the kinds of UserOut

namespace {
constexpr const char* kPushRules = "m.push_rules";
constexpr const char* kIgnoredUsers = "m.ignored_user_list";
constexpr auto kJoin = static_cast<int64_t>(rooms::Membership::kJoin);
}  // namespace

struct UserApply::Batch {
  std::vector<UserOut> items;
  std::map<UserId, UnreadClasses> classes;        // of users whose push rules changed
  std::map<UserId, std::vector<uint32_t>> rooms;  // of users whose device list changed; set by the writer
  int64_t first = 0;                              // set by the writer
  ServerName server_name;
};

UserApply::UserApply(ServerName name, Accounts& accounts, Judge& judge, std::function<void(News)> tell)
    : server_name_(std::move(name)), accounts_(accounts), judge_(judge), tell_(std::move(tell)) {}

namespace {

bool has_new_rules(const UserOut& item) {
  const auto* data = std::get_if<AccountDataChanged>(&item.what);
  return data != nullptr && data->room.empty() && (data->type == kPushRules || data->type == kIgnoredUsers);
}

}  // namespace

Task<Result<bus::Effects>> UserApply::apply(std::vector<bus::Message> messages) {
  auto batch = std::make_shared<Batch>();
  batch->server_name = server_name_;
  for (auto& message : messages) {
    MYELIN_CO_TRY(auto decoded, decode_user_out(message.body));
    if (const auto* data = std::get_if<AccountDataChanged>(&decoded.what);
        data != nullptr && data->type == kPushRules) {
      MYELIN_CO_TRY(auto rules, co_await accounts_.push_rules(decoded.user));
      batch->classes[decoded.user] = unread_classes(*rules);
    }
    // They are durable before their message is: if this batch's COMMIT is of unknown result, nobody hears that it is
    // done.
    if (has_new_rules(decoded)) judge_.rules_changed();
    batch->items.push_back(std::move(decoded));
  }
  co_return bus::Effects{[batch](db::Tx& tx) { return write(batch, tx); }, [this, batch] { committed(*batch); }};
}

namespace {

// From here on the user's rooms are counted by these classes.
void change_classes(db::Tx& tx, const UserId& user, const UnreadClasses& classes) {
  struct Room {
    int64_t room_no, last_order;
    std::string id;
    UnreadClass kind;
  };
  // The class so far: the newest row's, if there is one.
  auto joined = tx.all(
      "SELECT m.room_no, r.last_order, r.room_id, coalesce((SELECT c.class FROM unread_class c WHERE c.user_id = $1 "
      "AND c.room_no = m.room_no ORDER BY c.from_order DESC LIMIT 1), 0) FROM sync_member m "
      "JOIN sync_room r ON r.room_no = m.room_no WHERE m.user_id = $1 AND m.membership = $2",
      [](const db::Row& row) { return Room{row.i64(0), row.i64(1), row.str(2), static_cast<UnreadClass>(row.i64(3))}; },
      user.str(), kJoin);
  for (const auto& room : joined)
    if (auto kind = classes.of(room.id); kind != room.kind) change_class(tx, user, room.room_no, room.last_order, kind);
}

struct Writer {
  db::Tx& tx;
  const UserId& user;
  const ServerName& server;
  int64_t pos;
  std::vector<uint32_t>& rooms;

  void operator()(const AccountDataChanged& change) { add(kAccountDataKind, change.room, change.type); }
  void operator()(const KeyCountsChanged& change) { add(kKeyCountsKind, "", change.device.str()); }
  void operator()(const DeviceListChanged&) {
    tx.exec(
        "INSERT INTO sync_device_list (user_id, pos) VALUES ($1, $2) "
        "ON CONFLICT (user_id) DO UPDATE SET pos = excluded.pos",
        user.str(), pos);
    rooms = tx.all(
        "SELECT room_no FROM sync_member WHERE user_id = $1 AND membership = $2",
        [](const db::Row& row) { return static_cast<uint32_t>(row.i64(0)); }, user.str(), kJoin);
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
    tx.exec(
        "INSERT INTO sync_user (user_id, kind, room, what, pos) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (user_id, kind, room, what) DO UPDATE SET pos = excluded.pos",
        user.str(), kind, room, what, pos);
  }
};

}  // namespace

Result<void> UserApply::write(const std::shared_ptr<Batch>& batch, db::Tx& tx) {
  tx.at_position(static_cast<int64_t>(batch->items.size()), [batch](db::Tx& late, int64_t first) {
    batch->first = first;
    for (const auto& item : batch->items) {
      Writer writer{late, item.user, batch->server_name, first++, batch->rooms[item.user]};
      std::visit(writer, item.what);
    }
    for (const auto& [user, classes] : batch->classes) change_classes(late, user, classes);
  });
  return {};
}

void UserApply::committed(const Batch& batch) {
  News news{batch.first, batch.first + static_cast<int64_t>(batch.items.size()) - 1};
  int64_t pos = batch.first;
  for (const auto& item : batch.items) {
    news.users.push_back({item.user, pos});
    news.new_rules |= has_new_rules(item);
    if (const auto* sent = std::get_if<ToDeviceSent>(&item.what)) {
      for (const auto& message : sent->messages) {
        news.messages.push_back({message.to, message.device, pos});
        news.users.push_back({message.to, pos});
      }
    } else if (std::holds_alternative<DeviceListChanged>(item.what)) {
      for (uint32_t room_no : batch.rooms.at(item.user)) news.rooms.push_back({room_no, pos});
    }
    ++pos;
  }
  tell_(std::move(news));
}

}  // namespace myelin::sync
