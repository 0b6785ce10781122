-- Leases are shared out among processes: partitions of topics, and consumers as a whole (one part).
-- holder: a process's id; '' = nobody's. epoch: of the last taking; of a topic's partition it is outbox_head's.
ALTER TABLE lease RENAME COLUMN topic TO name;
ALTER TABLE lease RENAME COLUMN partition TO part;

-- id: what a process keeps over its restarts. life: of this start; '' = it has ended, and what it holds is free.
-- alive_until: ms, by the database's clock; what it holds is free then. wants: names of leases, a line each.
CREATE TABLE process (
  id TEXT NOT NULL,
  life TEXT NOT NULL,
  host TEXT NOT NULL,
  roles TEXT NOT NULL,
  version TEXT NOT NULL,
  wants TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  alive_until BIGINT NOT NULL,
  PRIMARY KEY (id)
) WITHOUT ROWID;
