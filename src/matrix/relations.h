// Relationships between events (client-server API, Forming relationships between events; Event replacements; Event
// annotations; Threading; Reference relations). Pure functions; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/event.h"

namespace myelin {

inline constexpr std::string_view kReplace = "m.replace", kAnnotation = "m.annotation", kThread = "m.thread",
                                  kReference = "m.reference";

// content["m.relates_to"] of a child event: its parent, and how it relates to it.
struct Relation {
  EventId parent;
  std::string type;  // rel_type
  friend bool operator==(const Relation&, const Relation&) = default;
};

// What the content says; nullopt when it says nothing or m.relates_to is malformed. Redaction takes the relation away.
std::optional<Relation> relation_of(const json::Object& content);
// The same of an event, and nullopt too when the event alone breaks the rules of the type: an edit that is a state
// event or has no m.new_content.
std::optional<Relation> relation_of(const Event&);

// Validity of replacement events, of an edit with its original.
bool is_valid_replacement(const Event& original, const Event& edit);

// May a client of ours send a child with this relation to the parent? kUnknown with status 400: a thread cannot start
// from an event that is itself a child (Validation of m.thread relationships).
Result<void> check_new_relation(const Relation&, const json::Object& parent_content);

// Two annotations with equal keys, of one sender on one parent, are duplicates (Avoiding duplicate annotations): event
// type and m.relates_to.key. nullopt: not an annotation with a key.
std::optional<std::string> annotation_key(std::string_view type, const json::Object& content);

// What a parent's children come to (Aggregations of child events), as the caller found it: without redacted children
// and those of ignored users. m.annotation is not aggregated.
struct Aggregation {
  struct Thread {
    json::Value latest_event;  // as served
    int64_t count = 0;
    bool participated = false;
  };
  std::optional<json::Value> replacement{};  // the most recent valid one, as served
  std::optional<Thread> thread{};
  std::vector<EventId> references{};
};
// unsigned["m.relations"] of the parent; empty: leave it out.
json::Object bundled(Aggregation);
// State events get none. (A redacted parent keeps all but the replacement.)
bool bundles_children(const Event& parent);

}  // namespace myelin
