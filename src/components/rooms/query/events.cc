// Events by reference, with what stands around them: redaction, the state replaced, relations.
#include <map>
#include <unordered_map>

#include "base/bytes.h"
#include "components/rooms/query/reader.h"
#include "components/rooms/state/row_room.h"
#include "infra/db/sql.h"
#include "matrix/relations.h"

namespace myelin::rooms {
namespace {

// How a placed event is read; see placed_event().
constexpr db::Sql kEventColumns =
    "SELECT e.ref, e.event_id, e.depth, e.order_no, e.flags, e.txn, e.json, r.version, p.event_id, p.json, d.event_id, "
    "d.json, y.ref FROM event e JOIN room r ON r.room_no = e.room_no LEFT JOIN event p ON p.ref = e.replaces "
    "LEFT JOIN redaction x ON x.target = e.ref LEFT JOIN event d ON d.ref = x.ref "
    "LEFT JOIN redaction y ON y.target = e.replaces WHERE e.ref IN {ints $1}";

std::optional<std::pair<DeviceId, std::string>> transaction_of(std::string_view in) {
  auto device = read_string(in), id = read_string(in);
  if (!device || !id) return std::nullopt;
  return std::pair(DeviceId::trusted(std::string(*device)), std::string(*id));
}

Result<PlacedPtr> placed_event(const db::Row& row) {
  auto placed = std::make_shared<PlacedEvent>();
  const auto* rules = find_room_version(row.text(7));
  if (rules == nullptr) return fail(Code::kCorrupt, "an event of a room of unknown version");
  placed->ref = EventRef::from_row(row.i64(0));
  placed->depth = row.i64(2);
  placed->order = row.null(3) ? 0 : row.i64(3);
  placed->rejected = (row.i64(4) & kRejectedFlag) != 0;
  placed->soft_failed = (row.i64(4) & kSoftFailedFlag) != 0;
  if (!row.null(5)) placed->transaction = transaction_of(row.blob(5));
  auto id = EventId::trusted(row.str(1));
  MYELIN_TRY(placed->event, Event::restore(row.bytes(6), id, *rules));
  if (!row.null(8)) {
    placed->replaces_state = EventId::trusted(row.str(8));
    MYELIN_TRY(auto before, Event::restore(row.bytes(9), *placed->replaces_state, *rules));
    auto content = row.null(12) ? before->content() : redact(before->object(), *rules).at("content").as_object();
    placed->prev_content = std::make_shared<const json::Object>(std::move(content));
  }
  if (!row.null(10)) {
    MYELIN_TRY(placed->redacted_because, Event::restore(row.bytes(11), EventId::trusted(row.str(10)), *rules));
    MYELIN_TRY(placed->event, redacted_form(*placed->event, *rules));
    placed->prev_content = nullptr;
  }
  return placed;
}

Result<std::vector<PlacedPtr>> read_events(db::ReadTx& tx, const std::vector<int64_t>& rows) {
  std::vector<PlacedPtr> out;
  Result<void> status;
  tx.query(
      kEventColumns,
      [&](const db::Row& row) {
        auto placed = placed_event(row);
        if (placed)
          out.push_back(std::move(*placed));
        else
          status = std::unexpected(std::move(placed).error());
      },
      db::int_set(rows));
  MYELIN_CHECK(status);
  return out;
}

size_t weight(const PlacedEvent& placed) {
  return 256 + placed.event->memory_bytes() + (placed.redacted_because ? placed.redacted_because->memory_bytes() : 0);
}

}  // namespace

Task<Result<std::vector<PlacedPtr>>> Reader::events(std::vector<EventRef> refs) {
  std::vector<PlacedPtr> out(refs.size());
  std::vector<int64_t> absent;
  for (size_t i = 0; i < refs.size(); ++i) {
    if (auto* known = events_.find(refs[i].row()))
      out[i] = *known;
    else
      absent.push_back(refs[i].row());
  }
  if (absent.empty()) co_return out;
  auto redactions = redactions_;
  MYELIN_CO_TRY(auto read, co_await db_.read([absent](db::ReadTx& tx) { return read_events(tx, absent); }));
  std::unordered_map<int64_t, PlacedPtr> found;
  for (auto& placed : read) {
    auto row = placed->ref.row();
    if (redactions == redactions_) events_.put(row, placed, weight(*placed));
    found[row] = std::move(placed);
  }
  for (size_t i = 0; i < refs.size(); ++i) {
    if (out[i]) continue;
    auto it = found.find(refs[i].row());
    if (it == found.end()) co_return fail(Code::kCorrupt, "an event that is referred to is not there");
    out[i] = it->second;
  }
  co_return out;
}

void Reader::redacted(EventRef ref, bool is_state) {
  ++redactions_;
  if (is_state)
    events_.clear();
  else
    events_.erase(ref.row());
}

Task<Result<PlacedPtr>> Reader::event(RoomId room, EventId id) {
  MYELIN_CO_TRY(auto ref, co_await db_.read([room, id](db::ReadTx& tx) {
    return tx.one(
        "SELECT e.ref FROM event e JOIN room r ON r.room_no = e.room_no WHERE e.event_id = $1 AND r.room_id = $2",
        [](const db::Row& row) { return EventRef::from_row(row.i64(0)); }, id.str(), room.str());
  }));
  if (!ref) co_return fail(Code::kNotFound, "there is no such event in this room");
  std::vector<EventRef> refs{*ref};
  MYELIN_CO_TRY(auto found, co_await events(std::move(refs)));
  co_return found.front();
}

Result<EventPtr> redacted_form(const Event& event, const RoomRules& rules) {
  return Event::restore(json::serialize(redact(event.object(), rules)), event.event_id(), rules);
}

// ---- relations

namespace {

struct Edit {
  std::string parent, sender, type;
  EventRef ref;
  std::string id;
};
struct ReadRelations {
  std::vector<Edit> edits;  // the most recent of each sender and type: several when of one time
  struct Thread {
    std::string parent;
    Relations::Thread thread;
  };
  std::vector<Thread> threads;
  std::vector<std::pair<std::string, EventId>> references;
};

ReadRelations read_relations(db::ReadTx& tx, uint32_t room_no, const std::string& parents, const Viewer& viewer) {
  auto ignored = db::text_set(viewer.ignored);
  ReadRelations out;
  out.edits = tx.all(
      "SELECT parent_id, sender, type, ref, event_id FROM (SELECT c.parent_id, c.sender, c.type, c.ref, e.event_id, "
      "rank() OVER (PARTITION BY c.parent_id, c.sender, c.type ORDER BY e.ts DESC) AS place "
      "FROM relation c JOIN event e ON e.ref = c.ref WHERE c.room_no = $1 AND c.parent_id IN {texts $2} "
      "AND c.rel_type = 'm.replace') AS edits WHERE place = 1",
      [](const db::Row& row) {
        return Edit{row.str(0), row.str(1), row.str(2), EventRef::from_row(row.i64(3)), row.str(4)};
      },
      room_no, parents);
  out.threads = tx.all(
      "SELECT parent_id, max(ref), count(*), max(CASE WHEN sender = $3 THEN 1 ELSE 0 END) FROM relation "
      "WHERE room_no = $1 AND parent_id IN {texts $2} AND rel_type = 'm.thread' AND sender NOT IN {texts $4} GROUP BY "
      "parent_id",
      [](const db::Row& row) {
        return ReadRelations::Thread{row.str(0), {EventRef::from_row(row.i64(1)), row.i64(2), row.i64(3) != 0}};
      },
      room_no, parents, viewer.user.str(), ignored);
  out.references = tx.all(
      "SELECT c.parent_id, e.event_id FROM relation c JOIN event e ON e.ref = c.ref "
      "WHERE c.room_no = $1 AND c.parent_id IN {texts $2} AND c.rel_type = 'm.reference' "
      "AND c.sender NOT IN {texts $3} ORDER BY c.ref LIMIT 2000",
      [](const db::Row& row) { return std::pair(row.str(0), EventId::trusted(row.str(1))); }, room_no, parents,
      ignored);
  return out;
}

}  // namespace

Task<Result<std::vector<Relations>>> Reader::relations(std::vector<EventRef> refs, Viewer viewer) {
  std::vector<Relations> out(refs.size());
  if (refs.empty()) co_return out;
  auto room_no = refs.front().room;
  MYELIN_CO_TRY(auto parents, co_await events(std::move(refs)));
  std::unordered_map<std::string, size_t> index;
  std::vector<std::string> ids;
  for (size_t i = 0; i < parents.size(); ++i) {
    if (!bundles_children(*parents[i]->event)) continue;
    ids.push_back(parents[i]->event->event_id().str());
    index[ids.back()] = i;
  }
  auto set = db::text_set(ids);
  MYELIN_CO_TRY(auto read, co_await db_.read([room_no, set, viewer](db::ReadTx& tx) {
    return read_relations(tx, room_no, set, viewer);
  }));
  std::map<size_t, Edit> edits;  // by parent: the one candidate
  for (auto& edit : read.edits) {
    auto parent = index.at(edit.parent);
    const auto& event = *parents[parent]->event;
    if (parents[parent]->redacted_because || event.sender().str() != edit.sender || event.type() != edit.type) continue;
    auto [best, is_first] = edits.try_emplace(parent, edit);
    if (!is_first && best->second.id < edit.id) best->second = std::move(edit);
  }
  std::vector<EventRef> edit_refs;
  for (const auto& [parent, edit] : edits) edit_refs.push_back(edit.ref);
  MYELIN_CO_TRY(auto edit_events, co_await events(std::move(edit_refs)));
  size_t next = 0;
  for (const auto& [parent, edit] : edits)
    if (is_valid_replacement(*parents[parent]->event, *edit_events[next++]->event)) out[parent].edit = edit.ref;
  for (const auto& [parent, thread] : read.threads) {
    out[index.at(parent)].thread = thread;
    if (parents[index.at(parent)]->event->sender() == viewer.user) out[index.at(parent)].thread->participated = true;
  }
  for (auto& [parent, id] : read.references) {
    auto& references = out[index.at(parent)].references;
    if (references.size() < Relations::kMaxReferences) references.push_back(std::move(id));
  }
  co_return out;
}

}  // namespace myelin::rooms
