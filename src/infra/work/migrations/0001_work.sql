-- Durable work: in order of id per (queue, key), not before `due`. holder, lease_until: who is at it, where several may be.
CREATE TABLE work (
  queue TEXT NOT NULL,
  key TEXT NOT NULL,
  id BIGINT NOT NULL,
  due BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  reason TEXT NOT NULL,
  holder TEXT NOT NULL,
  lease_until BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (queue, key, id)
) WITHOUT ROWID;
