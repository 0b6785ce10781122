-- One row, id 1. name: of the server whose users these are; user and room ids bear it for ever. probed_at: ms, when a
-- health check last found that the database can be written.
CREATE TABLE server (
  id BIGINT NOT NULL,
  name TEXT NOT NULL,
  probed_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) WITHOUT ROWID;
