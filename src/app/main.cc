#include <signal.h>

#include "app/cli.h"
#include "base/fault.h"

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  myelin::fault::arm_from_environment();
  return myelin::app::run_command_line(argc, argv);
}
