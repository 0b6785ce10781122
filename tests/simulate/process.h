// One simulated process: the whole server (app::House) on the shared database and the shared streams. It can be killed
// at any step, stopped in order, stand still, and be cut off. Thread: the one there is.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "app/house.h"
#include "infra/bus/testing/memory_streams.h"
#include "tests/simulate/database.h"
#include "tests/simulate/network.h"

namespace myelin::simulate {

struct Surroundings {
  World& world;
  SharedDatabase& database;
  bus::testing::MemoryStreams& streams;
  net::HttpClient& outside;
  const Clock& clock;
  const SigningKey& key;
  DatabaseFaults database_faults{};
  NetworkFaults network_faults{};
};

class Process {
 public:
  Process(Surroundings&, std::string name);
  ~Process();

  const std::string& name() const { return name_; }
  void start();
  void kill();                                    // as by SIGKILL
  void stop();                                    // in order; it is down some time later
  void freeze(bool frozen);                       // as by SIGSTOP and SIGCONT
  void freeze_as_it_writes(microseconds length);  // as the owner of a room
  void doubt_next_commit();                       // of what it writes as the owner of a room
  void cut_from_leases(bool is_cut);              // they cannot be renewed; all else can be written
  void cut_from_database(bool is_cut);
  void cut_from_streams(bool is_cut);
  bool is_up() const { return running_ != nullptr; }
  bool has_started() const { return running_ && running_->has_started; }
  bool is_well() const;  // of the database as it is now

  // nullopt: the connection was closed, or nobody listens.
  using Answer = std::function<void(std::optional<net::Response>)>;
  void ask(net::Request, Answer);

 private:
  struct Running {
    Running(Process&, uint64_t seed);
    ~Running();
    std::unique_ptr<Loop> loop;
    std::shared_ptr<Reach> reach = std::make_shared<Reach>();
    SeededRandom random;
    app::Config config;
    std::unique_ptr<ProcessDatabase> database;
    std::unique_ptr<bus::Bus> bus;
    std::unique_ptr<app::House> house;
    std::map<uint64_t, Answer> open;  // requests
    bool has_started = false, is_stopping = false;
  };
  void end_soon();
  void take(net::Request, Answer);
  void give(uint64_t number, std::optional<net::Response>);
  static Task<> run_down(Running&);

  Surroundings& on_;
  std::string name_;
  int lives_ = 0;
  uint64_t last_request_ = 0;
  bool is_frozen_ = false;
  std::unique_ptr<Running> running_;
};

}  // namespace myelin::simulate
