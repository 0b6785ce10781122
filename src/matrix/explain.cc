#include "matrix/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <span>
#include <unordered_map>

#include "base/bytes.h"
#include "matrix/state_res.h"

namespace myelin {
namespace {

// States that are resolved at once: the work grows with their number times that of the keys on which they differ. More
// than a server keeps extremities, or an event has events before it.
constexpr size_t kMaxForks = 200;

struct Entry {
  ExplainedEvent told;
  std::optional<StateRoot> after;  // set once judged
  bool is_extremity = false, is_built_on = false;
};

// A room in memory: events, keys and states by number.
class Room final : public ResolutionSource, public ItemSource {
 public:
  explicit Room(const RoomRules& rules) : rules_(rules) {}

  // Of an event that was accepted.
  Result<void> add(EventPtr event) {
    auto number = static_cast<uint32_t>(events_.size());
    std::vector<uint32_t> parents;
    if (event->type() != "m.room.create")  // whose list no rule looks at
      for (auto& id : event->auth_events()) parents.push_back(numbers_.at(id));
    MYELIN_CHECK(graph_.add(number, parents));
    numbers_[event->event_id()] = number;
    events_.push_back(std::move(event));
    return {};
  }

  Result<StateRoot> with(const StateRoot& root, const Event& event) {
    auto [key, is_new] = keys_.try_emplace({event.type(), *event.state_key()}, static_cast<uint32_t>(keys_.size()));
    if (is_new) key_names_.push_back(key->first);
    return edit(root, {{key->second, numbers_.at(event.event_id())}});
  }

  // The first kMaxForks of them.
  Result<StateRoot> resolved(std::span<const StateRoot> roots) {
    if (roots.empty()) return StateRoot();
    roots = roots.subspan(0, std::min(roots.size(), kMaxForks));
    auto [known, is_new] = resolved_.try_emplace(resolution_key(roots));
    if (!is_new) return known->second;
    std::vector<StateMap> sets;
    for (auto& root : roots) sets.emplace_back(pages_, root);
    MYELIN_TRY(auto resolution, resolve(rules_, sets, graph_, *this));
    MYELIN_TRY(known->second, edit(roots.front(), std::move(resolution.edits)));
    return known->second;
  }

  EventPtr find(const StateRoot& root, std::string_view type, std::string_view state_key) {
    auto key = keys_.find({std::string(type), std::string(state_key)});
    if (key == keys_.end()) return nullptr;
    auto number = StateMap(pages_, root).find(key->second);
    return number && *number ? events_[**number] : nullptr;
  }

  Result<std::vector<EventPtr>> state(const StateRoot& root) {
    std::map<TypeAndKey, EventPtr> sorted;
    MYELIN_CHECK(StateMap(pages_, root).for_each([&](uint32_t key, uint32_t number) {
      sorted[key_names_[key]] = events_[number];
    }));
    std::vector<EventPtr> out;
    for (auto& [key, event] : sorted) out.push_back(std::move(event));
    return out;
  }

  Result<EventPtr> event(uint32_t number) override { return events_[number]; }
  Result<bool> rejected(uint32_t) override { return false; }  // only accepted events are here
  Result<std::optional<uint32_t>> key_no(std::string_view type, std::string_view state_key) override {
    auto key = keys_.find({std::string(type), std::string(state_key)});
    return key == keys_.end() ? std::nullopt : std::optional(key->second);
  }
  Result<Fingerprint> item(uint32_t key, uint32_t number) override {
    return fingerprints_.item(key_names_[key].type, key_names_[key].state_key, events_[number]->event_id());
  }

 private:
  Result<StateRoot> edit(const StateRoot& root, std::vector<StateEdit> edits) {
    StateWriter writer(pages_, *this, next_page_no_);
    MYELIN_TRY(auto result, writer.apply(root, std::move(edits)));
    for (auto& page : writer.new_pages()) pages_.add(page.page_no, writer.parsed(page.page_no));
    next_page_no_ = writer.next_page_no();
    return result;
  }

