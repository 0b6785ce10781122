// Events by reference, and their children.
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/bytes.h"
#include "base/keyed_hash.h"
#include "components/rooms/query/reader.h"
#include "components/rooms/query/visibility.h"
#include "components/rooms/state/row_room.h"
#include "components/rooms/state_root.h"
#include "infra/db/sql.h"
#include "matrix/relations.h"

namespace myelin::rooms {
namespace {

// How a placed event is read; see placed_event().
constexpr db::Sql kEventColumns =
    "SELECT e.ref, e.event_id, e.depth, e.order_no, e.flags, e.txn, e.json, r.version, e.replaces, p.event_id, x.ref "
    "FROM event e JOIN room r ON r.room_no = e.room_no LEFT JOIN event p ON p.ref = e.replaces "
    "LEFT JOIN redaction x ON x.target = e.ref WHERE e.ref IN {ints $1}";

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
  if (!row.null(8)) placed->replaces = EventRef::from_row(row.i64(8));
  if (!row.null(9)) placed->replaces_state = EventId::trusted(row.str(9));
  if (!row.null(10)) {
    placed->redacted_by = EventRef::from_row(row.i64(10));
    MYELIN_TRY(placed->event, redacted_form(*placed->event, *rules));
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

size_t weight(const PlacedEvent& placed) { return 256 + placed.event->memory_bytes(); }

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

void Reader::keep(PlacedPtr placed) {
  auto row = placed->ref.row();
  auto bytes = weight(*placed);
  events_.put(row, std::move(placed), bytes);
}

void Reader::redacted(EventRef ref) {
  ++redactions_;
  events_.erase(ref.row());
}

void Reader::forget_events() {
  ++redactions_;
  events_.clear();
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

// Rows are one for each state at which there are children: those of one state are visible together.
struct ReadRelations {
  struct Edit {
    std::string parent, sender, type;
    EventRef ref;
    int64_t ts = 0;
    std::string id;
    StateRoot before;
  };
  struct Thread {
    std::string parent;
    Relations::Thread thread;
    std::string type;
    StateRoot before;
  };
  struct Reference {
    std::string parent, type;
    EventRef ref;
    std::string id;
    StateRoot before;
  };
  std::vector<Edit> edits;  // the most recent of each sender and type: several when of one time
  std::vector<Thread> threads;
  std::vector<Reference> references;
};

std::vector<ReadRelations::Edit> read_edits(db::ReadTx& tx, uint32_t room_no, const std::string& parents) {
  return tx.all(
      "SELECT parent_id, sender, type, ref, ts, event_id, state_before FROM (SELECT c.parent_id, c.sender, c.type, "
      "c.ref, e.ts, e.event_id, e.state_before, rank() OVER (PARTITION BY c.parent_id, c.sender, c.type, "
      "e.state_before "
      "ORDER BY e.ts DESC) AS place FROM relation c JOIN event e ON e.ref = c.ref WHERE c.room_no = $1 "
      "AND c.parent_id IN {texts $2} AND c.rel_type = 'm.replace') AS edits WHERE place = 1",
      [](const db::Row& row) {
        return ReadRelations::Edit{row.str(0),
                                   row.str(1),
                                   row.str(2),
                                   EventRef::from_row(row.i64(3)),
                                   row.i64(4),
                                   row.str(5),
                                   decode_root(row.blob(6))};
      },
      room_no, parents);
}

// Members and changes of visibility are visible one by one (see ViewerSight).
std::vector<ReadRelations::Thread> read_threads(db::ReadTx& tx, uint32_t room_no, const std::string& parents,
                                                const std::string& viewer, const std::string& ignored) {
  return tx.all(
      "SELECT c.parent_id, max(c.ref), count(*), max(CASE WHEN c.sender = $3 THEN 1 ELSE 0 END), max(c.type), "
      "e.state_before FROM relation c JOIN event e ON e.ref = c.ref WHERE c.room_no = $1 AND c.parent_id IN {texts $2} "
      "AND c.rel_type = 'm.thread' AND c.sender NOT IN {texts $4} GROUP BY c.parent_id, e.state_before, "
      "CASE WHEN c.type IN ('m.room.member', 'm.room.history_visibility') THEN c.ref ELSE 0 END",
      [](const db::Row& row) {
        return ReadRelations::Thread{row.str(0),
                                     {EventRef::from_row(row.i64(1)), row.i64(2), row.i64(3) != 0},
                                     row.str(4),
                                     decode_root(row.blob(5))};
      },
      room_no, parents, viewer, ignored);
}

std::vector<ReadRelations::Reference> read_references(db::ReadTx& tx, uint32_t room_no, const std::string& parents,
                                                      const std::string& ignored) {
  return tx.all(
      "SELECT c.parent_id, c.type, c.ref, e.event_id, e.state_before FROM relation c JOIN event e ON e.ref = c.ref "
      "WHERE c.room_no = $1 AND c.parent_id IN {texts $2} AND c.rel_type = 'm.reference' "
      "AND c.sender NOT IN {texts $3} ORDER BY c.ref LIMIT 2000",
      [](const db::Row& row) {
        return ReadRelations::Reference{row.str(0), row.str(1), EventRef::from_row(row.i64(2)), row.str(3),
                                        decode_root(row.blob(4))};
      },
      room_no, parents, ignored);
}

// The children that history visibility shows to the viewer.
Result<ReadRelations> read_relations(db::ReadTx& tx, PageCache& pages, uint32_t room_no, const std::string& parents,
                                     const Viewer& viewer) {
  auto ignored = db::text_set(viewer.ignored ? *viewer.ignored : std::set<std::string>());
  ReadRelations out{read_edits(tx, room_no, parents), read_threads(tx, room_no, parents, viewer.user.str(), ignored),
                    read_references(tx, room_no, parents, ignored)};
  if (out.edits.empty() && out.threads.empty() && out.references.empty()) return out;
  ViewerSight sight(tx, pages, room_no, viewer.user);
  Result<void> status;
  auto is_hidden = [&](EventRef ref, const std::string& type, const StateRoot& before) {
    auto seen = sight.see({ref, type, before});
    if (seen) return !seen->visible;
    status = std::unexpected(std::move(seen).error());
    return true;
  };
  std::erase_if(out.edits, [&](const auto& each) { return is_hidden(each.ref, each.type, each.before); });
  std::erase_if(out.threads, [&](const auto& each) { return is_hidden(each.thread.latest, each.type, each.before); });
  std::erase_if(out.references, [&](const auto& each) { return is_hidden(each.ref, each.type, each.before); });
  MYELIN_CHECK(status);
  return out;
}

bool is_more_recent(const ReadRelations::Edit& a, const ReadRelations::Edit& b) {
  return std::tie(a.ts, a.id) > std::tie(b.ts, b.id);
}

}  // namespace

Task<Result<std::vector<Relations>>> Reader::relations(std::vector<EventRef> refs, Viewer viewer) {
  std::vector<Relations> out(refs.size());
  if (refs.empty()) co_return out;
  auto room_no = refs.front().room;
  MYELIN_CO_TRY(auto parents, co_await events(std::move(refs)));
  std::unordered_map<std::string, size_t, KeyedHash> index;
  std::vector<std::string> ids;
  for (size_t i = 0; i < parents.size(); ++i) {
    if (!bundles_children(*parents[i]->event)) continue;
    ids.push_back(parents[i]->event->event_id().str());
    index[ids.back()] = i;
  }
  auto set = db::text_set(ids);
  auto found = co_await db_.read(
      [this, room_no, set, viewer](db::ReadTx& tx) { return read_relations(tx, pages_, room_no, set, viewer); });
  if (!found) co_return std::unexpected(std::move(found).error());
  auto& read = *found;
  std::map<size_t, ReadRelations::Edit> edits;  // by parent: the one candidate
  for (auto& edit : read.edits) {
    auto parent = index.at(edit.parent);
    const auto& event = *parents[parent]->event;
    if (parents[parent]->redacted_by || event.sender().str() != edit.sender || event.type() != edit.type) continue;
    auto [best, is_first] = edits.try_emplace(parent, edit);
    if (!is_first && is_more_recent(edit, best->second)) best->second = std::move(edit);
  }
  std::vector<EventRef> edit_refs;
  for (const auto& [parent, edit] : edits) edit_refs.push_back(edit.ref);
  MYELIN_CO_TRY(auto edit_events, co_await events(std::move(edit_refs)));
  size_t next = 0;
  for (const auto& [parent, edit] : edits)
    if (is_valid_replacement(*parents[parent]->event, *edit_events[next++]->event)) out[parent].edit = edit.ref;
  for (const auto& [parent, part, type, before] : read.threads) {
    auto& thread = out[index.at(parent)].thread;
    if (!thread) thread = Relations::Thread{{}, 0, parents[index.at(parent)]->event->sender() == viewer.user};
    thread->latest = std::max(thread->latest, part.latest);
    thread->count += part.count;
    thread->participated |= part.participated;
  }
  for (auto& each : read.references) {
    auto& references = out[index.at(each.parent)].references;
    if (references.size() < Relations::kMaxReferences) references.push_back(EventId::trusted(std::move(each.id)));
  }
  co_return out;
}

}  // namespace myelin::rooms
