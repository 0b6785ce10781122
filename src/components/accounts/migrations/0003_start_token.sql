-- from_start: 1 for the one that a start without accounts tells; it is the same until it is used or there are accounts.
ALTER TABLE registration_token ADD COLUMN from_start BIGINT NOT NULL DEFAULT 0;
