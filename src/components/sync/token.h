// A /sync token (docs/spine.md, rule B10).
#pragma once
#include "matrix/tokens.h"

namespace myelin::sync {
using Token = SyncToken;
}  // namespace myelin::sync
