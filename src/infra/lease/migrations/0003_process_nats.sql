-- runs with: 2
-- nats: the nats-server that a process is connected to; '' = none at the moment.
ALTER TABLE process ADD COLUMN nats TEXT NOT NULL DEFAULT '';
