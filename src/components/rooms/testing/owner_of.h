#pragma once
#include "components/rooms/remote/routed_commands.h"

namespace myelin::rooms::testing {

inline Owner& owner_of(Rooms& rooms) { return dynamic_cast<RoutedCommands&>(rooms.commands()).owner(); }

}  // namespace myelin::rooms::testing
