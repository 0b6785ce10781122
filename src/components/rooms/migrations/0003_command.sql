-- runs with: 2
-- Commands that came from another process, with the event that they made: asking again is answered by it. `at`: ms.
CREATE TABLE command (
  id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (id)
) WITHOUT ROWID;
