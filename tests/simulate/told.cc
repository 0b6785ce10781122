#include "tests/simulate/told.h"

namespace myelin::simulate {

bool Told::has_news(const boost::json::object& answer) {
  news_ = false;
  for (const auto& [key, value] : answer) {
    std::string name(key);
    if (name == "rooms") {
      for (const auto& section : value.as_object())
        for (const auto& [id, content] : section.value().as_object()) room(std::string(id), content.as_object());
    } else if (name == "presence" || name == "account_data") {
      events("", answer, name.c_str());
    } else if (name != "next_batch") {
      part(name, value);
    }
  }
  return news_;
}

void Told::part(const std::string& name, const boost::json::value& value) {
  auto text = boost::json::serialize(value);
  news_ |= std::exchange(known_[name], text) != text;
}

// One of each type and sender.
void Told::events(const std::string& of, const boost::json::object& section, const char* key) {
  auto* some = section.if_contains(key);
  if (some == nullptr) return;
  for (const auto& each : some->as_object().at("events").as_array()) {
    auto event = each.as_object();
    event.at("content").as_object().erase("last_active_ago");
    auto* sender = event.if_contains("sender");
    part(of + boost::json::serialize(event.at("type")) + (sender == nullptr ? "" : boost::json::serialize(*sender)),
         event);
  }
}

void Told::room(const std::string& name, boost::json::object content) {
  for (auto* key : {"ephemeral", "account_data"}) {
    events(name, content, key);
    content.erase(key);
  }
  if (!content.empty()) part(name, content);
}

}  // namespace myelin::simulate
