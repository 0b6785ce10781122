-- Rooms: events, state, membership. An event's number and its room's make its row id: ref = room_no * 2^32 + event_no.

-- Numbers for rooms are given out in blocks.
CREATE TABLE room_number (
  id BIGINT PRIMARY KEY,
  next BIGINT NOT NULL
);
INSERT INTO room_number (id, next) VALUES (1, 1);

-- One secret per database: state maps are compared by keyed fingerprints.
CREATE TABLE room_secret (
  id BIGINT PRIMARY KEY,
  fingerprint_key BYTEA NOT NULL
);

-- version_no names what the row holds: a new, never repeated number at every write. head: see graph/room_head.h.
CREATE TABLE room (
  room_no BIGINT PRIMARY KEY,
  room_id TEXT NOT NULL UNIQUE,
  version TEXT NOT NULL,
  version_no BIGINT NOT NULL,
  head BYTEA NOT NULL
);

-- json: the accepted bytes. state_after is NULL when equal to state_before. order_no is NULL for rejected events.
-- flags: 1 rejected, 2 soft-failed. replaces: the state event before. txn: device and transaction id of the sender.
CREATE TABLE event (
  ref BIGINT PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  room_no BIGINT NOT NULL,
  depth BIGINT NOT NULL,
  order_no BIGINT,
  type TEXT NOT NULL,
  ts BIGINT NOT NULL,
  flags BIGINT NOT NULL,
  replaces BIGINT,
  txn BYTEA,
  state_before BYTEA NOT NULL,
  state_after BYTEA,
  json BYTEA NOT NULL
);
CREATE INDEX event_place ON event (room_no, depth, order_no);

CREATE TABLE state_key (
  room_no BIGINT NOT NULL,
  key_no BIGINT NOT NULL,
  type TEXT NOT NULL,
  state_key TEXT NOT NULL,
  PRIMARY KEY (room_no, key_no)
) WITHOUT ROWID;
CREATE UNIQUE INDEX state_key_name ON state_key (room_no, type, state_key);

CREATE TABLE state_page (
  room_no BIGINT NOT NULL,
  page_no BIGINT NOT NULL,
  nodes BYTEA NOT NULL,
  PRIMARY KEY (room_no, page_no)
) WITHOUT ROWID;

-- Auth events of state events, as event numbers (varints).
CREATE TABLE auth_event (
  ref BIGINT PRIMARY KEY,
  generation BIGINT NOT NULL,
  parents BYTEA NOT NULL
);

CREATE TABLE member (
  user_id TEXT NOT NULL,
  room_no BIGINT NOT NULL,
  membership BIGINT NOT NULL,
  ref BIGINT NOT NULL,
  forgotten BIGINT NOT NULL,
  PRIMARY KEY (user_id, room_no)
) WITHOUT ROWID;
CREATE INDEX member_room ON member (room_no, membership);

-- sender and type: of the child.
CREATE TABLE relation (
  room_no BIGINT NOT NULL,
  parent_id TEXT NOT NULL,
  rel_type TEXT NOT NULL,
  ref BIGINT NOT NULL,
  sender TEXT NOT NULL,
  type TEXT NOT NULL,
  PRIMARY KEY (room_no, parent_id, rel_type, ref)
) WITHOUT ROWID;

-- The redaction that applies to an event: the first one that was allowed.
CREATE TABLE redaction (
  target BIGINT PRIMARY KEY,
  ref BIGINT NOT NULL
);

-- Received redactions whose target is not here yet.
CREATE TABLE redaction_waiting (
  room_no BIGINT NOT NULL,
  target_id TEXT NOT NULL,
  ref BIGINT NOT NULL,
  PRIMARY KEY (room_no, target_id, ref)
) WITHOUT ROWID;

CREATE TABLE txn (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  path TEXT NOT NULL,
  txn_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (user_id, device_id, path, txn_id)
) WITHOUT ROWID;
