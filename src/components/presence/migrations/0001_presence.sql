-- Presence: the newest receipt of each user by room, type and thread ('' = unthreaded), so that none goes backwards.
CREATE TABLE presence_receipt (
  room_no BIGINT NOT NULL,
  user_id TEXT NOT NULL,
  type TEXT NOT NULL,
  thread TEXT NOT NULL,
  order_no BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  PRIMARY KEY (room_no, user_id, type, thread)
) WITHOUT ROWID;
