#include "tests/simulate/checks.h"

#include <fmt/format.h>

namespace myelin::simulate {
namespace {

std::vector<std::string> texts(SharedDatabase& database, db::Sql sql) {
  std::vector<std::string> out;
  database.session().run(sql, {}, [&](const db::Row& row) { out.push_back(row.str(0)); });
  return out;
}

std::string describe(SharedDatabase& database, const std::string& event_id) {
  std::string out = event_id;
  db::Value values[] = {std::string_view(event_id)};
  database.session().run(
      "SELECT e.room_no, e.order_no, t.pos, CAST(e.json AS TEXT) FROM event e LEFT JOIN sync_timeline t ON t.room_no = "
      "e.room_no AND t.ref = e.ref WHERE e.event_id = $1",
      values, [&](const db::Row& row) {
        out += fmt::format(", room {}, order {}, position {}: {}", row.i64(0), row.i64(1), row.i64(2), row.text(3));
      });
  return out;
}

}  // namespace

std::string unfinished(SharedDatabase& database, const Processes& processes, const Clients& clients) {
  for (const auto& process : processes)
    if (!process->is_well()) return process->name() + " is not well";
  for (const auto& client : clients)
    if (!client->has_written()) return client->account().user + " waits for an answer";
  auto behind =
      texts(database,
            "SELECT c.consumer || ' of ' || c.topic || '/' || c.partition FROM cursor c JOIN outbox_head h ON "
            "h.topic = c.topic AND h.partition = c.partition WHERE c.seq <> h.next_seq - 1");
  if (!behind.empty()) return behind.front() + " is behind";
  for (const auto& client : clients)
    if (auto lacks = client->lacks(); !lacks.empty())
      return fmt::format("{} has not seen {}", client->account().user, describe(database, lacks.front()));
  auto work = texts(database, "SELECT queue || ' ' || key FROM work");
  if (!work.empty()) return "work waits: " + work.front();
  return "";
}

void forget_what_is_lost(SharedDatabase& database, Ledger& ledger, Clients& clients) {
  auto there = texts(database, "SELECT event_id FROM event");
  std::set<std::string> all(there.begin(), there.end());
  auto is_lost = [&](const auto& each) { return !all.contains(each.first); };
  std::erase_if(ledger.acknowledged, is_lost);
  std::erase_if(ledger.messages, is_lost);
  std::erase_if(ledger.event_of, [&](const auto& each) { return !all.contains(each.second); });
  auto redactions = texts(database, "SELECT e.event_id FROM redaction r JOIN event e ON e.ref = r.target");
  std::set<std::string> redacted(redactions.begin(), redactions.end());
  std::erase_if(ledger.redacted, [&](const auto& each) { return !redacted.contains(each.first); });
  ledger.sent_to.clear();
  for (auto& client : clients) client->database_went_back([&](const std::string& id) { return all.contains(id); });
  ++ledger.restores;
}

void check_tables(World& world, SharedDatabase& database, const Ledger& ledger) {
  std::map<std::string, std::string> by_content;  // → event id
  std::set<std::string> all, followed;
  for (const auto& text : texts(database, "SELECT event_id || ' ' || CAST(json AS TEXT) FROM event ORDER BY ref")) {
    auto space = text.find(' ');
    auto id = text.substr(0, space);
    auto event = boost::json::parse(std::string_view(text).substr(space + 1)).as_object();
    all.insert(id);
    for (const auto& each : event.at("prev_events").as_array())
      if (!followed.insert(std::string(each.as_string())).second)
        world.violation(fmt::format("A1: two events follow {}: one is {}", std::string(each.as_string()), id));
    const auto& content = event.at("content").as_object();
    for (auto* key : {"body", "topic"}) {
      auto* value = content.if_contains(key);
      if (value == nullptr || !ledger.tried.contains(std::string(value->as_string()))) continue;
      auto [other, is_new] = by_content.emplace(std::string(value->as_string()), id);
      if (!is_new) world.violation(fmt::format("B2: {} was done twice: {} and {}", other->first, other->second, id));
    }
  }
  for (const auto& [id, room] : ledger.acknowledged)
    if (!all.contains(id)) world.violation(fmt::format("acknowledged and lost: {} of {}", id, room));
  auto strays = texts(database,
                      "SELECT e.event_id FROM event e LEFT JOIN sync_timeline t ON t.room_no = e.room_no AND t.ref = "
                      "e.ref WHERE t.ref IS NULL AND e.order_no IS NOT NULL");
  if (!strays.empty()) world.violation("sync never learned of " + strays.front());
  auto parked = texts(database, "SELECT consumer || ' ' || key || ': ' || reason FROM parked");
  if (!parked.empty()) world.violation("parked: " + parked.front());
}

namespace {

// Messages of others after the last receipt, or the last event of one's own that is no state.
int64_t count_unread(SharedDatabase& database, const Ledger& ledger, const std::string& user, const std::string& room) {
  int64_t count = 0, read = 0;
  if (auto it = ledger.read.find({user, room}); it != ledger.read.end()) read = it->second;
  db::Value values[] = {std::string_view(room)};
  database.session().run(
      "SELECT CAST(e.json AS TEXT), e.order_no, d.target IS NOT NULL FROM event e JOIN room r ON r.room_no = e.room_no "
      "LEFT "
      "JOIN redaction d ON d.target = e.ref WHERE r.room_id = $1 ORDER BY e.order_no",
      values, [&](const db::Row& row) {
        auto event = boost::json::parse(row.text(0)).as_object();
        bool is_own = text_at(event, "sender") == user, is_state = event.contains("state_key");
        if (is_own && !is_state) count = 0;
        if (!is_own && text_at(event, "type") == "m.room.message" && row.i64(2) == 0 && row.i64(1) > read) ++count;
      });
  return count;
}

}  // namespace

Task<> check_counts(World& world, SharedDatabase& database, const Processes& processes, const Ledger& ledger,
                    Account who) {
  auto& process = *processes[world.below(processes.size())];
  auto answer = co_await ask(world, process, net::Method::kGet,
                             fmt::format("/_matrix/client/v3/sync?timeout=0&filter={}", kFilter), who.token);
  for (const auto& room : who.rooms) {
    const auto& section = answer.body.at("rooms").as_object().at("join").as_object().at(room).as_object();
    auto unread = section.at("unread_notifications").as_object().at("notification_count").to_number<int64_t>();
    if (auto counted = count_unread(database, ledger, who.user, room); unread != counted)
      world.violation(fmt::format("A8: {} has {} unread in {}, and is told of {}", who.user, counted, room, unread));
  }
}

void check_pushes(World& world, const Ledger& ledger, const Account& who) {
  for (const auto& [id, sender] : ledger.messages)
    if (sender != who.user && !ledger.redacted.contains(id) && !ledger.pushed.contains(id))
      world.violation(fmt::format("{} was never pushed to {}", id, who.user));
}

Task<> check_redactions(World& world, const Processes& processes, const Ledger& ledger, Account who) {
  for (const auto& [id, room] : ledger.redacted)
    for (const auto& process : processes) {
      auto answer = co_await ask(world, *process, net::Method::kGet,
                                 fmt::format("/_matrix/client/v3/rooms/{}/event/{}", room, id), who.token);
      auto* content = answer.body.if_contains("content");
      if (answer.status != 200 || content == nullptr || !content->as_object().empty())
        world.violation(fmt::format("{} shows the redacted {}: {} {}", process->name(), id, answer.status,
                                    boost::json::serialize(answer.body)));
    }
}

}  // namespace myelin::simulate
