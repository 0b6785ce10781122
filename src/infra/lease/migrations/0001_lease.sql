-- Who owns each partition of a topic; the epoch that counts is outbox_head's.
CREATE TABLE lease (
  topic TEXT NOT NULL,
  partition BIGINT NOT NULL,
  holder TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  taken_at BIGINT NOT NULL,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
