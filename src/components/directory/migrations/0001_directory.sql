-- Directory: room aliases of this server and its published rooms.

-- room_id: NULL while the alias is only reserved, until reserved_until (ms).
CREATE TABLE room_alias (
  alias TEXT NOT NULL,
  room_id TEXT,
  creator TEXT NOT NULL,
  reserved_until BIGINT,
  PRIMARY KEY (alias)
) WITHOUT ROWID;
CREATE INDEX room_alias_room ON room_alias (room_id);

CREATE TABLE published_room (
  room_id TEXT NOT NULL,
  PRIMARY KEY (room_id)
) WITHOUT ROWID;
