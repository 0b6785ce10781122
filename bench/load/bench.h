// What every case uses: clients, loops that are timed, users and rooms, and the look whether all that was acknowledged
// is there. Thread: one, whose loop run() is.
#pragma once
#include <chrono>
#include <functional>
#include <set>

#include "bench/load/client.h"
#include "bench/load/table.h"
#include "bench/load/world.h"

namespace myelin::bench {

using SteadyClock = std::chrono::steady_clock;
inline double since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

class Bench {
 public:
  Bench(World world, double seconds) : world_(std::move(world)), seconds_(seconds) {}

  const World& world() const { return world_; }
  // Of the users that set_up made, and of rooms in which all of these are.
  const std::string& token(size_t user) const { return tokens_.at(user); }
  size_t users() const { return tokens_.size(); }
  const std::string& room(size_t n) const { return rooms_.at(n); }
  const std::vector<Row>& rows() const { return rows_; }
  void add(Row row) { rows_.push_back(std::move(row)); }
  // The bar of the embedded world, or of the cluster; the others have none.
  std::string bar(std::string embedded, std::string cluster = {}) const;

  // Runs it to its end; what it throws comes from here.
  void run(const std::function<Task<>()>& make);
  Task<> pause(std::chrono::milliseconds);
  Client client(const std::string& token = {}) { return Client(loop_->get_executor(), world_.port(), token); }
  Client client_of(const Program& program) { return Client(loop_->get_executor(), program.port); }
  asio::io_context& loop() { return *loop_; }
  // `each` for every index, all at once.
  Task<> all(size_t count, std::function<Task<>(size_t)> each);
  // `clients` loops of `operation` for the set time, as a row: rate, percentiles, CPU.
  Task<> measure(std::string work, std::string bar, size_t clients,
                 std::function<Task<>(size_t client, size_t n)> operation);
  // Microseconds since `before`, which is World::cpu_seconds.
  std::map<std::string, double> cpu_of_each(std::map<std::string, double> before, size_t operations) const;

  Task<> set_up();
  Task<std::string> register_user(std::string name);
  Task<std::string> log_in(size_t user);  // on a device of its own
  Task<std::string> create_room(std::string token);
  Task<> join(std::string token, std::string room);
  // Throws unless every one of these events comes from /messages, and nothing that is in the room says the same as
  // another.
  Task<> check_there(std::string room, std::set<std::string> acknowledged);
  // Throws unless the user is in all of these rooms.
  Task<> check_joined(size_t user, const std::set<std::string>& rooms);

 private:
  World world_;
  double seconds_;
  asio::io_context* loop_ = nullptr;
  std::vector<std::string> tokens_, rooms_;
  std::vector<Row> rows_;
};

}  // namespace myelin::bench