  const RoomRules& rules_;
  std::vector<EventPtr> events_;
  std::unordered_map<EventId, uint32_t> numbers_;
  std::map<TypeAndKey, uint32_t> keys_;
  std::vector<TypeAndKey> key_names_;
  AuthGraph graph_;
  PageSet pages_;
  uint32_t next_page_no_ = 1;
  std::unordered_map<std::string, StateRoot> resolved_;  // by resolution_key()
  FingerprintKey fingerprints_{std::string(32, '\0')};   // nobody outside sees these maps
};

class StateView final : public AuthState {
 public:
  StateView(Room& room, const StateRoot& root) : room_(room), root_(root) {}
  const Event* find(std::string_view type, std::string_view state_key) const override {
    return room_.find(root_, type, state_key).get();
  }

 private:
  Room& room_;
  StateRoot root_;
};

class Judge {
 public:
  explicit Judge(const RoomRules& rules) : rules_(rules), room_(rules) {}

  void read(std::string_view line, size_t number) {
    ExplainedEvent told;
    told.line = number;
    auto event = Event::parse(std::string(line), rules_, ReferenceLimits::kIgnored);
    if (!event) return drop(std::move(told), event.error().message);
    told.event = *event;
    auto& id = (*event)->event_id();
    if (entries_.contains(id)) return drop(std::move(told), "it was there before");
    if (auto hash = content_hash((*event)->object(), rules_); !hash) return drop(std::move(told), hash.error().message);
    if ((*event)->type() == "m.room.create" && create_.empty()) {
      create_ = id;
      room_id_ = (*event)->room_id();
    }
    entries_[id] = {std::move(told)};
    order_.push_back(id);
  }

  Result<Explanation> judge_all() {
    drop_what_is_of_no_use();
    auto order = sorted();
    for (auto& id : order) MYELIN_CHECK(judge(entries_.at(id)));
    Explanation out;
    out.rules = &rules_;
    out.room = room_id_;
    for (auto& id : order) {
      auto& entry = entries_.at(id);
      out.events.push_back(entry.told);
      if (entry.is_extremity) out.extremities.push_back(id);
    }
    auto depth_and_id = [&](const EventId& id) { return std::pair(-entries_.at(id).told.event->depth(), id); };
    if (out.extremities.size() > kMaxForks) std::ranges::sort(out.extremities, {}, depth_and_id);
    std::vector<StateRoot> ends;
    for (auto& id : out.extremities) ends.push_back(*entries_.at(id).after);
    out.resolved = std::min(ends.size(), kMaxForks);
    for (auto& told : dropped_) out.events.push_back(std::move(told));
    MYELIN_TRY(auto root, room_.resolved(ends));
    MYELIN_TRY(out.state, room_.state(root));
    return out;
  }

 private:
  void drop(ExplainedEvent told, std::string reason) {
    told.verdict = Verdict::kDrop;
    told.reason = std::move(reason);
    dropped_.push_back(std::move(told));
  }

  // Events of other rooms, and further create events: a room has one.
  void drop_what_is_of_no_use() {
    if (create_.empty() && !order_.empty()) room_id_ = entries_.at(order_.front()).told.event->room_id();
    std::erase_if(order_, [&](const EventId& id) {
      auto found = entries_.find(id);
      auto& event = *found->second.told.event;
      bool is_other_room = event.room_id() != room_id_;
      if (!is_other_room && (event.type() != "m.room.create" || id == create_)) return false;
      drop(std::move(found->second.told), is_other_room ? fmt::format("it is of another room, {}", event.room_id())
                                                        : fmt::format("the room's create event is {}", create_));
      entries_.erase(found);
      return true;
    });
  }

  // After what they build on; those of one rank as they came. Events in a circle are dropped.
  std::vector<EventId> sorted() {
    std::unordered_map<EventId, size_t> waits;
    std::unordered_map<EventId, std::vector<EventId>> followers;
    std::deque<EventId> ready;
    for (auto& id : order_) {
      auto& event = *entries_.at(id).told.event;
      size_t count = 0;
      for (auto list : {&event.prev_events(), &event.auth_events()}) {
        for (auto& earlier : *list) {
          if (!entries_.contains(earlier)) continue;
          followers[earlier].push_back(id);
          ++count;
        }
      }
      waits[id] = count;
      if (count == 0) ready.push_back(id);
    }
    std::vector<EventId> order;
    for (; !ready.empty(); ready.pop_front()) {
      order.push_back(ready.front());
      for (auto& id : followers[ready.front()])
        if (--waits[id] == 0) ready.push_back(id);
    }
    for (auto& id : order_)
      if (waits[id] > 0) drop(std::move(entries_.at(id).told), "it builds on itself");
    return order;
  }

