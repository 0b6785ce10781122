#include "matrix/filter.h"

#include <algorithm>

namespace myelin {
namespace {

constexpr size_t kMaxPatterns = 100;  // in one list of types; and so many event_fields

std::unexpected<Error> bad(std::string_view key, const char* problem) {
  return fail(Code::kBadJson, "filter: " + std::string(key) + " " + problem);
}

Result<const json::Object*> object_field(const json::Object& in, const char* key) {
  auto value = in.if_contains(key);
  if (!value) return nullptr;
  if (!value->is_object()) return bad(key, "is not an object");
  return &value->get_object();
}

Result<void> flag(const json::Object& in, const char* key, bool& out) {
  auto value = in.if_contains(key);
  if (!value) return {};
  if (!value->is_bool()) return bad(key, "is not a boolean");
  out = value->get_bool();
  return {};
}

Result<std::vector<std::string>> strings(const json::Value& value, const char* key) {
  auto list = value.if_array();
  if (!list) return bad(key, "is not a list");
  std::vector<std::string> out;
  out.reserve(list->size());
  for (auto& element : *list) {
    if (!element.is_string()) return bad(key, "has an entry that is not a string");
    out.emplace_back(element.get_string());
  }
  return out;
}

}  // namespace

class FilterParser {
 public:
  explicit FilterParser(const json::Object& in) : in_(in) {}

  Result<EventFilter> parse() {
    MYELIN_CHECK(types("types", out_.types_));
    std::optional<EventFilter::Types> not_types;
    MYELIN_CHECK(types("not_types", not_types));
    if (not_types) out_.not_types_ = *std::move(not_types);
    MYELIN_CHECK(ids<UserId>("senders", out_.senders_));
    MYELIN_CHECK(ids<RoomId>("rooms", out_.rooms_));
    std::optional<EventFilter::Names> not_senders, not_rooms;
    MYELIN_CHECK(ids<UserId>("not_senders", not_senders));
    MYELIN_CHECK(ids<RoomId>("not_rooms", not_rooms));
    if (not_senders) out_.not_senders_ = *std::move(not_senders);
    if (not_rooms) out_.not_rooms_ = *std::move(not_rooms);
    if (in_.contains("contains_url")) {
      MYELIN_CHECK(flag(in_, "contains_url", out_.contains_url_.emplace()));
    }
    MYELIN_CHECK(flag(in_, "lazy_load_members", out_.lazy_load_members_));
    MYELIN_CHECK(flag(in_, "include_redundant_members", out_.include_redundant_members_));
    MYELIN_CHECK(flag(in_, "unread_thread_notifications", out_.unread_thread_notifications_));
    if (auto limit = in_.if_contains("limit")) {
      if (!limit->is_int64() || limit->get_int64() < 0) return bad("limit", "is not a natural number");
      out_.limit_ = std::min(static_cast<size_t>(limit->get_int64()), kMaxFilterLimit);
    }
    out_.matches_everything_ = !out_.types_ && !out_.senders_ && !out_.rooms_ && !out_.contains_url_ &&
                               out_.not_types_.exact.empty() && out_.not_types_.patterns.empty() &&
                               out_.not_senders_.empty() && out_.not_rooms_.empty();
    return std::move(out_);
  }

 private:
  Result<void> types(const char* key, std::optional<EventFilter::Types>& out) {
    auto value = in_.if_contains(key);
    if (!value) return {};
    MYELIN_TRY(auto names, strings(*value, key));
    out.emplace();
    for (auto& name : names) {
      if (name.size() > kMaxFieldBytes) return fail(Code::kInvalidParam, "filter: an event type is too long");
      if (!name.contains('*'))
        out->exact.insert(std::move(name));
      else
        out->patterns.emplace_back(name, Wildcards::kStar);
    }
    if (out->patterns.size() > kMaxPatterns) return fail(Code::kInvalidParam, "filter: too many wildcards");
    return {};
  }
  template <class Kind>
  Result<void> ids(const char* key, std::optional<EventFilter::Names>& out) {
    auto value = in_.if_contains(key);
    if (!value) return {};
    MYELIN_TRY(auto names, strings(*value, key));
    out.emplace();
    for (auto& name : names) {
      if (auto id = Kind::parse(name); !id)
        return fail(Code::kInvalidParam, "filter: " + std::string(key) + ": " + id.error().message);
      out->insert(std::move(name));
    }
    return {};
  }

  const json::Object& in_;
  EventFilter out_;
};

Result<EventFilter> EventFilter::parse(const json::Object& in) { return FilterParser(in).parse(); }

bool EventFilter::Types::match(std::string_view type) const {
  return exact.contains(type) || std::ranges::any_of(patterns, [&](auto& pattern) { return pattern.matches(type); });
}
bool EventFilter::matches_type(std::string_view type) const {
  return (!types_ || types_->match(type)) && !not_types_.match(type);
}
bool EventFilter::matches_sender(std::string_view sender) const {
  return (!senders_ || senders_->contains(sender)) && !not_senders_.contains(sender);
}
bool EventFilter::matches_room(std::string_view room_id) const {
  return (!rooms_ || rooms_->contains(room_id)) && !not_rooms_.contains(room_id);
}
bool EventFilter::matches(const Event& event, const RoomId& room) const {
  if (matches_everything_) return true;
  return matches_type(event.type()) && matches_sender(event.sender().str()) && matches_room(room.str()) &&
         (!contains_url_ || *contains_url_ == event.content().contains("url"));
}

Result<Filter> Filter::parse(const json::Object& in) {
  Filter out;
  auto part = [](const json::Object& from, const char* key, EventFilter& to) -> Result<void> {
    MYELIN_TRY(auto object, object_field(from, key));
    if (object) {
      MYELIN_TRY(to, EventFilter::parse(*object));
    }
    return {};
  };
  MYELIN_CHECK(part(in, "presence", out.presence_));
  MYELIN_CHECK(part(in, "account_data", out.account_data_));
  MYELIN_TRY(auto room, object_field(in, "room"));
  if (room) {
    json::Object rooms;
    for (auto key : {"rooms", "not_rooms"})
      if (auto value = room->if_contains(key)) rooms[key] = *value;
    MYELIN_TRY(out.rooms_, EventFilter::parse(rooms));
    MYELIN_CHECK(part(*room, "ephemeral", out.ephemeral_));
    MYELIN_CHECK(part(*room, "state", out.state_));
    MYELIN_CHECK(part(*room, "timeline", out.timeline_));
    MYELIN_CHECK(part(*room, "account_data", out.room_account_data_));
    MYELIN_CHECK(flag(*room, "include_leave", out.include_leave_));
  }
  if (auto format = in.if_contains("event_format")) {
    if (*format == "federation")
      out.event_format_ = EventFormat::kFederation;
    else if (*format != "client")
      return bad("event_format", "is neither client nor federation");
  }
  if (auto fields = in.if_contains("event_fields")) {
    MYELIN_TRY(auto texts, strings(*fields, "event_fields"));
    if (texts.size() > kMaxPatterns) return fail(Code::kInvalidParam, "filter: too many event_fields");
    std::vector<PropertyPath> paths;
    for (auto& text : texts) paths.push_back(parse_property_path(text));
    if (!paths.empty()) out.event_fields_.emplace(std::move(paths));
  }
  return out;
}

}  // namespace myelin
