-- Accounts: users, their devices and tokens, profiles, account data, push rules, filters.

-- password_hash: argon2id with its cost and salt; NULL: no password logs in. deactivated_at: ms, NULL while active.
-- profile_version: grows with each change of display name or avatar.
CREATE TABLE account (
  user_id TEXT NOT NULL,
  password_hash TEXT,
  is_admin BIGINT NOT NULL,
  is_guest BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  deactivated_at BIGINT,
  profile_version BIGINT NOT NULL,
  PRIMARY KEY (user_id)
) WITHOUT ROWID;

CREATE TABLE device (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  display_name TEXT,
  last_seen_ip TEXT,
  last_seen_ts BIGINT,
  PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;

-- hash: SHA-256 of the token. expires_at: ms, NULL: never. refresh: hash of the refresh token given out with it.
-- parent: hash of the refresh token that was traded for it, until the first use of either of the new pair.
CREATE TABLE access_token (
  hash BYTEA NOT NULL,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  expires_at BIGINT,
  refresh BYTEA,
  parent BYTEA,
  PRIMARY KEY (hash)
) WITHOUT ROWID;
CREATE INDEX access_token_device ON access_token (user_id, device_id);

-- revoked_at: ms, NULL while valid; a revoked one is remembered for a day, to answer with a soft logout.
CREATE TABLE refresh_token (
  hash BYTEA NOT NULL,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  parent BYTEA,
  revoked_at BIGINT,
  PRIMARY KEY (hash)
) WITHOUT ROWID;
CREATE INDEX refresh_token_device ON refresh_token (user_id, device_id);

-- uses_left: NULL: any number.
CREATE TABLE registration_token (
  token TEXT NOT NULL,
  uses_left BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (token)
) WITHOUT ROWID;

-- Nonces of shared-secret registration that are used up, until they would have expired.
CREATE TABLE spent_nonce (
  nonce TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (nonce)
) WITHOUT ROWID;

-- User-interactive authentication that has come some way: completed is a JSON array of stages. user_id: "" for nobody.
CREATE TABLE uia_session (
  session_id TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  user_id TEXT NOT NULL,
  completed TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (session_id)
) WITHOUT ROWID;

-- value: JSON.
CREATE TABLE profile (
  user_id TEXT NOT NULL,
  field TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (user_id, field)
) WITHOUT ROWID;

-- room_id: "" for what is global. content: JSON, as received where a client sent it.
CREATE TABLE account_data (
  user_id TEXT NOT NULL,
  room_id TEXT NOT NULL,
  type TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (user_id, room_id, type)
) WITHOUT ROWID;

-- The whole content of m.push_rules; no row while it is the default.
CREATE TABLE push_rules (
  user_id TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (user_id)
) WITHOUT ROWID;

-- filter_id: made from the content.
CREATE TABLE client_filter (
  user_id TEXT NOT NULL,
  filter_id TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (user_id, filter_id)
) WITHOUT ROWID;
