// What this process is called among those over one database: kept in its data directory, so that it takes over from its
// former life at once (infra/lease).
#pragma once
#include <string>

#include "base/error.h"
#include "base/random.h"

namespace myelin::app {

// `path` holds one line; it is made at the first start. kUnavailable, kCorrupt.
Result<std::string> load_or_make_instance(const std::string& path, Random&);

}  // namespace myelin::app
