// The server over a disk that loses power: kill it, and what was not synced is gone. MYELIN_POWER_CUT is "SEED
// PERCENT": after so many of a hundred writes one un-synced sector reaches the disk all the same. Standard input takes
// orders, a line each (to `serve`): full, write-error, sync-error, sync-ignored (from the next write or sync on), and
// heal.
#include <signal.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "app/cli.h"
#include "base/fault.h"
#include "infra/db/testing/power_cut_vfs.h"

namespace {

using myelin::db::testing::PowerCutVfs;

void obey(PowerCutVfs& disk) {
  using enum PowerCutVfs::Fault;
  const std::map<std::string, PowerCutVfs::Fault> faults{
      {"full", kDiskFull}, {"write-error", kWriteError}, {"sync-error", kSyncError}, {"sync-ignored", kSyncIgnored}};
  for (std::string order; std::getline(std::cin, order);) {
    if (auto fault = faults.find(order); fault != faults.end()) {
      disk.fail_from(fault->second, 1);
    } else {
      disk.heal();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  myelin::fault::arm_from_environment();
  uint64_t seed = 1;
  int percent = 10;
  if (const char* text = std::getenv("MYELIN_POWER_CUT")) std::istringstream(text) >> seed >> percent;
  static PowerCutVfs disk("power-cut", seed, percent);
  ::setenv("MYELIN_SQLITE_VFS", disk.name().c_str(), 1);
  if (argc > 1 && std::string(argv[1]) == "serve") std::thread(obey, std::ref(disk)).detach();
  return myelin::app::run_command_line(argc, argv);
}
