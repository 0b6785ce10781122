// A user with one device: writes, repeats what was not answered, and syncs with a token of its own, each request
// through any process. What it sees is checked as it comes. Thread: the one there is.
#pragma once
#include <boost/json.hpp>
#include <functional>

#include "tests/simulate/ledger.h"
#include "tests/simulate/process.h"
#include "tests/simulate/told.h"

namespace myelin::simulate {

using Processes = std::vector<std::unique_ptr<Process>>;

struct Answered {
  int status = 0;    // 0: no answer
  int restores = 0;  // of the database, when it was asked
  boost::json::object body;
};
// Waits at most half a minute.
std::string text_at(const boost::json::object&, std::string_view key);  // "" when it is none
inline constexpr const char* kFilter = "%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:100%7D%7D%7D";
int64_t order_of(SharedDatabase&, const std::string& event_id);  // in its room; 0: it is not there

Task<Answered> ask(World&, Process&, net::Method, std::string target, std::string token, boost::json::object body = {});

struct Written {  // an event
  std::string id, room;
};

class Client {
 public:
  Client(Surroundings&, Loop&, Processes&, Ledger&, Account, int actions);

  Task<> write();  // ends when everything was answered
  void act_now() { impatience_.ring(); }
  void finish() {
    kept_ = 0;
    act_now();
  }
  Task<> sync();  // for ever
  bool has_written() const { return has_written_; }
  // What it must have seen and has not: event ids, and what was sent to its device.
  std::vector<std::string> lacks() const;
  Task<Written> send_message();  // until it is acknowledged; no id: it was, and the database has lost it since
  Task<> redact(Written);
  Task<> type(Process&, const std::string& room, bool types, milliseconds timeout);
  const Account& account() const { return account_; }
  // `is_there`: which events have survived. The others are forgotten, and what was seen may come again.
  void database_went_back(const std::function<bool(const std::string&)>& is_there);

 private:
  Task<Answered> ask_until(std::string what, net::Method, std::string target, boost::json::object body,
                           std::set<int> definite);
  Task<> act();
  Task<> set_topic();
  Task<> send_to_device();
  Task<> visit();
  Task<> read();
  Task<> type();  // somewhere
  void acknowledged(const std::string& content, const std::string& room, const Answered&);
  void take(const Answered&);
  void check_wait(const Answered&, milliseconds waited, milliseconds timeout);
  void take_room(const std::string& room, const boost::json::value& section);
  void take_event(const std::string& room, const boost::json::object& event);
  void take_message(const boost::json::object& to_device);
  void forget();
  int64_t order_of(const std::string& event_id) { return simulate::order_of(database_, event_id); }
  std::string any_room();

  World& world_;
  SharedDatabase& database_;
  Processes& processes_;
  Ledger& ledger_;
  Account account_;
  int actions_, numbers_ = 0;
  uint64_t favourite_;  // what it does more often than others do
  Doorbell impatience_;
  int kept_ = 2;  // of the actions: for when it is told to act
  bool has_written_ = false;
  std::vector<Written> own_;  // messages that were acknowledged
  std::string since_;
  std::set<std::string> seen_, seen_before_;  // since the database went back, and before
  std::map<std::string, int64_t> last_order_;
  std::map<std::string, int64_t> last_message_;  // by sender: the number of the last one to this device
  std::set<std::string> got_;                    // of those, all
  Told told_;
  int in_vain_ = 0;  // answers in a row that came at once and had no news
};

}  // namespace myelin::simulate
