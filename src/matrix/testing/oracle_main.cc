// myelin_oracle MODE COUNT [SEED]: tests made at random, one a seed, from SEED on. What we say to each is in the line.
//   literal  plays rooms through the fast and the literal resolver; prints differences and one line of counts
//   readings the same, and counts how often each reading of decision 0004 changes the result
//   rooms    the same rooms, one line of JSON each: events, and every resolution with its result
//   auth     decisions of the auth rules, one line of JSON each
//   pdus     received PDUs, one line of JSON each, after one with the keys of their servers
// Exits with 1 if the resolvers differ. tests/oracle reads the lines.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "base/bytes.h"
#include "matrix/testing/random_auth.h"
#include "matrix/testing/random_pdu.h"
#include "matrix/testing/random_room.h"

namespace myelin::testing {
namespace {

void print_line(const json::Object& line) { fmt::print("{}\n", json::serialize(line)); }

json::Object known(const Event& event, bool rejected) {
  json::Object entry{{"id", event.event_id().str()}, {"pdu", event.object()}};
  if (rejected) entry["rejected"] = true;
  return entry;
}

class Lines final : public RoomRecorder {
 public:
  void event(const Event& event, bool rejected) override {
    if (room_id_.empty()) room_id_ = event.room_id().str();
    events_.push_back(known(event, rejected));
  }
  void resolution(const std::vector<LiteralState>& sets, const LiteralState& result) override {
    json::Array list;
    for (auto& set : sets) list.push_back(ids(set));
    resolutions_.push_back(json::Object{{"sets", std::move(list)}, {"result", ids(result)}});
  }
  json::Object line(uint64_t seed, const RandomRoomResult& room) {
    json::Object line{
        {"seed", seed}, {"version", room.version}, {"room_id", room_id_}, {"conflicted", room.conflicted}};
    line["events"] = std::move(events_);
    line["resolutions"] = std::move(resolutions_);
    if (room.difference) line["difference"] = *room.difference;
    return line;
  }

 private:
  static json::Array ids(const LiteralState& state) {
    json::Array list;
    for (auto& [key, id] : state) list.emplace_back(id.str());
    return list;
  }
  std::string room_id_;
  json::Array events_, resolutions_;
};

int print_rooms(uint64_t count, uint64_t seed) {
  bool differ = false;
  for (uint64_t i = 0; i < count; ++i) {
    Lines lines;
    auto room = play_random_room(seed + i, &lines);
    differ |= room.difference.has_value();
    print_line(lines.line(seed + i, room));
  }
  return differ ? 1 : 0;
}

int compare_with_literal(uint64_t dags, uint64_t seed, Readings readings) {
  size_t events = 0, resolutions = 0, conflicted = 0, differences = 0, rooms_of_12 = 0;
  std::array<size_t, 4> changed{};
  for (uint64_t i = 0; i < dags; ++i) {
    auto room = play_random_room(seed + i, nullptr, readings);
    for (size_t letter = 0; letter < changed.size(); ++letter) changed[letter] += room.changed_by_letter[letter];
    rooms_of_12 += room.version == "12";
    events += room.events;
    resolutions += room.resolutions;
    conflicted += room.conflicted;
    if (!room.difference) continue;
    ++differences;
    fmt::print("DIFFERENCE, seed {}: {}\n", seed + i, *room.difference);
  }
  if (readings == Readings::kCounted)
    fmt::print("oracle: to the letter, other results: auth difference {}, step 1 {}, power ordering {}\n", changed[1],
               changed[2], changed[3]);
  fmt::print(
      "oracle: {} dags from seed {} ({} of version 12), {} events, {} resolutions of which {} conflicted, {} "
      "differences\n",
      dags, seed, rooms_of_12, events, resolutions, conflicted, differences);
  return differences == 0 ? 0 : 1;
}

int print_auth(uint64_t count, uint64_t seed) {
  for (uint64_t i = 0; i < count; ++i) {
    auto the = random_auth_case(seed + i);
    json::Array events, keys;
    for (auto& entry : the.known) {
      auto object = known(*entry.event, entry.rejected);
      if (entry.in_state) object["in_state"] = true;
      events.push_back(std::move(object));
    }
    for (auto& key : the.keys) keys.push_back(json::Array{key.type, key.state_key});
    print_line({{"seed", seed + i},
                {"version", the.rules->version},
                {"known", std::move(events)},
                {"id", the.judged->event_id().str()},
                {"pdu", the.judged->object()},
                {"keys", std::move(keys)},
                {"allowed", the.allowed},
                {"reason", the.reason}});
  }
  return 0;
}

json::Object key_line() {
  json::Object servers;
  for (auto& [server, keys] : known_keys()) {
    json::Object list;
    for (auto& [key_id, known] : keys) {
      json::Object key{{"seed", base64(known.key.seed())}, {"public", base64(known.key.public_key())}};
      if (known.expired_ts) key["expired_ts"] = *known.expired_ts;
      list[key_id] = std::move(key);
    }
    servers[server] = std::move(list);
  }
  return {{"keys", std::move(servers)}};
}

int print_pdus(uint64_t count, uint64_t seed) {
  print_line(key_line());
  for (uint64_t i = 0; i < count; ++i) {
    auto the = random_pdu_case(seed + i);
    auto value = [](const std::optional<std::string>& text) { return text ? json::Value(*text) : json::Value(); };
    print_line({{"seed", seed + i},
                {"version", the.rules->version},
                {"text", base64(the.text)},
                {"change", the.change},
                {"canonical", value(the.canonical)},
                {"content_hash", value(the.content_hash)},
                {"reference_hash", value(the.reference_hash)},
                {"event_id", value(the.event_id)},
                {"redacted", value(the.redacted)},
                {"verdict", the.verdict},
                {"reason", the.reason}});
  }
  return 0;
}

}  // namespace
}  // namespace myelin::testing

int main(int argc, char** argv) {
  using namespace myelin::testing;
  std::string_view mode = argc > 1 ? argv[1] : "";
  uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : std::random_device()();
  if (mode == "literal") return compare_with_literal(count, seed, Readings::kOurs);
  if (mode == "readings") return compare_with_literal(count, seed, Readings::kCounted);
  if (mode == "rooms") return print_rooms(count, seed);
  if (mode == "auth") return print_auth(count, seed);
  if (mode == "pdus") return print_pdus(count, seed);
  fmt::print(stderr, "usage: myelin_oracle literal|readings|rooms|auth|pdus COUNT [SEED]\n");
  return 2;
}
