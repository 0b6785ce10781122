// When all is well again: how soon one process shows what another one did. The second time nothing is said between
// them but commands and their answers, so that each has to look by itself. Thread: the one there is.
#pragma once
#include "tests/simulate/client.h"

namespace myelin::simulate {

// Writes as `writer` and looks as `reader`, who shares its rooms. Each that is late is a violation.
Task<> probe(Surroundings&, Processes&, Client& writer, const Account& reader);

}  // namespace myelin::simulate
