-- The spine: what lanes and the bus keep in every database (docs/spine.md).

-- next_seq: of the partition's next message. epoch: of the partition's owner, 0 = nobody's.
CREATE TABLE outbox_head (
  topic TEXT NOT NULL,
  partition BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  next_seq BIGINT NOT NULL,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

CREATE TABLE outbox (
  topic TEXT NOT NULL,
  partition BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (topic, partition, seq)
) WITHOUT ROWID;

-- seq: of the last message whose effects are in the database.
CREATE TABLE cursor (
  consumer TEXT NOT NULL,
  topic TEXT NOT NULL,
  partition BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  PRIMARY KEY (consumer, topic, partition)
) WITHOUT ROWID;

-- Messages of keys whose first message could not be applied, in the order of id.
CREATE TABLE parked (
  consumer TEXT NOT NULL,
  key TEXT NOT NULL,
  id BIGINT NOT NULL,
  topic TEXT NOT NULL,
  partition BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  body BYTEA NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (consumer, key, id)
) WITHOUT ROWID;

-- One row, id 1: the last sync position given out.
CREATE TABLE sync_head (
  id BIGINT PRIMARY KEY,
  pos BIGINT NOT NULL
);
INSERT INTO sync_head (id, pos) VALUES (1, 0);

-- One row, id 1: names this database for life; part of the generation on PostgreSQL.
CREATE TABLE database_identity (
  id BIGINT PRIMARY KEY,
  token TEXT NOT NULL
);
