// The command line: `myelin serve`, `config`, `user`, `token`, `move`, `restored`, `room`, `version`. Thread: main's.
#pragma once

namespace myelin::app {
int run_command_line(int argc, char** argv);  // the exit status
}  // namespace myelin::app
