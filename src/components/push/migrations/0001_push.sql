-- Push: where a user's notifications go. Deliveries wait in work queue "push".

-- data: JSON object as given, with its url. ts: when the pusher was last set, ms. badge: the unread count that the
-- gateway was last told, -1 before the first.
CREATE TABLE pusher (
  user_id TEXT NOT NULL,
  app_id TEXT NOT NULL,
  pushkey TEXT NOT NULL,
  device_id TEXT NOT NULL,
  app_display_name TEXT NOT NULL,
  device_display_name TEXT NOT NULL,
  profile_tag TEXT,
  lang TEXT NOT NULL,
  data TEXT NOT NULL,
  ts BIGINT NOT NULL,
  badge BIGINT NOT NULL,
  PRIMARY KEY (user_id, app_id, pushkey)
) WITHOUT ROWID;
CREATE INDEX pusher_key ON pusher (app_id, pushkey);
