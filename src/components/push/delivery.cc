#include "components/push/delivery.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "components/accounts/ignored_users.h"
#include "components/push/audience.h"
#include "components/rooms/served.h"

namespace myelin::push {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDeadline{20'000};
constexpr Milliseconds kTooLate = 24 * 3'600'000;  // what nobody could be told for a day is no news
constexpr milliseconds kLongestRetryAfter{3'600'000};
constexpr size_t kMaxAnswerBytes = 64 * 1024;

prometheus::Counter& counter(const char* outcome) {
  return metrics::counter("myelin_push_deliveries_total", "Requests to push gateways by outcome",
                          {{"outcome", outcome}});
}

work::Outcome done() { return {}; }
work::Outcome retry(std::string reason, milliseconds after = milliseconds{0}) {
  return {.kind = work::Outcome::Kind::kRetry, .reason = std::move(reason), .retry_after = after};
}

milliseconds retry_after(const net::Response& response) {
  for (const auto& header : response.headers) {
    bool matches = std::ranges::equal(header.name, std::string_view("retry-after"), {},
                                      [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    int64_t seconds = 0;
    if (!matches) continue;
    auto [end, error] = std::from_chars(header.value.data(), header.value.data() + header.value.size(), seconds);
    if (error == std::errc() && seconds > 0 && seconds < 86'400)
      return std::min(kLongestRetryAfter, milliseconds(seconds * 1000));
  }
  return milliseconds{0};
}

bool is_rejected(const std::string& answer, const std::string& pushkey) {
  auto body = json::parse_object(answer);
  const auto* rejected = body ? json::array_at(*body, "rejected") : nullptr;
  return rejected != nullptr && std::ranges::find(*rejected, json::Value(pushkey)) != rejected->end();
}

json::Object device_of(const Pusher& pusher, const Job& job) {
  json::Object data = pusher.data;
  data.erase("url");
  json::Object device{{"app_id", pusher.key.app_id},
                      {"pushkey", pusher.key.pushkey},
                      {"pushkey_ts", pusher.ts / 1000},
                      {"data", std::move(data)}};
  if (!job.tweaks.empty()) device["tweaks"] = job.tweaks;
  return device;
}

// Time-sensitive is what makes a sound or is highlighted; what an encrypted event is, only the client can tell.
const char* priority(const Job& job, const Event& event) {
  bool urgent = job.tweaks.contains("sound") || job.tweaks.contains("highlight") || event.type() == "m.room.encrypted";
  return urgent ? "high" : "low";
}

}  // namespace

Delivery::Delivery(Pushers& pushers, net::HttpClient& http, accounts::Accounts& accounts, sync::Sync& sync,
                   rooms::Queries& rooms, const Clock& clock)
    : pushers_(pushers),
      http_(http),
      accounts_(accounts),
      sync_(sync),
      rooms_(rooms),
      clock_(clock),
      sent_(counter("sent")),
      failed_(counter("failed")),
      dropped_(counter("dropped")),
      rejected_(counter("rejected")) {}

Task<Result<std::optional<json::Object>>> Delivery::describe(const Job& job, const Pusher& pusher) {
  auto events = co_await rooms_.events({job.ref});
  if (!events && events.error().code != Code::kNotFound) co_return std::unexpected(events.error());
  if (!events || events->empty() || events->front()->redacted_by) co_return std::nullopt;
  const auto& user = pusher.key.user;
  MYELIN_CO_TRY(auto ignored, co_await accounts::ignored_users(accounts_, user));
  rooms::Viewer viewer{user, std::make_shared<const std::set<std::string>>(std::move(ignored))};
  if (viewer.ignores(events->front()->event->sender())) co_return std::nullopt;  // invites, too
  std::vector<std::optional<rooms::Seen>> known(1);
  if (events->front()->event->is_state("m.room.member", user.str())) known.front() = rooms::Seen{true, {}};
  MYELIN_CO_TRY(auto served, co_await rooms::serve(rooms_, std::move(*events), std::move(known), viewer));
  if (!served.front().event) co_return std::nullopt;
  const Event& event = *served.front().event->event;
  MYELIN_CO_TRY(auto info, co_await rooms_.room(job.ref.room));
  json::Object out{{"event_id", event.event_id().str()}, {"room_id", info.room.str()}};
  if (json::string_at(pusher.data, "format") == "event_id_only") co_return out;
  out["type"] = event.type();
  out["sender"] = event.sender().str();
  out["content"] = event.content();
  out["prio"] = priority(job, event);
  if (event.is_state("m.room.member", user.str())) out["user_is_target"] = true;
  MYELIN_CO_TRY(auto root, co_await rooms_.root_after(job.ref));
  MYELIN_CO_TRY(auto entries,
                co_await rooms_.state_of(
                    job.ref.room, root,
                    {{"m.room.name", ""}, {"m.room.canonical_alias", ""}, {"m.room.member", event.sender().str()}}));
  std::vector<rooms::EventRef> refs;
  for (const auto& entry : entries) refs.push_back(entry.ref);
  MYELIN_CO_TRY(auto state, co_await rooms_.events(std::move(refs)));
  MYELIN_CO_TRY(auto served_state, co_await rooms::serve_state(rooms_, std::move(state), viewer));
  for (size_t i = 0; i < served_state.size(); ++i) {
    const auto& entry = entries[i];
    const Event* of = served_state[i].event->event.get();
    auto put = [&](const char* field, std::string text) {
      if (!text.empty()) out[field] = std::move(text);
    };
    if (entry.type == "m.room.name") put("room_name", content_text(of, "name"));
    if (entry.type == "m.room.canonical_alias") put("room_alias", content_text(of, "alias"));
    if (entry.type == "m.room.member") put("sender_display_name", content_text(of, "displayname"));
  }
  co_return out;
}

Task<work::Outcome> Delivery::attempt(work::Item item) {
  auto key = PusherKey::parse(item.key);
  auto job = decode_job(item.body);
  if (!key || !job) {
    log::error("push: work row {} cannot be read: {}", item.id, item.body);
    co_return done();
  }
  auto pusher = co_await pushers_.find(*key);
  if (!pusher) co_return retry(pusher.error().message);
  if (!*pusher) co_return done();
  if (clock_.now() - job->at > kTooLate) {
    log::warning("push: a notification to {} is given up after a day", key->app_id);
    dropped_.Increment();
    co_return done();
  }
  auto badge = co_await sync_.badge(key->user);
  if (!badge) co_return retry(badge.error().message);
  if (job->is_badge() && badge->unread == (*pusher)->badge) co_return done();
  json::Object notification;
  if (!job->is_badge()) {
    auto described = co_await describe(*job, **pusher);
    if (!described) co_return retry(described.error().message);
    if (!*described) co_return done();
    notification = std::move(**described);
  }
  json::Object counts;
  if (badge->unread > 0 || job->is_badge()) counts["unread"] = badge->unread;
  notification["counts"] = std::move(counts);
  notification["devices"] = json::Array{device_of(**pusher, *job)};
  net::OutboundRequest request{.method = net::Method::kPost,
                               .url = std::string(json::string_at((*pusher)->data, "url").value_or("")),
                               .headers = {{"Content-Type", "application/json"}},
                               .body = json::serialize(json::Object{{"notification", std::move(notification)}}),
                               .deadline = kDeadline,
                               .max_body_bytes = kMaxAnswerBytes};
  auto response = co_await http_.send(std::move(request));
  co_return judge(*key, badge->unread, response);
}

work::Outcome Delivery::judge(const PusherKey& key, int64_t badge, const Result<net::Response>& response) {
  if (!response && response.error().code == Code::kForbidden) {
    log::warning("push: the gateway of {} is at an address that may not be reached", key.app_id);
    dropped_.Increment();
    return done();
  }
  if (!response || response->status < 200 || response->status > 299) {
    failed_.Increment();
    if (!response) return retry(response.error().message);
    return retry("the gateway answered " + std::to_string(response->status), retry_after(*response));
  }
  if (is_rejected(response->body, key.pushkey)) {
    rejected_.Increment();
    pushers_.changed();
    return {.write = [key](db::Tx& tx) -> Result<void> {
      Pushers::erase_everywhere(tx, key);
      return {};
    }};
  }
  sent_.Increment();
  return {.write = [key, badge](db::Tx& tx) -> Result<void> {
    Pushers::remember_badge(tx, key, badge);
    return {};
  }};
}

}  // namespace myelin::push
