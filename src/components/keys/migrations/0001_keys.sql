-- Keys: what devices publish for end-to-end encryption, and backups of room keys.

-- One row a user: its lock orders what is written about the user's keys and backups.
-- next_seq: of the user's next one-time key; it grows in upload order.
CREATE TABLE key_user (
  user_id TEXT NOT NULL,
  next_seq BIGINT NOT NULL,
  PRIMARY KEY (user_id)
) WITHOUT ROWID;

-- body: canonical JSON as uploaded, without `unsigned`.
CREATE TABLE device_key (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;

CREATE TABLE one_time_key (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  seq BIGINT NOT NULL,
  key_id TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, algorithm, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_time_key_id ON one_time_key (user_id, device_id, algorithm, key_id);

-- Keys that were handed out: an upload that is repeated after its answer was lost must not bring them back.
CREATE TABLE one_time_key_claimed (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_id TEXT NOT NULL,
  hash BYTEA NOT NULL,
  PRIMARY KEY (user_id, device_id, algorithm, key_id)
) WITHOUT ROWID;

CREATE TABLE fallback_key (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_id TEXT NOT NULL,
  body TEXT NOT NULL,
  used BIGINT NOT NULL,
  PRIMARY KEY (user_id, device_id, algorithm)
) WITHOUT ROWID;

-- usage: master, self_signing, user_signing. public_key: unpadded base64.
CREATE TABLE cross_signing_key (
  user_id TEXT NOT NULL,
  usage TEXT NOT NULL,
  public_key TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (user_id, usage)
) WITHOUT ROWID;

-- Signatures uploaded apart from the key they sign. target_key: a device id or a master key's public key.
CREATE TABLE key_signature (
  target_user TEXT NOT NULL,
  target_key TEXT NOT NULL,
  signer_user TEXT NOT NULL,
  signer_key TEXT NOT NULL,
  signature TEXT NOT NULL,
  PRIMARY KEY (target_user, target_key, signer_user, signer_key)
) WITHOUT ROWID;
CREATE INDEX key_signature_signer ON key_signature (signer_user, signer_key);

-- Requests to /sendToDevice that are done. They live as long as the sending device.
CREATE TABLE to_device_txn (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  type TEXT NOT NULL,
  txn_id TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, type, txn_id)
) WITHOUT ROWID;

-- deleted versions stay as rows without keys, so that a number is never used twice.
CREATE TABLE backup_version (
  user_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  algorithm TEXT NOT NULL,
  auth_data TEXT NOT NULL,
  etag BIGINT NOT NULL,
  key_count BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  PRIMARY KEY (user_id, version)
) WITHOUT ROWID;

CREATE TABLE backup_key (
  user_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  room_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  first_message_index BIGINT NOT NULL,
  forwarded_count BIGINT NOT NULL,
  is_verified BIGINT NOT NULL,
  session_data TEXT NOT NULL,
  PRIMARY KEY (user_id, version, room_id, session_id)
) WITHOUT ROWID;
