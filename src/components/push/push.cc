#include "components/push/push.h"

#include <algorithm>

#include "components/accounts/user_out.h"
#include "components/push/audience.h"
#include "components/push/delivery.h"
#include "components/sync/notify_out.h"

namespace myelin::push {
namespace {

json::Object pusher_object(const Pusher& pusher) {
  json::Object out{{"app_id", pusher.key.app_id},
                   {"pushkey", pusher.key.pushkey},
                   {"kind", "http"},
                   {"app_display_name", pusher.app_display_name},
                   {"device_display_name", pusher.device_display_name},
                   {"lang", pusher.lang},
                   {"data", pusher.data}};
  if (pusher.profile_tag) out["profile_tag"] = *pusher.profile_tag;
  return out;
}

class PushImpl final : public Push {
 public:
  PushImpl(db::Database& db, bus::Bus& bus, work::Queues& queues, net::HttpClient& http, accounts::Accounts& accounts,
           sync::Sync& sync, rooms::Queries& rooms, const Clock& clock)
      : queues_(queues),
        accounts_(accounts),
        clock_(clock),
        pushers_(db),
        audience_(accounts, rooms),
        delivery_(pushers_, http, accounts, sync, rooms, clock) {
    bus.declare({"push", sync::kNotifyOut, [this](std::vector<bus::Message> batch) { return notify(std::move(batch)); },
                 [](const bus::Message& message) {
                   auto decoded = sync::decode_notify_out(message.body);
                   return decoded ? decoded->room.str() : std::string();
                 }});
    bus.declare({"push", accounts::kUserOut,
                 [this](std::vector<bus::Message> batch) { return forget_devices(std::move(batch)); },
                 [](const bus::Message& message) {
                   auto decoded = accounts::decode_user_out(message.body);
                   return decoded ? decoded->user.str() : std::string();
                 }});
    queues.declare({.name = std::string(kQueue),
                    .attempt = [this](work::Item item) { return delivery_.attempt(std::move(item)); }});
  }

  // Pushers live as long as the device that set them.
  Task<Result<json::Array>> pushers(UserId user) override {
    MYELIN_CO_TRY(auto list, co_await pushers_.of(user));
    MYELIN_CO_TRY(auto devices, co_await accounts_.devices(user));
    json::Array out;
    for (const auto& pusher : list)
      if (std::ranges::any_of(devices, [&](const auto& device) { return device.id == pusher.device; }))
        out.push_back(pusher_object(pusher));
    co_return out;
  }

  Task<Result<void>> set_pusher(accounts::Session session, json::Object body) override {
    MYELIN_CO_TRY(auto change, check_pusher(body, session, clock_.now()));
    co_return co_await pushers_.set(session.user, std::move(change));
  }

  Task<Result<void>> start() override { co_return Result<void>{}; }
  Task<> stop() override { co_return; }

 private:
  Task<Result<bus::Effects>> notify(std::vector<bus::Message> batch) {
    MYELIN_CO_TRY(auto with_pusher, co_await pushers_.users());
    std::map<UserId, std::vector<Job>> wanted;
    for (const auto& message : batch) {
      MYELIN_CO_TRY(auto decoded, sync::decode_notify_out(message.body));
      if (decoded.taken_back && !with_pusher->empty()) {
        MYELIN_CO_TRY(auto members, co_await audience_.members(decoded.room, with_pusher));
        decoded.readers.insert(decoded.readers.end(), members.begin(), members.end());
      }
      for (const auto& reader : decoded.readers) {
        if (!with_pusher->contains(reader)) continue;
        auto& jobs = wanted[reader];
        if (jobs.empty() || !jobs.back().is_badge()) jobs.push_back({.at = clock_.now()});
      }
      if (decoded.ref.event == 0) continue;
      MYELIN_CO_TRY(auto listeners, co_await audience_.of(decoded.ref, with_pusher));
      for (auto& listener : listeners)
        wanted[listener.user].push_back({decoded.ref, std::move(listener.tweaks), clock_.now()});
    }
    if (wanted.empty()) co_return bus::Effects{};
    std::vector<UserId> users;
    for (const auto& [user, jobs] : wanted) users.push_back(user);
    MYELIN_CO_TRY(auto keys, co_await pushers_.keys_of(std::move(users)));
    struct Row {
      std::string key, body;
      Milliseconds due;
    };
    auto rows = std::make_shared<std::vector<Row>>();
    for (const auto& key : keys)
      for (const auto& job : wanted[key.user]) rows->push_back({key.str(), encode(job), job.at});
    auto write = [rows](db::Tx& tx) -> Result<void> {
      for (const auto& row : *rows) work::enqueue(tx, kQueue, row.key, row.body, row.due);
      return {};
    };
    co_return bus::Effects{std::move(write), [this] { queues_.wake(kQueue); }};
  }

  Task<Result<bus::Effects>> forget_devices(std::vector<bus::Message> batch) {
    struct Gone {
      UserId user;
      DeviceId device;
    };
    auto gone = std::make_shared<std::vector<Gone>>();
    for (const auto& message : batch) {
      MYELIN_CO_TRY(auto decoded, accounts::decode_user_out(message.body));
      const auto* deleted = std::get_if<accounts::DeviceDeleted>(&decoded.what);
      if (deleted == nullptr) continue;
      auto device = co_await accounts_.device(decoded.user, deleted->device);
      if (!device && device.error().code != Code::kNotFound) co_return std::unexpected(device.error());
      if (!device) gone->push_back({decoded.user, deleted->device});
    }
    if (gone->empty()) co_return bus::Effects{};
    auto write = [gone](db::Tx& tx) -> Result<void> {
      for (const auto& [user, device] : *gone) Pushers::erase_of_device(tx, user, device);
      return {};
    };
    co_return bus::Effects{std::move(write), [this] { pushers_.changed(); }};
  }

  work::Queues& queues_;
  accounts::Accounts& accounts_;
  const Clock& clock_;
  Pushers pushers_;
  Audience audience_;
  Delivery delivery_;
};

}  // namespace

std::unique_ptr<Push> make_push(ServerName, db::Database& db, bus::Bus& bus, work::Queues& queues,
                                net::HttpClient& http, accounts::Accounts& accounts, sync::Sync& sync,
                                rooms::Rooms& rooms, const Clock& clock) {
  return std::make_unique<PushImpl>(db, bus, queues, http, accounts, sync, rooms.queries(), clock);
}

}  // namespace myelin::push
