// A small file of the data directory that is made once.
#pragma once
#include <string>

#include "base/error.h"

namespace myelin::app {

// Whole and durable, readable by its owner only; a crash leaves no half of it under this name. One that is there
// already, because another process was faster, stays as it is. kUnavailable.
Result<void> make_file(const std::string& path, const std::string& text);
// So that what was made or renamed in it survives a power cut. kUnavailable.
Result<void> sync_directory(const std::string& path);

}  // namespace myelin::app
