-- Sync: what clients can learn, in the order of one position (sync_head, kept by infra/db).

-- A room's events as clients meet them. root_after: the room's current state after the event, 24 bytes. on_fork: 1 when
-- the state at the event is not the room's state before its arrival, so that its visibility is its own.
-- notify, highlight: running sums of the class verdict over the events of the same thread ('' = main), this one included.
CREATE TABLE sync_timeline (
  room_no BIGINT NOT NULL,
  pos BIGINT NOT NULL,
  ref BIGINT NOT NULL,
  order_no BIGINT NOT NULL,
  depth BIGINT NOT NULL,
  thread TEXT NOT NULL,
  notify BIGINT NOT NULL,
  highlight BIGINT NOT NULL,
  root_after BYTEA NOT NULL,
  on_fork BIGINT NOT NULL,
  PRIMARY KEY (room_no, pos)
) WITHOUT ROWID;
CREATE INDEX sync_timeline_thread ON sync_timeline (room_no, thread, order_no) WHERE thread <> '';

-- One row a room; its lock orders everything that sync writes about the room.
CREATE TABLE sync_room (
  room_no BIGINT PRIMARY KEY,
  room_id TEXT NOT NULL,
  last_pos BIGINT NOT NULL,
  last_order BIGINT NOT NULL,
  top_depth BIGINT NOT NULL,
  notify BIGINT NOT NULL,
  highlight BIGINT NOT NULL,
  root_after BYTEA NOT NULL
);

CREATE TABLE sync_thread (
  room_no BIGINT NOT NULL,
  thread TEXT NOT NULL,
  notify BIGINT NOT NULL,
  highlight BIGINT NOT NULL,
  last_order BIGINT NOT NULL,
  PRIMARY KEY (room_no, thread)
) WITHOUT ROWID;

-- Membership as of the position, and how it got there.
CREATE TABLE sync_member (
  user_id TEXT NOT NULL,
  room_no BIGINT NOT NULL,
  membership BIGINT NOT NULL,
  ref BIGINT NOT NULL,
  pos BIGINT NOT NULL,
  PRIMARY KEY (user_id, room_no)
) WITHOUT ROWID;
CREATE INDEX sync_member_room ON sync_member (room_no, membership, pos);

CREATE TABLE sync_member_change (
  room_no BIGINT NOT NULL,
  pos BIGINT NOT NULL,
  user_id TEXT NOT NULL,
  before BIGINT,
  after BIGINT NOT NULL,
  ref BIGINT NOT NULL,
  PRIMARY KEY (room_no, pos, user_id)
) WITHOUT ROWID;
CREATE INDEX sync_member_change_user ON sync_member_change (user_id, pos);

-- What each member has read, per thread: '' = main, '*' = everything (the join, an unthreaded receipt), whose bases are
-- the main thread's. A thread without a row stands where '*' stands. The bases are the thread's sums at read_order.
CREATE TABLE unread (
  user_id TEXT NOT NULL,
  room_no BIGINT NOT NULL,
  thread TEXT NOT NULL,
  read_order BIGINT NOT NULL,
  notify_base BIGINT NOT NULL,
  highlight_base BIGINT NOT NULL,
  PRIMARY KEY (user_id, room_no, thread)
) WITHOUT ROWID;
-- Events whose verdict for one member (notify, highlight) is not what the member's class makes of the room's verdict.
CREATE TABLE unread_exception (
  user_id TEXT NOT NULL,
  room_no BIGINT NOT NULL,
  order_no BIGINT NOT NULL,
  thread TEXT NOT NULL,
  notify BIGINT NOT NULL,
  highlight BIGINT NOT NULL,
  room_notify BIGINT NOT NULL,
  room_highlight BIGINT NOT NULL,
  PRIMARY KEY (user_id, room_no, order_no)
) WITHOUT ROWID;
CREATE INDEX unread_exception_event ON unread_exception (room_no, order_no);

-- How a member's rules turned the room's verdicts into theirs: as `class` says for events after from_order, up to the
-- next row. Members without rows: class 0.
CREATE TABLE unread_class (
  user_id TEXT NOT NULL,
  room_no BIGINT NOT NULL,
  from_order BIGINT NOT NULL,
  class BIGINT NOT NULL,
  PRIMARY KEY (user_id, room_no, from_order)
) WITHOUT ROWID;

-- Redacted events that the sums of sync_timeline still hold: the room's verdict on them counts for nobody.
CREATE TABLE unread_redacted (
  room_no BIGINT NOT NULL,
  order_no BIGINT NOT NULL,
  thread TEXT NOT NULL,
  notify BIGINT NOT NULL,
  highlight BIGINT NOT NULL,
  PRIMARY KEY (room_no, order_no)
) WITHOUT ROWID;

CREATE TABLE sync_receipt (
  room_no BIGINT NOT NULL,
  user_id TEXT NOT NULL,
  type TEXT NOT NULL,
  thread TEXT NOT NULL,
  event_id TEXT NOT NULL,
  ts BIGINT NOT NULL,
  pos BIGINT NOT NULL,
  PRIMARY KEY (room_no, user_id, type, thread)
) WITHOUT ROWID;
CREATE INDEX sync_receipt_pos ON sync_receipt (room_no, pos);

-- Messages to devices, kept until the device syncs with a later token.
CREATE TABLE to_device (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  pos BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, pos, seq)
) WITHOUT ROWID;

-- One row a user: the newest change of their devices or keys.
CREATE TABLE sync_device_list (
  user_id TEXT PRIMARY KEY,
  pos BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sync_device_list_pos ON sync_device_list (pos);

-- One row a thing that may change for one user's eyes, with its newest change. kind 1: account data (room '' = global,
-- what = type); kind 2: key counts (what = device).
CREATE TABLE sync_user (
  user_id TEXT NOT NULL,
  kind BIGINT NOT NULL,
  room TEXT NOT NULL,
  what TEXT NOT NULL,
  pos BIGINT NOT NULL,
  PRIMARY KEY (user_id, kind, room, what)
) WITHOUT ROWID;
CREATE INDEX sync_user_pos ON sync_user (user_id, pos);
