#include "tests/simulate/shared_database.h"

#include <stdexcept>

namespace myelin::simulate {
namespace {

// Each speaks of one row as it is written. `broken(text)` keeps the text until the transaction's end.
constexpr const char* kTriggers = R"sql(
CREATE TRIGGER cursor_back BEFORE UPDATE ON cursor WHEN NEW.seq <= OLD.seq BEGIN
  SELECT broken('A4: the cursor of ' || OLD.consumer || ' in ' || OLD.topic || '/' || OLD.partition || ' goes from ' || OLD.seq || ' to ' || NEW.seq); END;
CREATE TRIGGER cursor_ahead BEFORE UPDATE ON cursor
  WHEN NEW.seq >= (SELECT next_seq FROM outbox_head WHERE topic = NEW.topic AND partition = NEW.partition) BEGIN
  SELECT broken('A13: the cursor of ' || OLD.consumer || ' in ' || OLD.topic || '/' || OLD.partition || ' passes the head'); END;
CREATE TRIGGER outbox_needed BEFORE DELETE ON outbox
  WHEN EXISTS (SELECT 1 FROM cursor WHERE topic = OLD.topic AND partition = OLD.partition AND seq < OLD.seq) BEGIN
  SELECT broken('trimmed though needed: ' || OLD.topic || '/' || OLD.partition || '/' || OLD.seq); END;
CREATE TRIGGER outbox_dense BEFORE INSERT ON outbox
  WHEN EXISTS (SELECT 1 FROM outbox WHERE topic = NEW.topic AND partition = NEW.partition)
   AND NOT EXISTS (SELECT 1 FROM outbox WHERE topic = NEW.topic AND partition = NEW.partition AND seq = NEW.seq - 1) BEGIN
  SELECT broken('the outbox is not dense before ' || NEW.topic || '/' || NEW.partition || '/' || NEW.seq); END;
CREATE TRIGGER head_back BEFORE UPDATE ON outbox_head WHEN NEW.next_seq < OLD.next_seq OR NEW.epoch < OLD.epoch BEGIN
  SELECT broken('the head of ' || OLD.topic || '/' || OLD.partition || ' goes back'); END;
CREATE TRIGGER position_back BEFORE UPDATE ON sync_head WHEN NEW.pos < OLD.pos BEGIN
  SELECT broken('A5: the sync position goes back'); END;
CREATE TRIGGER timeline_back BEFORE INSERT ON sync_timeline
  WHEN NEW.pos > (SELECT pos FROM sync_head) OR
       EXISTS (SELECT 1 FROM sync_timeline WHERE room_no = NEW.room_no AND (pos >= NEW.pos OR order_no >= NEW.order_no)) BEGIN
  SELECT broken('the timeline of room ' || NEW.room_no || ' gets order ' || NEW.order_no || ' at ' || NEW.pos || ' too late'); END;
CREATE TRIGGER event_order BEFORE INSERT ON event
  WHEN NEW.order_no <> 1 + (SELECT coalesce(max(order_no), 0) FROM event WHERE room_no = NEW.room_no) BEGIN
  SELECT broken('A1: event ' || NEW.event_id || ' of room ' || NEW.room_no || ' has order ' || NEW.order_no); END;
)sql";

}  // namespace

SharedDatabase::SharedDatabase() {
  auto handle = open();
  handle_ = handle.get();
  sqlite3_create_function(
      handle_, "broken", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, &broken_,
      [](sqlite3_context* context, int, sqlite3_value** values) {
        static_cast<std::vector<std::string>*>(sqlite3_user_data(context))
            ->emplace_back(reinterpret_cast<const char*>(sqlite3_value_text(values[0])));
      },
      nullptr, nullptr);
  session_ = std::make_unique<db::SqliteSession>(std::move(handle), nullptr);
}

db::SqliteHandle SharedDatabase::open() {
  auto handle = db::open_sqlite_handle(":memory:", "", 8 << 10);
  if (!handle) throw std::runtime_error(handle.error().message);
  return std::move(*handle);
}

namespace {
void copy_all(sqlite3* from, sqlite3* to) {
  auto* backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr || sqlite3_backup_step(backup, -1) != SQLITE_DONE || sqlite3_backup_finish(backup) != SQLITE_OK)
    throw std::runtime_error("the simulated database cannot be copied");
}
}  // namespace

db::SqliteHandle SharedDatabase::copy() {
  auto out = open();
  copy_all(handle_, out.get());
  return out;
}
void SharedDatabase::put_back(sqlite3* copy) { copy_all(copy, handle_); }
void SharedDatabase::watch() { session_->script(kTriggers); }

}  // namespace myelin::simulate
