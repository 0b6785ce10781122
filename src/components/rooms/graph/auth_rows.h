// Table auth_event: which auth events a state event cites, as numbers. Any thread.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infra/db/db.h"
#include "matrix/auth_graph.h"

namespace myelin::rooms {

std::string encode_parents(std::span<const uint32_t> event_numbers);
Result<std::vector<uint32_t>> decode_parents(std::string_view);  // kCorrupt
// Every state event of a room.
Result<AuthGraph> load_auth_graph(db::ReadTx&, uint32_t room_no);

}  // namespace myelin::rooms