  AuthEvent known(const EventId& id) const {
    auto found = entries_.find(id);
    if (found == entries_.end() || !found->second.after) return {};
    return {found->second.told.event.get(), found->second.told.verdict == Verdict::kReject};
  }

  // The states after the events before it, resolved; nullopt: none of them is here.
  Result<std::optional<StateRoot>> state_before(Entry& entry) {
    std::vector<StateRoot> roots;
    auto& previous = entry.told.event->prev_events();
    for (auto& id : previous)
      if (auto found = entries_.find(id); found != entries_.end() && found->second.after)
        roots.push_back(*found->second.after);
    if (roots.size() < previous.size()) entry.told.notes = "not all events before it are here";
    if (roots.empty() && !previous.empty()) return std::nullopt;
    if (roots.size() > kMaxForks) {
      entry.told.notes += (entry.told.notes.empty() ? "" : "; ") +
                          fmt::format("of the states before it only {} of {} are resolved", kMaxForks, roots.size());
    }
    return room_.resolved(roots);
  }

  Result<void> judge(Entry& entry) {
    auto& told = entry.told;
    MYELIN_TRY(auto before, state_before(entry));
    std::optional<StateView> view;
    if (before && told.event->type() != "m.room.create") view.emplace(room_, *before);
    std::vector<AuthEvent> auth_events;
    for (auto& id : told.event->auth_events()) auth_events.push_back(known(id));
    ReceiptFacts facts;
    facts.event = told.event;
    facts.content_hash_matches = has_its_hash(*told.event);
    facts.auth_events = auth_events;
    if (!create_.empty()) facts.create = known(create_);
    facts.before = view ? &*view : nullptr;
    MYELIN_TRY(auto receipt, check_receipt(rules_, facts));
    told.event = receipt.event;
    told.verdict = receipt.verdict;
    told.reason = std::move(receipt.reason);
    if (receipt.redacted) told.notes += (told.notes.empty() ? "" : "; ") + std::string("redacted: its hash is another");
    entry.after = before.value_or(StateRoot());
    if (told.verdict != Verdict::kAccept) return {};
    told.allowed_by = allowing(*told.event, before);
    MYELIN_CHECK(room_.add(told.event));
    if (told.event->is_state()) {
      MYELIN_TRY(entry.after, room_.with(*entry.after, *told.event));
    }
    entry.is_extremity = true;
    build_on(*told.event);
    return {};
  }

  std::vector<EventPtr> allowing(const Event& event, const std::optional<StateRoot>& before) {
    std::vector<EventPtr> out;
    if (before) {
      for (auto& [type, state_key] : authorizing_keys(rules_, event))
        if (auto found = room_.find(*before, type, state_key)) out.push_back(std::move(found));
    } else {
      for (auto& id : event.auth_events())
        if (auto found = entries_.find(id); found != entries_.end()) out.push_back(found->second.told.event);
    }
    return out;
  }

  // The events before an accepted one are no extremities any more, nor those before rejected ones among them.
  void build_on(const Event& event) {
    std::vector<const Event*> waiting{&event};
    while (!waiting.empty()) {
      auto& previous = waiting.back()->prev_events();
      waiting.pop_back();
      for (auto& id : previous) {
        auto found = entries_.find(id);
        if (found == entries_.end() || std::exchange(found->second.is_built_on, true)) continue;
        found->second.is_extremity = false;
        if (found->second.told.verdict == Verdict::kReject) waiting.push_back(found->second.told.event.get());
      }
    }
  }

  bool has_its_hash(const Event& event) const {
    auto hashes = json::object_at(event.object(), "hashes");
    return from_loose_base64(json::string_at(*hashes, "sha256").value_or("")) ==
           content_hash(event.object(), rules_).value();
  }

