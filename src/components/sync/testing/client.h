// A client as the specification wants it: it keeps what /sync tells, and fills gaps through /messages (client-server
// API, Syncing). Tests compare what it knows after any chain of syncs with the truth. Thread: the test's.
#pragma once
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "components/sync/testing/world.h"

namespace myelin::sync::testing {

struct Count {
  int64_t notify = 0, highlight = 0;
  friend bool operator==(const Count&, const Count&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Count& count) {
    return out << count.notify << "/" << count.highlight;
  }
};
using TypeKey = std::pair<std::string, std::string>;
using ReceiptKey = std::tuple<std::string, std::string, std::string>;  // user, type, thread

struct KnownRoom {
  std::string section;                   // join, invite, leave or knock
  std::map<TypeKey, std::string> state;  // -> event id
  std::vector<std::string> timeline;     // event ids, oldest first
  std::set<std::string> in_timeline;
  std::map<std::string, json::Object> account_data;
  std::map<ReceiptKey, std::string> receipts;
  std::set<std::string> heroes;
  int64_t joined = 0, invited = 0;
  Count unread;
  std::map<std::string, Count> threads;
};

struct ClientOptions {
  size_t limit = 10;
  bool lazy = false, redundant = false, state_after = false, by_thread = false, whole_leave = true;
  bool thorough = false;  // gaps: looks through all of the history, which forks may have changed anywhere
  std::vector<std::string> hidden_types{};  // of the timeline

  std::string filter() const {
    json::Object timeline{{"limit", limit}, {"unread_thread_notifications", by_thread}};
    if (!hidden_types.empty()) {
      json::Array types;
      for (const auto& type : hidden_types) types.emplace_back(type);
      timeline["not_types"] = std::move(types);
    }
    json::Object state{{"lazy_load_members", lazy}, {"include_redundant_members", redundant}};
    return json::serialize(json::Object{
        {"room", json::Object{
                     {"timeline", std::move(timeline)}, {"state", std::move(state)}, {"include_leave", whole_leave}}}});
  }
};

class Client {
 public:
  Client(World& world, accounts::Session session, ClientOptions options)
      : world_(world), session_(std::move(session)), options_(std::move(options)) {}

  SyncRequest request(bool full_state = false) const {
    SyncRequest out{session_};
    out.since = since;
    out.filter = options_.filter();
    out.full_state = full_state;
    out.use_state_after = options_.state_after;
    return out;
  }
  void sync(bool full_state = false) { take(world_.sync_now(request(full_state))); }

  void take(const json::Object& answer) {
    since = World::next_batch(answer);
    for (const auto& event : events(answer, "account_data")) account_data[text_at(event, "type")] = content_of(event);
    for (const auto& event : events(answer, "to_device")) to_device.push_back(json::serialize(event));
    if (const auto* lists = json::object_at(answer, "device_lists")) {
      for (const auto& user : lists->at("changed").as_array()) changed_devices.insert(std::string(user.as_string()));
      for (const auto& user : lists->at("left").as_array()) left_devices.insert(std::string(user.as_string()));
    }
    const auto* all = json::object_at(answer, "rooms");
    if (all == nullptr) return;
    for (const auto& section : *all)
      for (const auto& entry : section.value().as_object())
        take_room(std::string(section.key()), std::string(entry.key()), entry.value().as_object());
  }

  std::optional<std::string> since;
  std::map<std::string, KnownRoom> rooms;
  std::map<std::string, json::Object> account_data;
  std::vector<std::string> to_device;
  std::set<std::string> changed_devices, left_devices;  // since somebody emptied them
  const accounts::Session& session() const { return session_; }
  const ClientOptions& options() const { return options_; }

 private:
  static json::Array events(const json::Object& object, std::string_view key) {
    const auto* part = json::object_at(object, key);
    return part == nullptr ? json::Array() : part->at("events").as_array();
  }
  static std::string text_at(const json::Value& event, std::string_view key) {
    return std::string(json::string_at(event.as_object(), key).value_or(""));
  }
  static json::Object content_of(const json::Value& event) { return event.at("content").as_object(); }
  static void apply_state(KnownRoom& room, const json::Array& events) {
    for (const auto& event : events)
      if (event.as_object().contains("state_key"))
        room.state[{text_at(event, "type"), text_at(event, "state_key")}] = text_at(event, "event_id");
  }

