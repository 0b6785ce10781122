-- One row, id 1: the history of the database (infra/db) that the stored one-time keys belong to.
CREATE TABLE key_history (
  id BIGINT PRIMARY KEY,
  history TEXT NOT NULL
);
