// `myelin move`: the server's data into another database. Blocking; the server must not run.
#pragma once
#include <functional>
#include <string>

#include "app/config.h"
#include "infra/db/move.h"

namespace myelin::app {

struct MoveTo {
  std::string database;    // "sqlite" or a postgres:// URL, as the configuration's key
  std::string data_dir{};  // "" = the one that is
  bool replaces = false;
  std::function<void(const db::MoveProgress&)> progress{};
};

// Returns what to print: what was done, and what to change in the configuration. See db::move_database().
Result<std::string> move_server(const Config&, const MoveTo&);

}  // namespace myelin::app
