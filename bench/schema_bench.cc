// What one message costs in the database: the statements of its send and of its application by sync, on the tables of
// the program, through lanes as the server uses them.
//   schema_bench [sqlite:PATH | postgres://…]     without an argument: a temporary file, then a throwaway PostgreSQL
//   schema_bench --try                            a few messages on a temporary file: do the statements fit the tables?
#include <fmt/format.h>
#include <sys/resource.h>

#include <filesystem>
#include <random>

#include "base/log.h"
#include "infra/db/testing/databases.h"

namespace myelin {
namespace {

constexpr int kRooms = 20;
constexpr int64_t kOneRoom = int64_t{1} << 32;
constexpr int kRowsPerSend = 5, kRowsPerApply = 3;  // see send() and apply(); state events and indexes not counted

struct Room {
  int64_t number;
  int64_t version = 1, events = 0, applied = 0, applied_seq = 0;
};

std::string hex(uint64_t n) { return fmt::format("{:016x}", n); }
std::string event_id(int64_t ref) {
  return "$" + hex(static_cast<uint64_t>(ref) * 0x9e3779b97f4a7c15u) + std::string(27, 'x');
}
std::string user_of(int64_t ref) { return fmt::format("@user{}:example.org", ref % 50); }

// The owner's transaction: event with its indexes, transaction id, the room by compare-and-swap, outbox row and head;
// every fiftieth event changes state as well: two pages, an auth row, a membership.
Result<void> send(db::Tx& tx, int64_t room, int64_t version, int64_t number, const std::string& json,
                  const std::string& head) {
  int64_t ref = room * kOneRoom + number;
  auto id = event_id(ref);
  std::string root(24, 'r');
  int64_t moved = tx.exec("UPDATE room SET version_no = $1, head = $2 WHERE room_no = $3 AND version_no = $4",
                          version + 1, db::Blob{head}, room, version);
  if (moved == 0) return fail(Code::kStale);
  bool state = number % 50 == 0;
  tx.exec(
      "INSERT INTO event (ref, event_id, room_no, depth, order_no, type, ts, flags, replaces, txn, state_before, "
      "state_after, json) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12)",
      ref, id, room, number, number, "m.room.encrypted", 1'700'000'000'000 + number, std::nullopt,
      db::Blob{"DEVICE/txn"}, db::Blob{root}, state ? std::optional(db::Blob{root}) : std::nullopt, db::Blob{json});
  if (state) {
    for (int page = 0; page < 2; ++page) {
      std::string nodes(1'500, 'n');
      tx.exec("INSERT INTO state_page (room_no, page_no, nodes) VALUES ($1, $2, $3)", room, number * 2 + page,
              db::Blob{nodes});
    }
    tx.exec("INSERT INTO auth_event (ref, generation, parents) VALUES ($1, $2, $3)", ref, number, db::Blob{"\1\2\3"});
    tx.exec(
        "INSERT INTO member (user_id, room_no, membership, ref, forgotten) VALUES ($1, $2, $3, $4, 0) "
        "ON CONFLICT (user_id, room_no) DO UPDATE SET membership = excluded.membership, ref = excluded.ref, "
        "forgotten = 0",
        user_of(ref), room, 1, ref);
  }
  tx.exec(
      "INSERT INTO txn (user_id, device_id, path, txn_id, event_id, at) VALUES ($1, $2, $3, $4, $5, $6) "
      "ON CONFLICT (user_id, device_id, path, txn_id) DO NOTHING",
      user_of(ref), "DEVICEDEV", "send", "m" + hex(static_cast<uint64_t>(ref)), id, 1'700'000'000'000 + number);
  tx.publish("room.out", static_cast<uint32_t>(room % 64), std::string(180, 'o'));
  return {};
}

// Sync's transaction over a batch of messages of one room: timeline rows at their positions, the room's row and the
// cursor once, a notice; the outbox rows below the cursor go.
Result<void> apply(db::Tx& tx, int64_t room, int64_t from_event, int64_t count, int64_t from_seq) {
  auto partition = static_cast<uint32_t>(room % 64);
  int64_t moved =
      tx.exec("UPDATE cursor SET seq = $1 WHERE consumer = $2 AND topic = $3 AND partition = $4 AND seq = $5",
              from_seq + count, "sync", "room.out", partition, from_seq);
  if (moved == 0) return fail(Code::kStale);
  auto sums = tx.one(
      "SELECT last_order, notify, highlight FROM sync_room WHERE room_no = $1 {for_update}",
      [](const db::Row& row) { return row.i64(1) + row.i64(2); }, room);
  tx.at_position(count, [=](db::Tx& later, int64_t first) {
    std::string root(24, 'r');
    for (int64_t i = 0; i < count; ++i) {
      auto number = from_event + i;
      later.exec(
          "INSERT INTO sync_timeline (room_no, pos, ref, order_no, depth, thread, notify, highlight, root_after, "
          "on_fork) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
          room, first + i, room * kOneRoom + number, number, number, "", *sums + i + 1, 0, db::Blob{root});
    }
    later.exec(
        "UPDATE sync_room SET last_pos = $2, last_order = $3, top_depth = $4, notify = $5, highlight = $6, "
        "root_after = $7 WHERE room_no = $1",
        room, first + count - 1, from_event + count - 1, from_event + count - 1, *sums + count, 0, db::Blob{root});
  });
  auto user = user_of(from_event);
  tx.exec(
      "INSERT INTO unread (user_id, room_no, thread, read_order, notify_base, highlight_base) VALUES ($1, $2, $3, $4, "
      "$5, 0) ON CONFLICT (user_id, room_no, thread) DO UPDATE SET read_order = excluded.read_order, notify_base = "
      "excluded.notify_base",
      user, room, "", from_event, *sums);
  tx.exec("DELETE FROM outbox WHERE topic = $1 AND partition = $2 AND seq <= $3", "room.out", partition, from_seq);
  return {};
}

class Bench {
 public:
  explicit Bench(const db::Options& options)
      : db_(db::testing::TemporaryDatabase::open(options, loop_.get_executor(), clock_)) {
    json_.assign(800, 'j');
    head_.assign(160, 'h');
  }
  ~Bench() { db_->stop(); }

  void prepare() {
    for (int64_t n = 1; n <= kRooms; ++n) rooms_.push_back({n});
    auto rooms = rooms_;
    auto head = head_;
    auto made = db::testing::run(loop_, db_->write({}, [rooms, head](db::Tx& tx) {
      std::string root(24, 'r');
      for (const auto& room : rooms) {
        tx.exec("INSERT INTO room (room_no, room_id, version, version_no, head) VALUES ($1, $2, '11', 1, $3)",
                room.number, fmt::format("!room{}:example.org", room.number), db::Blob{head});
        tx.exec(
            "INSERT INTO sync_room (room_no, room_id, last_pos, last_order, top_depth, notify, highlight, root_after) "
            "VALUES ($1, $2, 0, 0, 0, 0, 0, $3)",
            room.number, fmt::format("!room{}:example.org", room.number), db::Blob{root});
        tx.exec("INSERT INTO cursor (consumer, topic, partition, seq) VALUES ('sync', 'room.out', $1, 0)", room.number);
        tx.exec("INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ('room.out', $1, 1, 1)",
                room.number);
      }
    }));
    check(made);
  }

  // Messages in groups of `group`, each group sent at once and then applied at once.
  void measure(int group, int messages) {
    double sending = 0, applying = 0, cpu = cpu_seconds();
    for (int done = 0; done < messages; done += group) {
      std::map<int64_t, int64_t> fresh;
      sending += timed([&] { send_group(group, fresh); });
      applying += timed([&] { apply_group(fresh); });
    }
    cpu = cpu_seconds() - cpu;
    auto n = static_cast<double>(messages);
    fmt::print("| {:>5} | {:>12.0f} | {:>13.0f} | {:>8.0f} | {:>13.0f} | {:>12.0f} |\n", group, sending / n * 1e6,
               applying / n * 1e6, n / (sending + applying), n * (kRowsPerSend + kRowsPerApply) / (sending + applying),
               cpu / n * 1e6);
    std::fflush(stdout);
  }

 private:
  template <class R>
  static void check(const R& result) {
    if (result) return;
    log::error("{}", result.error().message);
    std::exit(1);
  }
  static double timed(const std::function<void()>& work) {
    auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  static double cpu_seconds() {  // of this process: all of SQLite, of PostgreSQL only the client's side
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  void wait(size_t& left) {
    loop_.restart();
    while (left > 0) loop_.run_one();
  }
  void send_group(int group, std::map<int64_t, int64_t>& fresh) {
    auto left = static_cast<size_t>(group);
    for (int i = 0; i < group; ++i) {
      auto& room = rooms_[next_room_++ % rooms_.size()];
      auto version = room.version++, number = ++room.events;
      ++fresh[room.number];
      db::WriteOptions options{static_cast<uint32_t>(room.number),
                               db::Fence{"room.out", static_cast<uint32_t>(room.number), 1}};
      boost::asio::co_spawn(loop_,
                            db_->write(options, [=, n = room.number, json = json_, head = head_](
                                                    db::Tx& tx) { return send(tx, n, version, number, json, head); }),
                            [&left](std::exception_ptr, Result<void> result) {
                              check(result);
                              --left;
                            });
    }
    wait(left);
  }
  void apply_group(const std::map<int64_t, int64_t>& fresh) {
    auto left = fresh.size();
    for (auto [number, count] : fresh) {
      auto& room = rooms_[static_cast<size_t>(number - 1)];
      auto from = room.applied;
      room.applied += count;
      boost::asio::co_spawn(
          loop_,
          db_->write({static_cast<uint32_t>(number)},
                     [=, n = number, c = count](db::Tx& tx) { return apply(tx, n, from + 1, c, from); }),
          [&left](std::exception_ptr, Result<void> result) {
            check(result);
            --left;
          });
    }
    wait(left);
  }

  boost::asio::io_context loop_;
  SystemClock clock_;
  std::unique_ptr<db::Database> db_;
  std::vector<Room> rooms_;
  size_t next_room_ = 0;
  std::string json_, head_;
};

void run(const std::string& title, const db::Options& options, bool whole = true) {
  fmt::print("\n{}: {} rooms, events of 800 bytes, a state event in 50\n\n", title, kRooms);
  fmt::print(
      "| group | send, µs each | apply, µs each | messages/s | rows written/s | CPU, µs each |\n"
      "|------:|------:|------:|------:|------:|------:|\n");
  Bench bench(options);
  bench.prepare();
  bench.measure(64, whole ? 3'200 : 128);  // warms caches and grows the trees; shown to be compared with the last line
  if (!whole) return;
  bench.measure(1, 1'500);
  bench.measure(8, 8'000);
  bench.measure(64, 32'000);
}

}  // namespace
}  // namespace myelin

int main(int argc, char** argv) {
  using namespace myelin;
  if (argc > 1 && std::string_view(argv[1]) == "--try") {
    db::testing::TemporarySqlite files;
    run("SQLite", files.options(), false);
    return 0;
  }
  if (argc > 1) {
    db::Options options;
    options.url = argv[1];
    run(options.url, options);
    return 0;
  }
  {
    db::testing::TemporarySqlite files;
    run("SQLite", files.options());
    fmt::print("\nfile: {:.0f} MB\n", static_cast<double>(std::filesystem::file_size(files.path())) / 1e6);
  }
  db::testing::TemporaryPostgres server;
  auto options = server.options();
  options.lanes = 4;
  run("PostgreSQL 15, 4 lanes, Unix socket", options);
}