  void take_room(const std::string& section, const std::string& id, const json::Object& answer) {
    auto& room = rooms[id];
    if (section == "join" && room.section != "join") room.state.clear();  // all of it is told anew
    room.section = section;
    if (section == "invite" || section == "knock") return;
    auto timeline = events(answer, "timeline");
    apply_state(room, events(answer, "state"));
    if (!options_.state_after) apply_state(room, timeline);
    apply_state(room, events(answer, "state_after"));
    EXPECT_TRUE(!answer.contains("state") || !answer.contains("state_after"));
    take_timeline(room, id, answer, timeline);
    for (const auto& event : events(answer, "account_data"))
      room.account_data[text_at(event, "type")] = content_of(event);
    for (const auto& event : events(answer, "ephemeral")) take_ephemeral(room, event);
    if (const auto* summary = json::object_at(answer, "summary")) {
      room.heroes.clear();
      for (const auto& hero : summary->at("m.heroes").as_array()) room.heroes.insert(std::string(hero.as_string()));
      room.joined = summary->at("m.joined_member_count").as_int64();
      room.invited = summary->at("m.invited_member_count").as_int64();
    }
    if (const auto* unread = json::object_at(answer, "unread_notifications")) {
      room.unread = count_of(*unread);
      room.threads.clear();
      if (const auto* threads = json::object_at(answer, "unread_thread_notifications"))
        for (const auto& thread : *threads)
          room.threads[std::string(thread.key())] = count_of(thread.value().as_object());
    }
    // Lazy loading leaves out nobody whom the client shows.
    for (const auto& event : timeline)
      EXPECT_TRUE(room.state.contains({"m.room.member", text_at(event, "sender")}))
          << session_.user.str() << " does not know " << text_at(event, "sender") << " in " << id;
    if (section == "join")
      for (const auto& hero : room.heroes)
        EXPECT_TRUE(room.state.contains({"m.room.member", hero})) << "the hero " << hero << " in " << id;
  }

  static Count count_of(const json::Object& count) {
    return {count.at("notification_count").as_int64(), count.at("highlight_count").as_int64()};
  }

  void take_timeline(KnownRoom& room, const std::string& id, const json::Object& answer, const json::Array& timeline) {
    const auto* section = json::object_at(answer, "timeline");
    if (section == nullptr) return;
    std::vector<std::string> news;
    for (const auto& event : timeline) news.push_back(text_at(event, "event_id"));
    EXPECT_LE(news.size(), options_.limit);
    if (section->at("limited").as_bool()) {
      std::erase_if(news, [&](const auto& event) { return room.in_timeline.contains(event); });
      fill_gap(room, id, std::string(section->at("prev_batch").as_string()), news);
    }
    for (auto& event : news) {
      EXPECT_TRUE(room.in_timeline.insert(event).second) << event << " comes a second time in " << id;
      room.timeline.push_back(std::move(event));
    }
  }

  // What lies between what is known and `news`: pages backwards, to the first event that is known or the first of all.
  void fill_gap(KnownRoom& room, const std::string& id, const std::string& prev_batch, std::vector<std::string>& news) {
    auto room_id = RoomId::trusted(id);
    auto from = rooms::PageToken::parse(prev_batch);
    if (!from) from = value(world_.loop.run(world_.sync->page_token(room_id, prev_batch)));
    std::vector<std::string> older;
    for (bool more = true; more;) {
      auto page = value(world_.loop.run(
          world_.queries().messages(room_id, from, std::nullopt, rooms::Direction::kBackward, 7, {session_.user})));
      from = page.end;
      more = from.has_value();
      for (const auto& placed : page.events) {
        auto event = placed->event->event_id().str();
        if (room.in_timeline.contains(event)) {
          if (options_.thorough) continue;
          more = false;
          break;
        }
        const auto& hidden = options_.hidden_types;
        if (std::ranges::find(hidden, placed->event->type()) == hidden.end()) older.push_back(std::move(event));
      }
    }
    std::ranges::reverse(older);
    news.insert(news.begin(), older.begin(), older.end());
  }

  // One event names one receipt of a type for a user: the unthreaded one, where there are two (Threaded read receipts).
  static void take_ephemeral(KnownRoom& room, const json::Value& event) {
    if (text_at(event, "type") != "m.receipt") return;
    for (const auto& target : content_of(event))
      for (const auto& type : target.value().as_object())
        for (const auto& user : type.value().as_object()) {
          auto thread = json::string_at(user.value().as_object(), "thread_id").value_or("");
          room.receipts[{std::string(user.key()), std::string(type.key()), std::string(thread)}] = target.key();
        }
    std::erase_if(room.receipts, [&](const auto& entry) {
      const auto& [reader, type, thread] = entry.first;
      auto whole = room.receipts.find({reader, type, ""});
      return !thread.empty() && whole != room.receipts.end() && whole->second == entry.second;
    });
  }

  World& world_;
  accounts::Session session_;
  ClientOptions options_;
};

}  // namespace myelin::sync::testing
