#include "tests/simulate/client.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>

namespace myelin::simulate {
namespace {

constexpr seconds kPatience{30};
constexpr int kMostInVain = 10;  // each process may tell once what another one has told

const boost::json::object* object_at(const boost::json::object& in, std::string_view key) {
  auto* value = in.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}
std::string name_of(const std::string& sender, int64_t number) {
  return fmt::format("message {} of {}", number, sender);
}
int64_t position_of(const std::string& token) {
  return token.size() < 2 ? 0 : std::strtoll(token.c_str() + 1, nullptr, 10);
}

}  // namespace

std::string text_at(const boost::json::object& in, std::string_view key) {
  auto* value = in.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

int64_t order_of(SharedDatabase& database, const std::string& event_id) {
  int64_t order = 0;
  db::Value values[] = {std::string_view(event_id)};
  database.session().run("SELECT order_no FROM event WHERE event_id = $1", values,
                         [&](const db::Row& row) { order = row.i64(0); });
  return order;
}

Task<Answered> ask(World& world, Process& process, net::Method method, std::string target, std::string token,
                   boost::json::object body) {
  struct Waiting {
    explicit Waiting(Executor loop) : bell(std::move(loop)) {}
    Doorbell bell;
    std::optional<net::Response> response;
  };
  auto waiting = std::make_shared<Waiting>(co_await boost::asio::this_coro::executor);
  net::Request request;
  request.method = method;
  request.target = std::move(target);
  request.remote_address = "192.0.2.1";
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  if (method != net::Method::kGet) request.body = boost::json::serialize(body);
  process.ask(std::move(request), [waiting](std::optional<net::Response> response) {
    waiting->response = std::move(response);
    waiting->bell.ring();
  });
  (void)co_await waiting->bell.wait(0, world.now() + kPatience);
  Answered out;
  if (!waiting->response) co_return out;
  out.status = waiting->response->status;
  boost::system::error_code error;
  auto parsed = boost::json::parse(waiting->response->body, error);
  if (!error && parsed.is_object()) out.body = std::move(parsed.get_object());
  co_return out;
}

Client::Client(Surroundings& on, Loop& loop, Processes& processes, Ledger& ledger, Account account, int actions)
    : world_(on.world),
      database_(on.database),
      processes_(processes),
      ledger_(ledger),
      account_(std::move(account)),
      actions_(actions),
      favourite_(world_.below(100)),
      impatience_(loop.get_executor()) {}

std::string Client::any_room() {
  std::vector<std::string> rooms(account_.rooms.begin(), account_.rooms.end());
  return world_.any(rooms);
}

// ---- writing

Task<Answered> Client::ask_until(std::string what, net::Method method, std::string target, boost::json::object body,
                                 std::set<int> definite) {
  for (int attempt = 0;; ++attempt) {
    auto& process = *world_.any(processes_);
    auto restores = ledger_.restores;
    ++ledger_.requests;
    auto answer = co_await ask(world_, process, method, target, account_.token, body);
    answer.restores = restores;
    world_.note("{} {} by {}: {}", account_.user, what, process.name(), answer.status);
    if (definite.contains(answer.status)) co_return answer;
    if (answer.status != 0 && answer.status < 500)
      world_.violation(
          fmt::format("{} {}: {} {}", account_.user, what, answer.status, boost::json::serialize(answer.body)));
    co_await sleep_for(world_.between(milliseconds(1), milliseconds(attempt < 3 ? 100 : 1'000)));
  }
}

void Client::acknowledged(const std::string& content, const std::string& room, const Answered& answer) {
  auto id = text_at(answer.body, "event_id");
  if (order_of(id) <= 0 && ledger_.restores > answer.restores) return;  // lost with what the database lost
  ledger_.acknowledged[id] = room;
  auto [known, is_new] = ledger_.event_of.emplace(content, id);
  if (!is_new && known->second != id) world_.violation("B2: two events were acknowledged for " + content);
  if (order_of(id) <= 0) world_.violation("A16: " + id + " is acknowledged and not in the database");
}

Task<Written> Client::send_message() {
  auto room = any_room();
  auto content = fmt::format("{}-{}", account_.user, ++numbers_);
  ledger_.tried.insert(content);
  auto target = fmt::format("/_matrix/client/v3/rooms/{}/send/m.room.message/t{}", room, numbers_);
  auto answer = co_await ask_until("sends " + content, net::Method::kPut, target,
                                   {{"msgtype", "m.text"}, {"body", content}}, {200});
  acknowledged(content, room, answer);
  auto id = text_at(answer.body, "event_id");
  if (!ledger_.acknowledged.contains(id)) co_return Written{};
  ledger_.messages[id] = account_.user;
  own_.push_back({id, room});
  if (!world_.chance(0.1)) co_return Written{id, room};  // an answer that was lost: the same again, later
  auto again = co_await ask_until("repeats " + content, net::Method::kPut, target,
                                  {{"msgtype", "m.text"}, {"body", content}}, {200});
  acknowledged(content, room, again);
  co_return Written{id, room};
}

Task<> Client::redact(Written what) {
  const auto& [id, room] = what;
  auto target = fmt::format("/_matrix/client/v3/rooms/{}/redact/{}/t{}", room, id, ++numbers_);
  auto answer = co_await ask_until("redacts " + id, net::Method::kPut, target, {}, {200, 404});
  auto redaction = text_at(answer.body, "event_id");
  if (order_of(redaction) <= 0 && ledger_.restores > answer.restores) co_return;
  if (answer.status == 404 && order_of(id) > 0) world_.violation("404 for the redaction of " + id);
  if (answer.status == 404) co_return;
  ledger_.acknowledged[redaction] = room;
  ledger_.redacted[id] = room;
}

// Without a transaction id: each attempt is one of its own, but the server's repetitions of it are not.
Task<> Client::set_topic() {
  auto room = any_room();
  for (;;) {
    auto content = fmt::format("{}-topic-{}", account_.user, ++numbers_);
    ledger_.tried.insert(content);
    auto& process = *world_.any(processes_);
    auto restores = ledger_.restores;
    auto answer = co_await ask(world_, process, net::Method::kPut,
                               fmt::format("/_matrix/client/v3/rooms/{}/state/m.room.topic", room), account_.token,
                               {{"topic", content}});
    world_.note("{} sets {} by {}: {}", account_.user, content, process.name(), answer.status);
    answer.restores = restores;
    if (answer.status == 200) co_return acknowledged(content, room, answer);
    if (answer.status != 0 && answer.status < 500)
      world_.violation(fmt::format("{}: {} {}", content, answer.status, boost::json::serialize(answer.body)));
    co_await sleep_for(world_.between(milliseconds(1), milliseconds(500)));
  }
}

Task<> Client::visit() {
  const auto& room = *account_.visited.begin();
  co_await ask_until("leaves", net::Method::kPost, fmt::format("/_matrix/client/v3/rooms/{}/leave", room), {},
                     {200, 403});
  co_await sleep_for(world_.between(milliseconds(1), seconds(1)));
  co_await ask_until("joins", net::Method::kPost, fmt::format("/_matrix/client/v3/rooms/{}/join", room), {}, {200});
}

Task<> Client::read() {
  auto [id, room] =
      *std::next(ledger_.acknowledged.begin(), static_cast<std::ptrdiff_t>(world_.below(ledger_.acknowledged.size())));
  if (!account_.rooms.contains(room)) co_return;
  auto target = fmt::format("/_matrix/client/v3/rooms/{}/receipt/m.read/{}", room, id);
  (void)co_await ask_until("has read " + id, net::Method::kPost, target, {}, {200, 404});
  auto& read = ledger_.read[{account_.user, room}];
  read = std::max(read, order_of(id));
}

// Losable: nobody asks whether it was done.
Task<> Client::type() {
  auto room = any_room();
  bool types = world_.chance(0.7);
  auto& process = *world_.any(processes_);
  co_await type(process, room, types, milliseconds(1'000 + world_.below(4'000)));
}

Task<> Client::type(Process& process, const std::string& room, bool types, milliseconds timeout) {
  auto target = fmt::format("/_matrix/client/v3/rooms/{}/typing/{}", room, account_.user);
  auto answer = co_await ask(world_, process, net::Method::kPut, target, account_.token,
                             {{"typing", types}, {"timeout", timeout.count()}});
  world_.note("{} {} by {}: {}", account_.user, types ? "types" : "types no longer", process.name(), answer.status);
}

Task<> Client::send_to_device() {
  auto number = ++numbers_;
  auto to = world_.any(ledger_.users);
  auto target = fmt::format("/_matrix/client/v3/sendToDevice/m.test/t{}", number);
  boost::json::object to_all{{"*", boost::json::object{{"number", number}}}};
  auto answer = co_await ask_until(fmt::format("sends {} to the device of {}", number, to), net::Method::kPut, target,
                                   {{"messages", boost::json::object{{to, std::move(to_all)}}}}, {200});
  if (ledger_.restores == answer.restores) ledger_.sent_to[to].insert(name_of(account_.user, number));
}

Task<> Client::act() {
  using namespace boost::asio::experimental::awaitable_operators;
  auto dice = world_.chance(0.3) ? favourite_ : world_.below(100);
  if (dice < 10 && !own_.empty())
    co_await redact(world_.any(own_));
  else if (dice < 20)
    co_await set_topic();
  else if (dice < 28)
    co_await (set_topic() && send_message() && set_topic());
  else if (dice < 34)
    co_await (send_message() && send_message());
  else if (dice < 44 && !account_.visited.empty())
    co_await visit();
  else if (dice < 55 && !ledger_.acknowledged.empty())
    co_await read();
  else if (dice < 62)
    co_await type();
  else if (dice < 72)
    co_await send_to_device();
  else
    co_await send_message();
}

Task<> Client::write() {
  for (; actions_ > 0; --actions_) {
    auto pause = world_.between(milliseconds(0), milliseconds(world_.chance(0.5) ? 200 : 3'000));
    auto end = actions_ > kept_ ? world_.now() + pause : TimePoint::max();
    co_await impatience_.wait(impatience_.generation(), end);
    co_await act();
  }
  has_written_ = true;
}

// ---- syncing

Task<> Client::sync() {
  for (;;) {
    if (world_.chance(0.02)) {  // as a new client
      since_.clear();
      seen_before_.clear();
      forget();
    }
    auto restores = ledger_.restores;
    milliseconds timeout(200 + world_.below(3'000));
    auto target = fmt::format("/_matrix/client/v3/sync?filter={}&timeout={}{}", kFilter, timeout.count(),
                              since_.empty() ? "" : "&since=" + since_);
    auto asked = world_.now();
    auto& process = *world_.any(processes_);
    auto answer = co_await ask(world_, process, net::Method::kGet, target, account_.token);
    world_.note("{} syncs from {} by {}: {} {}", account_.user, since_, process.name(), answer.status,
                text_at(answer.body, "next_batch"));
    if (restores != ledger_.restores) continue;  // of a past that is gone
    if (answer.status == 200) {
      check_wait(answer, std::chrono::duration_cast<milliseconds>(world_.now() - asked), timeout);
      take(answer);
      continue;
    }
    if (answer.status != 0 && answer.status < 500)
      world_.violation(
          fmt::format("{} syncs: {} {}", account_.user, answer.status, boost::json::serialize(answer.body)));
    in_vain_ = 0;  // a process that starts anew does not know what its former life has told
    co_await sleep_for(world_.between(milliseconds(10), milliseconds(300)));
  }
}

void Client::check_wait(const Answered& answer, milliseconds waited, milliseconds timeout) {
  bool has_news = told_.has_news(answer.body);
  in_vain_ = has_news || waited >= timeout || since_.empty() ? 0 : in_vain_ + 1;
  if (in_vain_ > kMostInVain)
    world_.violation(fmt::format("{} is answered {} times at once without news, {}", account_.user, in_vain_, since_));
}

void Client::take(const Answered& answer) {
  auto next = text_at(answer.body, "next_batch");
  if (position_of(next) < position_of(since_))
    world_.violation(fmt::format("A6: the token of {} goes from {} to {}", account_.user, since_, next));
  since_ = next;
  if (auto* messages = object_at(answer.body, "to_device"))
    for (const auto& message : messages->at("events").as_array()) take_message(message.as_object());
  auto* rooms = object_at(answer.body, "rooms");
  if (rooms == nullptr) return;
  for (auto* section : {"join", "leave"})
    if (auto* some = object_at(*rooms, section))
      for (const auto& [room, value] : *some) take_room(std::string(room), value);
}

// In a room that is left and joined again, a timeline may begin before what was seen.
void Client::take_room(const std::string& room, const boost::json::value& section) {
  if (!account_.rooms.contains(room)) return;
  auto* timeline = object_at(section.as_object(), "timeline");
  if (timeline == nullptr) return;
  auto* events = timeline->if_contains("events");
  if (events == nullptr) return;
  for (const auto& event : events->as_array()) take_event(room, event.as_object());
}

void Client::take_event(const std::string& room, const boost::json::object& event) {
  auto id = text_at(event, "event_id");
  world_.note("{} sees {} in {}", account_.user, id, room);
  if (!seen_.insert(id).second) return world_.violation(fmt::format("{} sees {} twice", account_.user, id));
  auto order = order_of(id);
  auto& last = last_order_[room];
  if (order <= last)
    world_.violation(fmt::format("{} sees {}, order {}, after {} in {}", account_.user, id, order, last, room));
  last = order;
}

// Those of a sender who waits for each answer.
void Client::take_message(const boost::json::object& message) {
  auto sender = text_at(message, "sender");
  auto number = message.at("content").as_object().at("number").to_number<int64_t>();
  auto& last = last_message_[sender];
  if (number <= last)
    world_.violation(fmt::format("{} gets message {} of {} after {}", account_.user, number, sender, last));
  last = number;
  got_.insert(name_of(sender, number));
}

std::vector<std::string> Client::lacks() const {
  std::vector<std::string> out;
  for (const auto& [id, room] : ledger_.acknowledged)
    if (account_.rooms.contains(room) && !seen_.contains(id) && !seen_before_.contains(id)) out.push_back(id);
  if (auto sent = ledger_.sent_to.find(account_.user); sent != ledger_.sent_to.end())
    std::ranges::set_difference(sent->second, got_, std::back_inserter(out));
  return out;
}

// What was seen may come again.
void Client::forget() {
  seen_.clear();
  last_order_.clear();
  last_message_.clear();
}

void Client::database_went_back(const std::function<bool(const std::string&)>& is_there) {
  seen_before_.merge(seen_);
  forget();
  std::erase_if(own_, [&](const auto& each) { return !is_there(each.id); });
}

}  // namespace myelin::simulate
