#include "bench/load/world.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>

namespace myelin::bench {
namespace {

struct Stat {
  pid_t parent = 0;
  double cpu_seconds = 0;
};

// Of a process; all zero when it is gone.
Stat stat_of(const std::filesystem::path& process) {
  std::ifstream file(process / "stat");
  std::string line;
  std::getline(file, line);
  Stat out;
  auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return out;
  std::istringstream rest(line.substr(name_end + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && rest >> field; ++i) {
    if (i == 4) out.parent = std::stoi(field);
    if (i >= 14) ticks += std::stod(field);
  }
  out.cpu_seconds = ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return out;
}

std::string text(const boost::json::value& value) { return std::string(value.as_string()); }

Program program_of(const boost::json::object& from) {
  Program out{text(from.at("name")),
              {},
              from.at("port").to_number<uint16_t>(),
              {},
              from.at("is_server").as_bool(),
              from.at("start_seconds").to_number<double>()};
  out.kind = out.name.substr(0, out.name.find_last_of('-'));
  for (const auto& role : from.at("roles").as_array()) out.roles.push_back(text(role));
  return out;
}

}  // namespace

World::World(const std::string& file) {
  std::ifstream in(file);
  std::stringstream all;
  all << in.rdbuf();
  auto from = boost::json::parse(all.str()).as_object();
  name_ = text(from.at("name"));
  folder_ = text(from.at("folder"));
  port_ = from.at("port").to_number<uint16_t>();
  for (const auto& each : from.at("programs").as_array()) programs_.push_back(program_of(each.as_object()));
}

std::vector<Program> World::servers() const {
  std::vector<Program> out;
  for (const auto& each : programs_)
    if (each.is_server) out.push_back(each);
  return out;
}

std::vector<Program> World::of_kind(const std::string& kind) const {
  std::vector<Program> out;
  for (const auto& each : programs_)
    if (each.kind == kind) out.push_back(each);
  return out;
}

pid_t World::pid(const Program& program) const {
  std::ifstream file(folder_ + '/' + program.name + ".pid");
  pid_t pid = 0;
  if (!(file >> pid) || pid <= 1) throw std::runtime_error(program.name + " does not run");
  return pid;
}

size_t World::rss_bytes(const Program& program) const {
  std::ifstream statm(fmt::format("/proc/{}/statm", pid(program)));
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

size_t World::rss_bytes() const {
  auto all = servers();
  return std::accumulate(all.begin(), all.end(), size_t{0},
                         [this](size_t sum, const Program& each) { return sum + rss_bytes(each); });
}

std::map<std::string, double> World::cpu_seconds() const {
  std::map<pid_t, std::string> kinds;
  for (const auto& each : programs_) kinds[pid(each)] = each.kind;
  std::map<std::string, double> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    auto stat = stat_of(entry.path());
    auto kind = kinds.find(std::stoi(name));
    if (kind == kinds.end()) kind = kinds.find(stat.parent);
    if (kind != kinds.end()) out[kind->second] += stat.cpu_seconds;
  }
  return out;
}

void World::kill(const Program& program) const {
  if (::kill(pid(program), SIGKILL) != 0) throw std::runtime_error("cannot kill " + program.name);
}

}  // namespace myelin::bench
