#include "components/rooms/graph/auth_rows.h"

#include "base/bytes.h"
#include "components/rooms/rooms.h"

namespace myelin::rooms {

std::string encode_parents(std::span<const uint32_t> event_numbers) {
  std::string out;
  for (auto number : event_numbers) append_varint(out, number);
  return out;
}

Result<std::vector<uint32_t>> decode_parents(std::string_view in) {
  std::vector<uint32_t> out;
  while (!in.empty()) {
    auto number = read_varint(in);
    if (!number || *number > UINT32_MAX) return fail(Code::kCorrupt, "auth_event.parents is cut short");
    out.push_back(static_cast<uint32_t>(*number));
  }
  return out;
}

Result<AuthGraph> load_auth_graph(db::ReadTx& tx, uint32_t room_no) {
  AuthGraph graph;
  Result<void> status;
  tx.query(
      "SELECT ref, generation, parents FROM auth_event WHERE ref > $1 AND ref <= $2",
      [&](const db::Row& row) {
        auto parents = decode_parents(row.blob(2));
        if (parents)
          graph.add(EventRef::from_row(row.i64(0)).event, static_cast<uint32_t>(row.i64(1)), *parents);
        else
          status = std::unexpected(std::move(parents).error());
      },
      EventRef{room_no, 0}.row(), EventRef{room_no, UINT32_MAX}.row());
  MYELIN_CHECK(status);
  return graph;
}

}  // namespace myelin::rooms
