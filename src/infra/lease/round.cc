#include "infra/lease/round.h"

#include <algorithm>
#include <ranges>

#include "base/fault.h"
#include "infra/db/sql.h"
#include "infra/lease/balance.h"

namespace myelin::lease {
namespace {

constexpr Milliseconds kRemembered = 24 * 3'600'000;  // a process that is over, for the administrator

struct ProcessRow {
  std::string life;
  Milliseconds alive_until = 0;
  std::string wants;
};
struct LeaseRow {
  std::string holder;
  int64_t epoch = 0;
};

struct Tables {
  Milliseconds now = 0;
  std::map<std::string, std::map<uint32_t, LeaseRow>> leases;
  std::map<std::string, ProcessRow> processes;

  bool is_alive(const std::string& id) const {
    auto it = processes.find(id);
    return it != processes.end() && !it->second.life.empty() && it->second.alive_until > now;
  }
  // Though its time may be over.
  bool may_come_back(const std::string& id) const {
    auto it = processes.find(id);
    return it != processes.end() && !it->second.life.empty();
  }
};

Milliseconds read_now(db::ReadTx& tx, Milliseconds clock) {
  return tx.one("SELECT {clock $1}", [](const db::Row& row) { return row.i64(0); }, clock).value();
}

// Leases first: of a process that registers and takes in between, the old row is compared with what it has become.
Tables read_tables(db::ReadTx& tx, Milliseconds now) {
  Tables out;
  out.now = now;
  tx.query("SELECT name, part, holder, epoch FROM lease", [&](const db::Row& row) {
    out.leases[row.str(0)][static_cast<uint32_t>(row.i64(1))] = {row.str(2), row.i64(3)};
  });
  tx.query("SELECT id, life, alive_until, wants FROM process",
           [&](const db::Row& row) { out.processes[row.str(0)] = {row.str(1), row.i64(2), row.str(3)}; });
  return out;
}

bool has_line(std::string_view text, std::string_view line) {
  for (auto each : std::views::split(text, '\n'))
    if (std::string_view(each.begin(), each.end()) == line) return true;
  return false;
}

std::string wants_of(const Round& round) {
  std::string out;
  for (const auto& wish : round.wishes)
    if (!round.stopping && !round.resting) out += wish.name + '\n';
  return out;
}

// ---- being alive

// The rows of what is wanted, made once; heads first (rule A2).
void make_rows(db::Tx& tx, const Round& round) {
  auto missing = [&](const RoundWish& wish, db::Sql known) {
    std::set<uint32_t> parts;
    for (uint32_t part = 0; part < wish.parts; ++part) parts.insert(part);
    tx.query(known, [&](const db::Row& row) { parts.erase(static_cast<uint32_t>(row.i64(0))); }, wish.name);
    return parts;
  };
  for (const auto& wish : round.wishes) {
    if (!wish.is_topic) continue;
    for (auto part : missing(wish, "SELECT partition FROM outbox_head WHERE topic = $1"))
      tx.exec(
          "INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ($1, $2, 0, 1) ON CONFLICT (topic, "
          "partition) DO NOTHING",
          wish.name, part);
  }
  for (const auto& wish : round.wishes)
    for (auto part : missing(wish, "SELECT part FROM lease WHERE name = $1"))
      tx.exec(
          "INSERT INTO lease (name, part, holder, epoch, taken_at) VALUES ($1, $2, '', 0, 0) ON CONFLICT (name, part) "
          "DO NOTHING",
          wish.name, part);
}

void register_process(db::Tx& tx, const Round& round, Milliseconds now) {
  make_rows(tx, round);
  tx.exec(
      "INSERT INTO process (id, life, host, roles, version, nats, wants, started_at, alive_until) VALUES ($1, $2, $3, "
      "$4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET life = excluded.life, host = excluded.host, roles = "
      "excluded.roles, version = excluded.version, nats = excluded.nats, wants = excluded.wants, started_at = "
      "excluded.started_at, alive_until = excluded.alive_until",
      round.instance, round.life, round.about.host, round.about.roles, round.about.version, round.about.nats,
      wants_of(round), now, now + round.length);
  if (round.is_alone) {
    tx.exec("DELETE FROM process WHERE id <> $1", round.instance);
  } else {
    tx.exec(
        "DELETE FROM process WHERE id IN (SELECT id FROM process WHERE alive_until < $1 AND id <> $2 {skip_locked})",
        now - kRemembered, round.instance);
  }
  // What a former life held and this one does not want.
  auto names = round.wishes | std::views::transform(&RoundWish::name);
  tx.exec("UPDATE lease SET holder = '' WHERE holder = $1 AND name NOT IN {texts $2}", round.instance,
          db::text_set(names));
}

bool renew(db::Tx& tx, const Round& round, Milliseconds now, Outcome& out) {
  int64_t renewed = tx.exec(
      "UPDATE process SET alive_until = $1, wants = $2, nats = $3 WHERE id = $4 AND life = $5 AND alive_until > $6",
      now + round.length, wants_of(round), round.about.nats, round.instance, round.life, now);
  if (renewed == 1) return true;
  out.standing = Outcome::Standing::kOver;
  tx.query(
      "SELECT life FROM process WHERE id = $1 AND alive_until > $2",
      [&](const db::Row& row) {
        auto life = row.str(0);
        if (life.empty() || life.starts_with(round.process_token)) return;
        out.standing = Outcome::Standing::kReplaced;
        out.other_life = life;
      },
      round.instance, now);
  return false;
}

// ---- taking

// Of the holders that are over: those that do not come back before this transaction ends. One whose renewal is under
// way is not among them.
std::set<std::string> lock_over(db::Tx& tx, const std::set<std::string>& over, Milliseconds now) {
  std::set<std::string> locked;
  if (over.empty()) return locked;
  tx.query(
      "SELECT id FROM process WHERE id IN {texts $1} AND alive_until <= $2 ORDER BY id {skip_locked}",
      [&](const db::Row& row) { locked.insert(row.str(0)); }, db::text_set(over), now);
  return locked;
}

// Those of `parts` that are locked by this transaction now, and still as `seen`.
std::set<uint32_t> lock_parts(db::Tx& tx, const RoundWish& wish, const std::vector<uint32_t>& parts,
                              const std::map<uint32_t, LeaseRow>& seen) {
  auto set = db::int_set(parts);
  std::set<uint32_t> heads, out;
  if (wish.is_topic)
    tx.query(
        "SELECT partition FROM outbox_head WHERE topic = $1 AND partition IN {ints $2} ORDER BY partition "
        "{skip_locked}",
        [&](const db::Row& row) { heads.insert(static_cast<uint32_t>(row.i64(0))); }, wish.name, set);
  tx.query(
      "SELECT part, holder, epoch FROM lease WHERE name = $1 AND part IN {ints $2} ORDER BY part {skip_locked}",
      [&](const db::Row& row) {
        auto part = static_cast<uint32_t>(row.i64(0));
        const auto& was = seen.at(part);
        bool is_same = row.text(1) == was.holder && row.i64(2) == was.epoch;
        if (is_same && (!wish.is_topic || heads.contains(part))) out.insert(part);
      },
      wish.name, set);
  return out;
}

std::map<uint32_t, int64_t> take(db::Tx& tx, const Round& round, const RoundWish& wish,
                                 const std::vector<uint32_t>& parts, const Tables& tables) {
  std::map<uint32_t, int64_t> epochs;
  if (parts.empty()) return epochs;
  const auto& rows = tables.leases.at(wish.name);
  auto locked = lock_parts(tx, wish, parts, rows);
  std::set<std::string> over;
  for (auto part : locked)
    if (const auto& holder = rows.at(part).holder; holder != round.instance && tables.may_come_back(holder))
      over.insert(holder);
  auto gone = lock_over(tx, over, tables.now);
  std::erase_if(locked, [&](uint32_t part) {
    const auto& holder = rows.at(part).holder;
    return over.contains(holder) && !gone.contains(holder);
  });
  if (locked.empty()) return epochs;
  crash_point("lease.before_bump");
  for (auto part : locked) epochs[part] = rows.at(part).epoch + 1;
  if (wish.is_topic)
    tx.query(
        "UPDATE outbox_head SET epoch = epoch + 1 WHERE topic = $1 AND partition IN {ints $2} RETURNING partition, "
        "epoch",
        [&](const db::Row& row) { epochs[static_cast<uint32_t>(row.i64(0))] = row.i64(1); }, wish.name,
        db::int_set(locked));
  for (auto [part, epoch] : epochs)
    tx.exec("UPDATE lease SET holder = $1, epoch = $2, taken_at = $3 WHERE name = $4 AND part = $5", round.instance,
            epoch, tables.now, wish.name, part);
  return epochs;
}

Parts parts_of(const Round& round, const RoundWish& wish, const Tables& tables, Change& change) {
  Parts out;
  out.count = wish.parts;
  for (const auto& [id, row] : tables.processes)
    if (tables.is_alive(id) && has_line(row.wants, wish.name)) out.wanting.push_back(id);
  if (out.wanting.empty() && round.resting && !round.stopping) out.wanting.push_back(round.instance);
  auto rows = tables.leases.find(wish.name);
  if (rows == tables.leases.end()) return out;
  for (const auto& [part, row] : rows->second) {
    auto held = wish.held.find(part);
    bool is_mine = row.holder == round.instance;
    if (wish.leaving.contains(part) || part >= wish.parts) continue;
    if (held != wish.held.end()) {
      bool is_kept = is_mine && row.epoch == held->second;
      (is_kept ? out.held : change.lost).push_back(part);
    } else if (is_mine) {
      out.former.push_back(part);
    } else if (!tables.is_alive(row.holder)) {
      out.free.push_back(part);
    }
  }
  return out;
}

Holders holders_of(const Tables& tables) {
  Holders out;
  for (const auto& [name, rows] : tables.leases) {
    auto& holders = out[name];
    for (const auto& [part, row] : rows) {
      if (part >= holders.size()) holders.resize(part + 1);
      if (tables.is_alive(row.holder)) holders[part] = row.holder;
    }
  }
  return out;
}

}  // namespace

Outcome run_round(db::Tx& tx, const Round& round) {
  Outcome out;
  auto now = read_now(tx, round.clock);
  if (round.registers) {
    register_process(tx, round, now);
    out.changed = true;
  } else if (!renew(tx, round, now, out)) {
    return out;
  }
  auto tables = read_tables(tx, now);
  for (const auto& wish : round.wishes) {
    auto& change = out.changes.emplace_back();
    auto plan = balance(parts_of(round, wish, tables, change), round.instance);
    if (!round.stopping) change.surplus = std::move(plan.let_go);
    for (auto part : plan.give_up) {
      auto& row = tables.leases[wish.name][part];
      give_up(tx, round.instance, wish.name, part, row.epoch);
      row.holder.clear();
      out.changed = true;
    }
    change.taken = take(tx, round, wish, plan.take, tables);
    for (auto [part, epoch] : change.taken) tables.leases[wish.name][part] = {round.instance, epoch};
    out.changed |= !change.taken.empty();
    out.again |= change.taken.size() < plan.take.size();
  }
  out.holders = holders_of(tables);
  return out;
}

void give_up(db::Tx& tx, const std::string& instance, const std::string& name, uint32_t part, int64_t epoch) {
  tx.exec("UPDATE lease SET holder = '' WHERE name = $1 AND part = $2 AND holder = $3 AND epoch = $4", name, part,
          instance, epoch);
}

void end_life(db::Tx& tx, const std::string& instance, const std::string& life, Milliseconds clock) {
  auto now = read_now(tx, clock);
  int64_t ended = tx.exec("UPDATE process SET life = '', alive_until = $1, wants = '' WHERE id = $2 AND life = $3", now,
                          instance, life);
  if (ended == 1) tx.exec("UPDATE lease SET holder = '' WHERE holder = $1", instance);
}

std::vector<Status> Leases::status(db::ReadTx& tx, Milliseconds clock) {
  auto now = read_now(tx, clock);
  std::map<std::string, Status> all;
  tx.query("SELECT id, life, host, roles, version, nats, started_at, alive_until FROM process",
           [&](const db::Row& row) {
             bool alive = !row.text(1).empty() && row.i64(7) > now;
             Process about{row.str(2), row.str(3), row.str(4), row.str(5)};
             all[row.str(0)] = {row.str(0), std::move(about), row.i64(6), row.i64(7), alive, {}};
           });
  tx.query("SELECT holder, name, part FROM lease ORDER BY name, part", [&](const db::Row& row) {
    if (auto it = all.find(row.str(0)); it != all.end())
      it->second.holds[row.str(1)].push_back(static_cast<uint32_t>(row.i64(2)));
  });
  std::vector<Status> out;
  for (auto& [id, status] : all) out.push_back(std::move(status));
  return out;
}

Task<Result<std::vector<Status>>> Leases::status(db::Database& db, const Clock& clock) {
  co_return co_await db.read([at = clock.now()](db::ReadTx& tx) { return status(tx, at); });
}

}  // namespace myelin::lease
