// What clients asked for and were told: what the run is judged by. Plain data.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

namespace myelin::simulate {

struct Account {
  std::string user, token;
  std::set<std::string> rooms;    // always joined
  std::set<std::string> visited;  // left and joined again now and then
};

struct Ledger {
  std::map<std::string, std::string> acknowledged;  // event id → room: messages, topics, redactions
  std::map<std::string, std::string> event_of;      // content of an event → its id, once acknowledged
  std::set<std::string> tried;                      // content that was sent
  std::map<std::string, std::string> redacted;      // event id → room: of which a redaction was acknowledged
  std::map<std::string, std::string> messages;      // of `acknowledged`: event id → sender
  std::map<std::pair<std::string, std::string>, int64_t> read;  // user, room → order of the last receipt
  std::set<std::string> pushed;                                 // event ids that a push gateway was told of
  std::map<std::string, std::set<std::string>> sent_to;         // user → messages to its device, acknowledged
  std::vector<std::string> users;
  uint64_t requests = 0;
  int restores = 0;  // times that the database went back
};

}  // namespace myelin::simulate
