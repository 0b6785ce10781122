// The end of a process that can no longer say anything true about its database (docs/spine.md, rule A12).
#pragma once
#include <functional>
#include <string>

namespace myelin::db {

// Logs the message and ends the process with status 74, unless a handler was set. Thread: any.
void fatal(const std::string& message);
// For tests: what to do instead. The database refuses everything afterwards. An empty function restores the default.
void set_fatal_handler(std::function<void(const std::string&)>);

}  // namespace myelin::db
