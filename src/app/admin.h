// What an administrator does from the command line, with the server running or not: straight on the database. Blocking.
#pragma once
#include <string>

#include "app/config.h"

namespace myelin::app {

// Each returns what to print.
Result<std::string> add_user(const Config&, std::string name, std::string password, bool admin);
Result<std::string> list_users(const Config&);
Result<std::string> set_password(const Config&, std::string name, std::string password);
Result<std::string> new_token(const Config&, int uses);
Result<std::string> status(const Config&, bool as_json);  // of every process
Result<std::string> restored(const Config&);              // the database went back in time; the server must not run

}  // namespace myelin::app
