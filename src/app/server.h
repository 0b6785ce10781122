// The composition root: the only place where components are constructed and wired. Thread: see each.
#pragma once
#include <memory>

#include "app/config.h"
#include "base/task.h"

namespace myelin::app {

// `myelin serve`: runs until SIGTERM or SIGINT, then drains and stops. The exit status.
int serve_until_signalled(const Config&);

}  // namespace myelin::app