  const RoomRules& rules_;
  Room room_;
  EventId create_;  // the first
  RoomId room_id_;
  std::unordered_map<EventId, Entry> entries_;
  std::vector<EventId> order_;  // as they came
  std::vector<ExplainedEvent> dropped_;
};

template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (size_t number = 1; !text.empty(); ++number) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(" \t\r") != line.npos) visit(line, number);
  }
}

// What events say may not steer the terminal: C0, DEL and C1.
std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    bool is_c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte >= 0x20 && byte != 0x7F && !is_c1) {
      out += text[i];
      continue;
    }
    if (is_c1) byte = static_cast<unsigned char>(text[++i]);
    out += fmt::format("\\x{:02x}", byte);
  }
  return out;
}

// Of the first create event.
Result<const RoomRules*> rules_of(std::string_view json_lines) {
  std::optional<Result<const RoomRules*>> found;
  std::string problem;  // the first
  for_each_line(json_lines, [&](std::string_view line, size_t number) {
    if (found || !(line.contains("m.room.create") || line.contains('\\'))) return;
    auto passed_over = [&](const char* what, const Error& error) {
      if (problem.empty()) problem = fmt::format("; line {} is no {}: {}", number, what, printable(error.message));
    };
    auto pdu = json::parse_object(line, {.depth = json::kMaxPduDepth});
    if (!pdu) return passed_over("JSON object, as each line has to be", pdu.error());
    auto content = json::object_at(*pdu, "content");
    if (!content || json::string_at(*pdu, "type") != "m.room.create") return;
    auto given = content->if_contains("room_version");
    auto version = !given ? "1" : given->is_string() ? std::string(given->get_string()) : json::serialize(*given);
    auto rules = given && !given->is_string() ? nullptr : find_room_version(version);
    if (!rules) {
      auto shown = version.size() <= 64 ? printable(version) : fmt::format("of {} bytes", version.size());
      found = fail(Code::kInvalidParam, "room version " + shown + " is not known");
    } else if (auto event = Event::parse(std::string(line), *rules, ReferenceLimits::kIgnored); !event) {
      passed_over("m.room.create event", event.error());
    } else {
      found = rules;
    }
  });
  if (!found) return fail(Code::kInvalidParam, "there is no m.room.create event" + problem);
  return *std::move(found);
}

std::string name(const Event& event) {
  auto out = fmt::format("{} {}", event.event_id(), event.type());
  return event.state_key() ? out + fmt::format(" \"{}\"", *event.state_key()) : out;
}

std::string describe(const Event& event) { return name(event) + fmt::format(" by {}", event.sender()); }

std::string names(const std::vector<EventPtr>& events) {
  std::string out;
  for (auto& event : events) out += (out.empty() ? "" : ", ") + name(*event);
  return out;
}

}  // namespace

Result<Explanation> explain_room(std::string_view json_lines) {
  if (json_lines.starts_with("\xEF\xBB\xBF")) json_lines.remove_prefix(3);  // a byte order mark
  MYELIN_TRY(const RoomRules* rules, rules_of(json_lines));
  Judge judge(*rules);
  for_each_line(json_lines, [&](std::string_view line, size_t number) { judge.read(line, number); });
  return judge.judge_all();
}

std::string to_text(const Explanation& explanation) {
  std::string out;
  auto line = [&](const std::string& text) { out += printable(text) + '\n'; };
  line(fmt::format("room {}, version {}", explanation.room, explanation.rules->version));
  for (auto& told : explanation.events) {
    auto verdict = told.verdict == Verdict::kAccept   ? "accepted"
                   : told.verdict == Verdict::kReject ? "rejected"
                                                      : "dropped ";
    line(fmt::format("{} {}", verdict, told.event ? describe(*told.event) : fmt::format("line {}", told.line)));
    if (!told.reason.empty()) line("  because: " + told.reason);
    if (!told.allowed_by.empty()) line("  allowed by: " + names(told.allowed_by));
    if (!told.notes.empty()) line("  note: " + told.notes);
  }
  auto ends = explanation.extremities.size();
  auto resolved = explanation.resolved < ends ? fmt::format("the {} deepest of ", explanation.resolved) : "";
  line(fmt::format("state after {}{} forward {}:", resolved, ends, ends == 1 ? "extremity" : "extremities"));
  for (auto& event : explanation.state) line("  " + describe(*event));
  return out;
}

}  // namespace myelin
