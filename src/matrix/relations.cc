#include "matrix/relations.h"

namespace myelin {
namespace {

const json::Object* relates_to(const json::Object& content) { return json::object_at(content, "m.relates_to"); }

std::optional<EventId> event_id_at(const json::Object& object, std::string_view key) {
  auto text = json::string_at(object, key);
  auto id = text ? EventId::parse(*text) : fail(Code::kBadJson);
  if (!id) return std::nullopt;
  return *std::move(id);
}

std::optional<std::string_view> rel_type(const json::Object& content) {
  auto relates = relates_to(content);
  return relates ? json::string_at(*relates, "rel_type") : std::nullopt;
}

// "The replacement event (once decrypted, if appropriate) must have an m.new_content property"; "must not have a
// state_key property".
bool can_replace(const Event& edit) {
  return !edit.is_state() &&
         (edit.type() == "m.room.encrypted" || json::object_at(edit.content(), "m.new_content") != nullptr);
}

}  // namespace

std::optional<Relation> relation_of(const json::Object& content) {
  auto type = rel_type(content);
  if (!type || type->empty() || type->size() > kMaxFieldBytes) return std::nullopt;
  auto parent = event_id_at(*relates_to(content), "event_id");
  if (!parent) return std::nullopt;
  return Relation{*std::move(parent), std::string(*type)};
}

std::optional<Relation> relation_of(const Event& event) {
  auto relation = relation_of(event.content());
  if (relation && relation->type == kReplace && !can_replace(event)) return std::nullopt;
  return relation;
}

bool is_valid_replacement(const Event& original, const Event& edit) {
  auto relation = relation_of(edit);
  if (!relation || relation->type != kReplace || relation->parent != original.event_id()) return false;
  return original.room_id() == edit.room_id() && original.sender() == edit.sender() && original.type() == edit.type() &&
         !original.is_state() && rel_type(original.content()) != kReplace;
}

Result<void> check_new_relation(const Relation& relation, const json::Object& parent_content) {
  if (relation.type == kThread && relation_of(parent_content))
    return fail(Code::kUnknown, "a thread cannot start from an event that relates to another");
  return {};
}

std::optional<std::string> annotation_key(std::string_view type, const json::Object& content) {
  auto relation = relation_of(content);
  if (!relation || relation->type != kAnnotation) return std::nullopt;
  auto key = json::string_at(*relates_to(content), "key");
  if (!key) return std::nullopt;
  return std::string(type) + '\0' + std::string(*key);
}

bool bundles_children(const Event& parent) { return !parent.is_state(); }

json::Object bundled(Aggregation children) {
  json::Object out;
  if (children.replacement) out[kReplace] = *std::move(children.replacement);
  if (auto& thread = children.thread)
    out[kThread] = json::Object{{"latest_event", std::move(thread->latest_event)},
                                {"count", thread->count},
                                {"current_user_participated", thread->participated}};
  if (!children.references.empty()) {
    json::Array chunk;
    for (auto& id : children.references) chunk.push_back(json::Object{{"event_id", id.str()}});
    out[kReference] = json::Object{{"chunk", std::move(chunk)}};
  }
  return out;
}

}  // namespace myelin
