-- Users whose events are erased (client-server API, POST /account/deactivate): who joins a room after this moment (ms)
-- gets redacted copies.
CREATE TABLE erased_user (
  user_id TEXT NOT NULL,
  erased_at BIGINT NOT NULL,
  PRIMARY KEY (user_id)
) WITHOUT ROWID;
