#include "matrix/event.h"

namespace myelin {
namespace {

class ObjectText {
 public:
  explicit ObjectText(size_t reserve) { text_.reserve(reserve); }
  void string(std::string_view key, std::string_view value) {
    name(key);
    json::append_quoted(text_, value);
  }
  void raw(std::string_view key, std::string_view json_text) {
    name(key);
    text_ += json_text;
  }
  std::string finish() && { return std::move(text_ += '}'); }

 private:
  void name(std::string_view key) {  // keys are ours: nothing to escape
    text_.append(text_.empty() ? "{\"" : ",\"").append(key).append("\":");
  }
  std::string text_;
};

// rooms/v11, Moving the redacts property: clients find it in both places in every version.
std::string content_with_redacts(const Event& event, const EventId& redacts) {
  json::Object content = event.content();
  content["redacts"] = redacts.str();
  return json::serialize(content);
}

}  // namespace

std::string client_event(const Event& event, ClientFormat format, const json::Object& unsigned_data) {
  ObjectText out(event.text().size() + 256);
  auto redacts = event.redacts();
  out.raw("content", redacts ? content_with_redacts(event, *redacts) : json::serialize(event.content()));
  bool stripped = format == ClientFormat::kStripped;
  if (!stripped) {
    out.string("event_id", event.event_id().str());
    out.raw("origin_server_ts", std::to_string(event.origin_server_ts()));
    if (redacts) out.string("redacts", redacts->str());
    if (format == ClientFormat::kRoom) out.string("room_id", event.room_id().str());
  }
  out.string("sender", event.sender().str());
  if (event.state_key()) out.string("state_key", *event.state_key());
  out.string("type", event.type());
  if (!stripped && !unsigned_data.empty()) out.raw("unsigned", json::serialize(unsigned_data));
  return std::move(out).finish();
}

}  // namespace myelin
