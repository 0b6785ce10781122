// Client filters (client-server API, Filtering). Values; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "matrix/event.h"
#include "matrix/glob.h"
#include "matrix/property_path.h"

namespace myelin {

inline constexpr size_t kDefaultFilterLimit = 10;
inline constexpr size_t kMaxFilterLimit = 1000;  // what asks for more gets this

// EventFilter and RoomEventFilter of the specification. Without content it lets everything through.
class EventFilter {
 public:
  // kBadJson: a wrong type or number; kInvalidParam: a malformed user or room ID, or too many wildcards.
  static Result<EventFilter> parse(const json::Object&);

  bool matches(const Event& event) const { return matches(event, event.room_id()); }
  bool matches(const Event&, const RoomId&) const;
  bool matches_type(std::string_view type) const;
  bool matches_sender(std::string_view sender) const;
  bool matches_room(std::string_view room_id) const;
  bool matches_everything() const { return matches_everything_; }

  size_t limit() const { return limit_.value_or(kDefaultFilterLimit); }
  std::optional<size_t> given_limit() const { return limit_; }
  std::optional<bool> contains_url() const { return contains_url_; }
  bool lazy_load_members() const { return lazy_load_members_; }
  bool include_redundant_members() const { return include_redundant_members_; }
  bool unread_thread_notifications() const { return unread_thread_notifications_; }
  bool includes_no_type() const { return types_ && types_->exact.empty() && types_->patterns.empty(); }

 private:
  using Names = std::set<std::string, std::less<>>;
  struct Types {
    Names exact;
    std::vector<Glob> patterns;
    bool match(std::string_view type) const;
  };
  friend class FilterParser;
  std::optional<Types> types_;
  std::optional<Names> senders_, rooms_;
  Types not_types_;
  Names not_senders_, not_rooms_;
  std::optional<bool> contains_url_;
  std::optional<size_t> limit_;
  bool lazy_load_members_ = false, include_redundant_members_ = false, unread_thread_notifications_ = false;
  bool matches_everything_ = true;
};

enum class EventFormat : uint8_t { kClient, kFederation };

// The filter of /sync.
class Filter {
 public:
  static Result<Filter> parse(const json::Object&);  // errors as EventFilter::parse; at most 100 event_fields

  const EventFilter& presence() const { return presence_; }
  const EventFilter& account_data() const { return account_data_; }
  const EventFilter& ephemeral() const { return ephemeral_; }
  const EventFilter& state() const { return state_; }
  const EventFilter& timeline() const { return timeline_; }
  const EventFilter& room_account_data() const { return room_account_data_; }
  bool matches_room(const RoomId& room) const { return rooms_.matches_room(room.str()); }
  bool include_leave() const { return include_leave_; }
  bool lazy_load_members() const { return state_.lazy_load_members() || timeline_.lazy_load_members(); }
  bool include_redundant_members() const {
    return state_.include_redundant_members() || timeline_.include_redundant_members();
  }
  EventFormat event_format() const { return event_format_; }
  const std::optional<PropertySelection>& event_fields() const { return event_fields_; }  // none: all

 private:
  EventFilter presence_, account_data_, ephemeral_, state_, timeline_, room_account_data_, rooms_;
  bool include_leave_ = false;
  EventFormat event_format_ = EventFormat::kClient;
  std::optional<PropertySelection> event_fields_;
};

}  // namespace myelin
