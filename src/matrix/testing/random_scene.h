// The state of a room made at random, and an event that somebody sends into it. For random_auth.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "matrix/auth.h"
#include "matrix/signing.h"
#include "matrix/testing/dice.h"
#include "matrix/testing/events.h"

namespace myelin::testing {

class RandomScene : public Dice {
 public:
  explicit RandomScene(uint64_t seed);

  const RoomRules& rules() const { return rules_; }
  const std::map<TypeAndKey, EventPtr>& state() const { return state_; }
  const std::string& room_id() const { return room_id_; }
  std::string other_room_id() const { return "!other:a.example"; }

  EventSpec candidate();                                          // cites nothing yet
  EventPtr another(const Event& of, const std::string& room_id);  // of the same type and state key
  std::string unknown_id();                                       // in the format of the version

 private:
  // The state.
  void put(std::string_view sender, std::string_view type, std::string_view state_key, json::Object content);
  json::Object create_content();
  json::Object levels_content();
  json::Object third_party_invite_content();
  void make_memberships();

  // Candidates, by type.
  EventSpec draft(std::string_view sender, std::string_view type, std::optional<std::string> state_key,
                  json::Object content);
  EventSpec membership();
  EventSpec join();
  EventSpec invite();
  EventSpec third_party_invitation();
  EventSpec leave_or_ban();
  EventSpec knock();
  EventSpec odd_membership();
  EventSpec power_levels();
  EventSpec create();
  EventSpec other_event();

  static constexpr std::string_view kSingleLevels[] = {"users_default", "events_default", "state_default", "ban",
                                                       "redact",        "kick",           "invite"};
  json::Value level(int value);
  json::Value malformed_level();
  json::Value extreme_level();
  void alter_levels(json::Object& content);
  void alter_entry(json::Object& table, std::string_view key);
  json::Object signed_object(const std::string& mxid, const std::string& token);

  const std::string& creator() { return users_.front(); }
  const std::string& actor() {  // mostly somebody who may do something
    return chance(55) ? creator() : chance(70) ? user_with("join") : one_of(users_);
  }
  static std::string_view server_of(std::string_view user) { return user.substr(user.find(':') + 1); }
  std::string_view join_rule() const;
  std::string_view membership_of(const std::string& user) const;
  const std::string& user_with(std::string_view membership);  // any, when nobody has it
  std::string target_with(std::string_view membership);

  const RoomRules& rules_;
  std::vector<std::string> users_;
  std::string room_id_;
  std::map<TypeAndKey, EventPtr> state_;
  std::vector<SigningKey> identity_keys_;
  bool extreme_ = false;  // its levels are often far from those that people choose
  size_t made_ = 0;       // events, for ids
};

}  // namespace myelin::testing
