CREATE TEMPORARY TABLE partition_no AS WITH RECURSIVE p(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM p WHERE n < 63) SELECT n FROM p;
CREATE TABLE access_token (
    hash bytea NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    expires_at bigint,
    refresh bytea,
    parent bytea
);
CREATE TABLE account (
    user_id text NOT NULL COLLATE pg_catalog."C",
    password_hash text COLLATE pg_catalog."C",
    is_admin bigint NOT NULL,
    is_guest bigint NOT NULL,
    created_at bigint NOT NULL,
    deactivated_at bigint,
    profile_version bigint NOT NULL
);
CREATE TABLE account_data (
    user_id text NOT NULL COLLATE pg_catalog."C",
    room_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    content text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE auth_event (
    ref bigint NOT NULL,
    generation bigint NOT NULL,
    parents bytea NOT NULL
);
CREATE TABLE backup_key (
    user_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    room_id text NOT NULL COLLATE pg_catalog."C",
    session_id text NOT NULL COLLATE pg_catalog."C",
    first_message_index bigint NOT NULL,
    forwarded_count bigint NOT NULL,
    is_verified bigint NOT NULL,
    session_data text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE backup_version (
    user_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    algorithm text NOT NULL COLLATE pg_catalog."C",
    auth_data text NOT NULL COLLATE pg_catalog."C",
    etag bigint NOT NULL,
    key_count bigint NOT NULL,
    deleted bigint NOT NULL
);
CREATE TABLE client_filter (
    user_id text NOT NULL COLLATE pg_catalog."C",
    filter_id text NOT NULL COLLATE pg_catalog."C",
    content text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE cross_signing_key (
    user_id text NOT NULL COLLATE pg_catalog."C",
    usage text NOT NULL COLLATE pg_catalog."C",
    public_key text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE cursor (
    consumer text NOT NULL COLLATE pg_catalog."C",
    topic text NOT NULL COLLATE pg_catalog."C",
    partition bigint NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE database_identity (
    id bigint NOT NULL,
    token text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE device (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    display_name text COLLATE pg_catalog."C",
    last_seen_ip text COLLATE pg_catalog."C",
    last_seen_ts bigint
);
CREATE TABLE device_key (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE event (
    ref bigint NOT NULL,
    event_id text NOT NULL COLLATE pg_catalog."C",
    room_no bigint NOT NULL,
    depth bigint NOT NULL,
    order_no bigint,
    type text NOT NULL COLLATE pg_catalog."C",
    ts bigint NOT NULL,
    flags bigint NOT NULL,
    replaces bigint,
    txn bytea,
    state_before bytea NOT NULL,
    state_after bytea,
    json bytea NOT NULL
);
CREATE TABLE fallback_key (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    algorithm text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL COLLATE pg_catalog."C",
    used bigint NOT NULL
);
CREATE TABLE key_history (
    id bigint NOT NULL,
    history text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE key_signature (
    target_user text NOT NULL COLLATE pg_catalog."C",
    target_key text NOT NULL COLLATE pg_catalog."C",
    signer_user text NOT NULL COLLATE pg_catalog."C",
    signer_key text NOT NULL COLLATE pg_catalog."C",
    signature text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE key_user (
    user_id text NOT NULL COLLATE pg_catalog."C",
    next_seq bigint NOT NULL
);
CREATE TABLE lease (
    topic text NOT NULL COLLATE pg_catalog."C",
    partition bigint NOT NULL,
    holder text NOT NULL COLLATE pg_catalog."C",
    epoch bigint NOT NULL,
    taken_at bigint NOT NULL
);
CREATE TABLE member (
    user_id text NOT NULL COLLATE pg_catalog."C",
    room_no bigint NOT NULL,
    membership bigint NOT NULL,
    ref bigint NOT NULL,
    forgotten bigint NOT NULL
);
CREATE TABLE one_time_key (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    algorithm text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    key_id text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE one_time_key_claimed (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    algorithm text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL
);
CREATE TABLE outbox (
    topic text NOT NULL COLLATE pg_catalog."C",
    partition bigint NOT NULL,
    seq bigint NOT NULL,
    body bytea NOT NULL
);
CREATE TABLE outbox_head (
    topic text NOT NULL COLLATE pg_catalog."C",
    partition bigint NOT NULL,
    epoch bigint NOT NULL,
    next_seq bigint NOT NULL
);
CREATE TABLE parked (
    consumer text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    id bigint NOT NULL,
    topic text NOT NULL COLLATE pg_catalog."C",
    partition bigint NOT NULL,
    seq bigint NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE presence_receipt (
    room_no bigint NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    thread text NOT NULL COLLATE pg_catalog."C",
    order_no bigint NOT NULL,
    event_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE profile (
    user_id text NOT NULL COLLATE pg_catalog."C",
    field text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE published_room (
    room_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE push_rules (
    user_id text NOT NULL COLLATE pg_catalog."C",
    content text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE pusher (
    user_id text NOT NULL COLLATE pg_catalog."C",
    app_id text NOT NULL COLLATE pg_catalog."C",
    pushkey text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    app_display_name text NOT NULL COLLATE pg_catalog."C",
    device_display_name text NOT NULL COLLATE pg_catalog."C",
    profile_tag text COLLATE pg_catalog."C",
    lang text NOT NULL COLLATE pg_catalog."C",
    data text NOT NULL COLLATE pg_catalog."C",
    ts bigint NOT NULL,
    badge bigint NOT NULL
);
CREATE TABLE redaction (
    target bigint NOT NULL,
    ref bigint NOT NULL
);
CREATE TABLE redaction_waiting (
    room_no bigint NOT NULL,
    target_id text NOT NULL COLLATE pg_catalog."C",
    ref bigint NOT NULL
);
CREATE TABLE refresh_token (
    hash bytea NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    parent bytea,
    revoked_at bigint
);
CREATE TABLE registration_token (
    token text NOT NULL COLLATE pg_catalog."C",
    uses_left bigint,
    created_at bigint NOT NULL
);
CREATE TABLE relation (
    room_no bigint NOT NULL,
    parent_id text NOT NULL COLLATE pg_catalog."C",
    rel_type text NOT NULL COLLATE pg_catalog."C",
    ref bigint NOT NULL,
    sender text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE room (
    room_no bigint NOT NULL,
    room_id text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL COLLATE pg_catalog."C",
    version_no bigint NOT NULL,
    head bytea NOT NULL
);
CREATE TABLE room_alias (
    alias text NOT NULL COLLATE pg_catalog."C",
    room_id text COLLATE pg_catalog."C",
    creator text NOT NULL COLLATE pg_catalog."C",
    reserved_until bigint
);
CREATE TABLE room_number (
    id bigint NOT NULL,
    next bigint NOT NULL
);
CREATE TABLE room_secret (
    id bigint NOT NULL,
    fingerprint_key bytea NOT NULL
);
CREATE TABLE schema_version (
    component text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE spent_nonce (
    nonce text NOT NULL COLLATE pg_catalog."C",
    expires_at bigint NOT NULL
);
CREATE TABLE state_key (
    room_no bigint NOT NULL,
    key_no bigint NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    state_key text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE state_page (
    room_no bigint NOT NULL,
    page_no bigint NOT NULL,
    nodes bytea NOT NULL
);
CREATE TABLE sync_device_list (
    user_id text NOT NULL COLLATE pg_catalog."C",
    pos bigint NOT NULL
);
CREATE TABLE sync_head (
    id bigint NOT NULL,
    pos bigint NOT NULL
);
CREATE TABLE sync_member (
    user_id text NOT NULL COLLATE pg_catalog."C",
    room_no bigint NOT NULL,
    membership bigint NOT NULL,
    ref bigint NOT NULL,
    pos bigint NOT NULL
);
CREATE TABLE sync_member_change (
    room_no bigint NOT NULL,
    pos bigint NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    before bigint,
    after bigint NOT NULL,
    ref bigint NOT NULL
);
CREATE TABLE sync_receipt (
    room_no bigint NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    thread text NOT NULL COLLATE pg_catalog."C",
    event_id text NOT NULL COLLATE pg_catalog."C",
    ts bigint NOT NULL,
    pos bigint NOT NULL
);
CREATE TABLE sync_room (
    room_no bigint NOT NULL,
    room_id text NOT NULL COLLATE pg_catalog."C",
    last_pos bigint NOT NULL,
    last_order bigint NOT NULL,
    top_depth bigint NOT NULL,
    notify bigint NOT NULL,
    highlight bigint NOT NULL,
    root_after bytea NOT NULL
);
CREATE TABLE sync_thread (
    room_no bigint NOT NULL,
    thread text NOT NULL COLLATE pg_catalog."C",
    notify bigint NOT NULL,
    highlight bigint NOT NULL,
    last_order bigint NOT NULL
);
CREATE TABLE sync_timeline (
    room_no bigint NOT NULL,
    pos bigint NOT NULL,
    ref bigint NOT NULL,
    order_no bigint NOT NULL,
    depth bigint NOT NULL,
    thread text NOT NULL COLLATE pg_catalog."C",
    notify bigint NOT NULL,
    highlight bigint NOT NULL,
    root_after bytea NOT NULL,
    on_fork bigint NOT NULL
);
CREATE TABLE sync_user (
    user_id text NOT NULL COLLATE pg_catalog."C",
    kind bigint NOT NULL,
    room text NOT NULL COLLATE pg_catalog."C",
    what text NOT NULL COLLATE pg_catalog."C",
    pos bigint NOT NULL
);
CREATE TABLE to_device (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    pos bigint NOT NULL,
    seq bigint NOT NULL,
    body text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE to_device_txn (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    txn_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE txn (
    user_id text NOT NULL COLLATE pg_catalog."C",
    device_id text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    txn_id text NOT NULL COLLATE pg_catalog."C",
    event_id text NOT NULL COLLATE pg_catalog."C",
    at bigint NOT NULL
);
CREATE TABLE uia_session (
    session_id text NOT NULL COLLATE pg_catalog."C",
    endpoint text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    completed text NOT NULL COLLATE pg_catalog."C",
    expires_at bigint NOT NULL
);
CREATE TABLE unread (
    user_id text NOT NULL COLLATE pg_catalog."C",
    room_no bigint NOT NULL,
    thread text NOT NULL COLLATE pg_catalog."C",
    read_order bigint NOT NULL,
    notify_base bigint NOT NULL,
    highlight_base bigint NOT NULL
);
CREATE TABLE unread_class (
    user_id text NOT NULL COLLATE pg_catalog."C",
    room_no bigint NOT NULL,
    from_order bigint NOT NULL,
    class bigint NOT NULL
);
CREATE TABLE unread_exception (
    user_id text NOT NULL COLLATE pg_catalog."C",
    room_no bigint NOT NULL,
    order_no bigint NOT NULL,
    thread text NOT NULL COLLATE pg_catalog."C",
    notify bigint NOT NULL,
    highlight bigint NOT NULL,
    room_notify bigint NOT NULL,
    room_highlight bigint NOT NULL
);
CREATE TABLE unread_redacted (
    room_no bigint NOT NULL,
    order_no bigint NOT NULL,
    thread text NOT NULL COLLATE pg_catalog."C",
    notify bigint NOT NULL,
    highlight bigint NOT NULL
);
CREATE TABLE work (
    queue text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    id bigint NOT NULL,
    due bigint NOT NULL,
    attempts bigint NOT NULL,
    reason text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL COLLATE pg_catalog."C",
    lease_until bigint NOT NULL,
    body text NOT NULL COLLATE pg_catalog."C"
);
INSERT INTO access_token VALUES
('\015\000*\343\010\203\346#;\251\313\356\313\312\033\365\354x\315Y\014\034\262\237cl\210\321\317:a+', '@alice:old.test', 'ALICE', NULL, NULL, NULL),
('K,\256\337\370\216\003\250\317K\300\350\226<*\003\275\033\203\350\257N*m\002\353F}\347\371T\260', '@bob:old.test', 'BOB', NULL, NULL, NULL);
INSERT INTO account VALUES
('@alice:old.test', '$argon2id$v=19$m=8,t=1,p=1$unQy1jNW0AwLmDLxdNrbIg$F+Zkj4F+icRa/Xv8ACEwNLdpN4rf67VgVPFAl+kuZ+E', 0, 0, 1795801763494, NULL, 0),
('@bob:old.test', '$argon2id$v=19$m=8,t=1,p=1$zWA3x2hxA/5hBPow3Q+oSg$XPGA9C9cNB8G5S5mW9gcHodv3NUzc8VAEC1ZKhEC1uU', 0, 0, 1795801763561, NULL, 0);
INSERT INTO account_data VALUES
('@bob:old.test', '!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg', 'm.tag', '{"tags":{"m.favourite":{"order":0.5}}}');
INSERT INTO auth_event VALUES
(4294967297, 0, ''),
(4294967298, 0, ''),
(4294967299, 1, '\002'),
(4294967300, 2, '\003\002'),
(4294967301, 2, '\003\002'),
(4294967302, 2, '\003\002'),
(4294967303, 2, '\003\002'),
(4294967304, 2, '\003\002'),
(4294967305, 3, '\003\002\005'),
(4294967306, 4, '\003\011\005');
INSERT INTO backup_key VALUES
('@bob:old.test', 1, '!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg', 's', 0, 0, 1, '{"a":"b"}');
INSERT INTO backup_version VALUES
('@bob:old.test', 1, 'm.megolm_backup.v1', '{"public_key":"p"}', 1, 1, 0);
INSERT INTO cross_signing_key VALUES
('@alice:old.test', 'master', '/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE', '{"keys":{"ed25519:/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE":"/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE"},"usage":["master"],"user_id":"@alice:old.test"}'),
('@alice:old.test', 'self_signing', 'cVbUcy239vO84FhTBYnKjmPygsW/OJweb3ybIoC5YJ4', '{"keys":{"ed25519:cVbUcy239vO84FhTBYnKjmPygsW/OJweb3ybIoC5YJ4":"cVbUcy239vO84FhTBYnKjmPygsW/OJweb3ybIoC5YJ4"},"signatures":{"@alice:old.test":{"ed25519:/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE":"wdtVLhfugOqt4KFIiNg6nynjs3aOxlQTe7rnTJvEZ3dUpphwx9FErjIb1v5dX9pa+0GWPmdOV0Tb2dG56ILvBA"}},"usage":["self_signing"],"user_id":"@alice:old.test"}'),
('@bob:old.test', 'master', 'OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4', '{"keys":{"ed25519:OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4":"OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4"},"usage":["master"],"user_id":"@bob:old.test"}'),
('@bob:old.test', 'self_signing', 'aN4XhnnjD3M1RCzhl0PtTQgGwaKxd5CBgkgunoJ4vrI', '{"keys":{"ed25519:aN4XhnnjD3M1RCzhl0PtTQgGwaKxd5CBgkgunoJ4vrI":"aN4XhnnjD3M1RCzhl0PtTQgGwaKxd5CBgkgunoJ4vrI"},"signatures":{"@bob:old.test":{"ed25519:OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4":"qHev0OVZ+OK8+GUGwxFzVaLaLqB5cV/AarVC5UgG2KK1im2iqgd8LuSv/F+/qwVuBsSpC4DYyI4O9MiAWlnZCg"}},"usage":["self_signing"],"user_id":"@bob:old.test"}');
INSERT INTO cursor SELECT 'keys', 'user.out', n, 0 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO cursor SELECT 'keys', 'user.out', n, 0 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO cursor SELECT 'sync', 'room.out', n, 0 FROM partition_no WHERE n BETWEEN 0 AND 46;
INSERT INTO cursor SELECT 'sync', 'room.out', n, 0 FROM partition_no WHERE n BETWEEN 48 AND 63;
INSERT INTO cursor SELECT 'sync', 'user.out', n, 0 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO cursor SELECT 'sync', 'user.out', n, 0 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO cursor SELECT 'push', 'notify.out', n, 0 FROM partition_no WHERE n BETWEEN 0 AND 46;
INSERT INTO cursor SELECT 'push', 'notify.out', n, 0 FROM partition_no WHERE n BETWEEN 48 AND 63;
INSERT INTO cursor SELECT 'push', 'user.out', n, 0 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO cursor SELECT 'push', 'user.out', n, 0 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO cursor VALUES
('keys', 'user.out', 42, 0),
('sync', 'user.out', 42, 0),
('push', 'user.out', 42, 0),
('push', 'user.out', 41, 6),
('keys', 'user.out', 41, 6),
('sync', 'user.out', 41, 6),
('sync', 'room.out', 47, 19),
('push', 'notify.out', 47, 6),
('keys', 'user.out', 43, 4),
('push', 'user.out', 43, 4),
('sync', 'user.out', 43, 4);
INSERT INTO database_identity VALUES
(1, 'mzlz618Ovz32d3sD');
INSERT INTO device VALUES
('@alice:old.test', 'ALICE', NULL, '127.0.0.1', 1795801763520),
('@bob:old.test', 'BOB', NULL, '127.0.0.1', 1795801763592);
INSERT INTO device_key VALUES
('@alice:old.test', 'ALICE', '{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"ALICE","keys":{"curve25519:ALICE":"59zuPMY9FwugSdosdUpj6lXc3Y028ZxVLLWeDUBjtmA","ed25519:ALICE":"1b9KP8znF7A4i8wnSevBSK2ZabI/Re4bYF/Vh3hXasQ"},"signatures":{"@alice:old.test":{"ed25519:ALICE":"SxfMUKKoHlYxiPA7jL7VahBjGP/PX5kSQgTgSEidX6MVEFUAwstYN5l41f4/Wlj+64gBzuxCLPLrBYdK2kaXCw"}},"user_id":"@alice:old.test"}'),
('@bob:old.test', 'BOB', '{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"BOB","keys":{"curve25519:BOB":"UlefXdQg96t1kNc3oniBtI94U/hETdP1pa+YJbDOf8M","ed25519:BOB":"7MG1hyfz8SsxlIgansud4LKM57IHIw2Okw/hvOdeJWw"},"signatures":{"@bob:old.test":{"ed25519:BOB":"Sv0mHn8YxaHV2obE9pzL5jsIvgZa/5gi2GLZfUoLD9lRKu88L7Yx3cDLQWqpjjak8pEq7DAvJOOD4gzzf/n9DQ"}},"user_id":"@bob:old.test"}');
INSERT INTO event VALUES
(4294967297, '$PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg', 1, 1, 1, 'm.room.create', 1795801763614, 0, NULL, NULL, '\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000', '\001\000\000\000\000\000\000\000\001\357\00181v\032\021\356\247\201\374\300nT\006', '{"auth_events":[],"content":{"room_version":"12"},"depth":1,"hashes":{"sha256":"/dsNW+j4mlpnIIAPdYGKg4+JT1Hi7k/k7WuLOiqdwAQ"},"origin_server_ts":1795801763614,"prev_events":[],"sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"KqhUQcqJ1zJ6MOe3KLrn6ZSd0DcqKgv8Eh1xeUCE8wI/ieCs9JxnK2QOuSrCOnhQbemWjkFeCB1Da8xjd4qkCw"}},"state_key":"","type":"m.room.create"}'),
(4294967298, '$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4', 1, 2, 2, 'm.room.member', 1795801763614, 0, NULL, NULL, '\001\000\000\000\000\000\000\000\001\357\00181v\032\021\356\247\201\374\300nT\006', '\002\000\000\000\000\000\000\000\333%\347U\003;\256\010-\372^\323\223\201\017\310', '{"auth_events":[],"content":{"displayname":"alice","membership":"join"},"depth":2,"hashes":{"sha256":"QQ3iBoPwsbZK1PZHLRBgbPMs1PQymz2/OQP6ffIQC8I"},"origin_server_ts":1795801763614,"prev_events":["$PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"GlTUIkL6igFal6F1bk6itOTi8cjEGiWNO8g5kW8TQygdoS1H9ybqoVcyEpzNsKJ3qBzR2rQsmrGIfJi/tRYZAQ"}},"state_key":"@alice:old.test","type":"m.room.member"}'),
(4294967299, '$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw', 1, 3, 3, 'm.room.power_levels', 1795801763614, 0, NULL, NULL, '\002\000\000\000\000\000\000\000\333%\347U\003;\256\010-\372^\323\223\201\017\310', '\003\000\000\000\000\000\000\000v\263F\271\371.\204\247\335N\372\037\357\2210\314', '{"auth_events":["$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"ban":50,"events":{"m.room.avatar":50,"m.room.canonical_alias":50,"m.room.encryption":100,"m.room.history_visibility":100,"m.room.name":50,"m.room.power_levels":100,"m.room.server_acl":100,"m.room.tombstone":150},"events_default":0,"invite":0,"kick":50,"redact":50,"state_default":50,"users":{},"users_default":0},"depth":3,"hashes":{"sha256":"Bd8bEoFDqhvbY2AQ+O6B1sIPcJ7EkupZG7muDgRVULA"},"origin_server_ts":1795801763614,"prev_events":["$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"RK0RWj6X0Wwynk+8XSWFBqMPftka/+jqiHm+7qqOfUn6t1xgFc/dHyBTc2wZaYf9dWYX44oPIvrekqAJN/YQAw"}},"state_key":"","type":"m.room.power_levels"}'),
(4294967300, '$GdA_umbTf-G04Uuf9OQuPvNeg7PapO2K_MnRU42Jspg', 1, 4, 4, 'm.room.canonical_alias', 1795801763614, 0, NULL, NULL, '\003\000\000\000\000\000\000\000v\263F\271\371.\204\247\335N\372\037\357\2210\314', '\004\000\000\000\000\000\000\000\255\217\0019\247r\240C\343//T\325\213w\244', '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"alias":"#room:old.test"},"depth":4,"hashes":{"sha256":"OcVzg6vZPu6gR7g0fulVjDLVCs8u7yilX/uOXf56hUs"},"origin_server_ts":1795801763614,"prev_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"aleKsKCse6LzZp3nB84HBXdaeJe4poQxDmV9nkq+jdflZUPJS0W//dgIkfQWKlkPJ5XQW2vMs4C7h9RFzv7qDw"}},"state_key":"","type":"m.room.canonical_alias"}'),
(4294967301, '$JCH5UO4VI3hDAgpZpCzcr8KixfDK3RSv6k10vuQafhs', 1, 5, 5, 'm.room.join_rules', 1795801763614, 0, NULL, NULL, '\004\000\000\000\000\000\000\000\255\217\0019\247r\240C\343//T\325\213w\244', '\005\000\000\000\000\000\000\000\351<\254r\323\020\024q{6B\261\215\217\265\223', '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"join_rule":"invite"},"depth":5,"hashes":{"sha256":"M1Rk4Sx7tOuhL4TI/NAQrY3pQMiUIFOvYqP3SXj1aA8"},"origin_server_ts":1795801763614,"prev_events":["$GdA_umbTf-G04Uuf9OQuPvNeg7PapO2K_MnRU42Jspg"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"uNCECeI9Ds+Jn+LGn0DzmPz7TQ4SfC5JN50cX5RIjptmA6Q1xrDCGzXMBYRNAbPL2hwDk8VOiF9nPVrZ/VDZAA"}},"state_key":"","type":"m.room.join_rules"}'),
(4294967302, '$EU1sh5tY5j5ZmCLF52Q2-8HOA0B6N7YWfMmZ6YD-bXk', 1, 6, 6, 'm.room.history_visibility', 1795801763614, 0, NULL, NULL, '\005\000\000\000\000\000\000\000\351<\254r\323\020\024q{6B\261\215\217\265\223', '\006\000\000\000\000\000\000\000a\364#\004\001.s\231\302>\367J}1\200\263', '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"history_visibility":"shared"},"depth":6,"hashes":{"sha256":"M8OaYnEtDVuDmuv+bsj8STvIVnPzGiGz6m9jOKWdsfc"},"origin_server_ts":1795801763614,"prev_events":["$JCH5UO4VI3hDAgpZpCzcr8KixfDK3RSv6k10vuQafhs"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"OJ8gUPyTlDTw905oHdiTOY35+zi0rdMhdNgSKs4Ry5Me05asCPJ9qqNoQ2tsiElrsp5M3Bc6BcIIGmtvM7zoBw"}},"state_key":"","type":"m.room.history_visibility"}'),
(4294967303, '$P1xgD9OvYsCgkmmOBPESkdeePXNDDx8KLMqu0WS2nTU', 1, 7, 7, 'm.room.guest_access', 1795801763614, 0, NULL, NULL, '\006\000\000\000\000\000\000\000a\364#\004\001.s\231\302>\367J}1\200\263', '\007\000\000\000\000\000\000\000PbY\032\334\225E0T\0141\375.\012\266B', '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"guest_access":"can_join"},"depth":7,"hashes":{"sha256":"TtBzf6ndufY++bR/Wfef6gmUkuyHeDT559q1MrgDgJE"},"origin_server_ts":1795801763614,"prev_events":["$EU1sh5tY5j5ZmCLF52Q2-8HOA0B6N7YWfMmZ6YD-bXk"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"DV50NQNvbp3/Vi8C+FmdhwKwxEDa7mA3mZQjNaTmv76asmbekKG3yrzh3xSoM3bGmegmv4QY8ztfTUdaX0u/BA"}},"state_key":"","type":"m.room.guest_access"}'),
(4294967304, '$6I8QH9y1LYhXNWkIJejL5xz15BsIoYoNmyj0l1T9glY', 1, 8, 8, 'm.room.encryption', 1795801763614, 0, NULL, NULL, '\007\000\000\000\000\000\000\000PbY\032\334\225E0T\0141\375.\012\266B', '\010\000\000\000\000\000\000\000\2374\222\030e\272I\002\212\337f!\006\216\340\032', '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"algorithm":"m.megolm.v1.aes-sha2"},"depth":8,"hashes":{"sha256":"OcG5FISI1CyIpF9IOYxrfUobRsCs9VemPruWNeR6wVQ"},"origin_server_ts":1795801763614,"prev_events":["$P1xgD9OvYsCgkmmOBPESkdeePXNDDx8KLMqu0WS2nTU"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"f7xSC/L95P91BDEAfNNY7nRZUXfjTzCgIrqRFHtS9R8ktfbwPXFaM7z5BaSgyyDfcsM5lvebhizjdoCCKZK8Bw"}},"state_key":"","type":"m.room.encryption"}'),
(4294967305, '$p449BEGRHgLxohpPWom0fDfgypfD50_YUpGQYkzd_rc', 1, 9, 9, 'm.room.member', 1795801763614, 0, NULL, NULL, '\010\000\000\000\000\000\000\000\2374\222\030e\272I\002\212\337f!\006\216\340\032', '\011\000\000\000\000\000\000\000\321!\337\374\024\016d\0105x\2549\340\211\032\354', '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4","$JCH5UO4VI3hDAgpZpCzcr8KixfDK3RSv6k10vuQafhs"],"content":{"displayname":"bob","membership":"invite"},"depth":9,"hashes":{"sha256":"C9Eq65sn0fksUBUFJSw7ezyUBbF25pYThEyGJybi6I8"},"origin_server_ts":1795801763614,"prev_events":["$6I8QH9y1LYhXNWkIJejL5xz15BsIoYoNmyj0l1T9glY"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"Sjj8YhhZ8YG1GF48MiHtb8dwRA/oRG23D2+E29nI/HesZiP8B9I9b96ARkFIxKdeAra9mXQJ5nc2xXnvTqTtDQ"}},"state_key":"@bob:old.test","type":"m.room.member"}'),
(4294967306, '$8j7Y7nz9Zcb9cqhTrS39k0sdoPZstAdec7wnXl0YYZM', 1, 10, 10, 'm.room.member', 1795801763624, 0, 4294967305, NULL, '\011\000\000\000\000\000\000\000\321!\337\374\024\016d\0105x\2549\340\211\032\354', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$p449BEGRHgLxohpPWom0fDfgypfD50_YUpGQYkzd_rc","$JCH5UO4VI3hDAgpZpCzcr8KixfDK3RSv6k10vuQafhs"],"content":{"displayname":"bob","membership":"join"},"depth":10,"hashes":{"sha256":"Ohm01AEuR4qMZXTgJWukLWA+vAnMrevcJddflRY28wk"},"origin_server_ts":1795801763624,"prev_events":["$p449BEGRHgLxohpPWom0fDfgypfD50_YUpGQYkzd_rc"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@bob:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"2IfAKidkEPGOI+g+ZDvKPJ5I/VYj4V6tvuFmUCedKFO0uHaWSNiw/+ibDDaf97uKBZXRg62oiWGAzWv3zVcCDQ"}},"state_key":"@bob:old.test","type":"m.room.member"}'),
(4294967307, '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 1, 11, 11, 'm.room.encrypted', 1795801763651, 0, NULL, '\005ALICE\0011', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"read","session_id":"s"},"depth":11,"hashes":{"sha256":"+EgKIp1yYOto5pog0u31WZ3M6X2KJ7IshfASiF3nJE4"},"origin_server_ts":1795801763651,"prev_events":["$8j7Y7nz9Zcb9cqhTrS39k0sdoPZstAdec7wnXl0YYZM"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"pD5FWX6HI/m64fGitszX8htmszfy4kQJ5x565y3BfAkgPVsBLXNzHMvSoBC2RVO+vuKM7A+Ld6qMMeMtYfDWDA"}},"type":"m.room.encrypted"}'),
(4294967308, '$kr9lFs1aMKeJTrVXIVHSXTpExsOFLmSgFfSM0NPztks', 1, 12, 12, 'm.room.encrypted', 1795801763659, 0, NULL, '\005ALICE\0012', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"not read","session_id":"s"},"depth":12,"hashes":{"sha256":"fNzFpE7vb1KIkTBPI/C0wju8w7EYOi2u5tm6nfPwI7o"},"origin_server_ts":1795801763659,"prev_events":["$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"6LcdfmkN73XQSA+C6Clmlbc2tXYMkoo6Q35qf/5J36Z8QKPYzI2R/GKMcGVM1udU3iUCZaGXD/cARNXKlajOBg"}},"type":"m.room.encrypted"}'),
(4294967309, '$XwkC3AfFvEoO8rmx_XYJfBLsmEEHTp8cVnSSHbkF0aA', 1, 13, 13, 'm.room.message', 1795801763663, 0, NULL, '\005ALICE\0013', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"body":"in a thread","m.relates_to":{"event_id":"$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY","rel_type":"m.thread"},"msgtype":"m.text"},"depth":13,"hashes":{"sha256":"NONyrKkAWJbo8GrkdSGSbYg9ZGWo/bixlOkxyLqY/qc"},"origin_server_ts":1795801763663,"prev_events":["$kr9lFs1aMKeJTrVXIVHSXTpExsOFLmSgFfSM0NPztks"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"3poBmSDp6BvO60LiPuGIEeSubLpn6xQOSxM6omVnECJcJASbhVACIT2f7OHCNcyjijyoagEZOXm2HuZL9Y9sCQ"}},"type":"m.room.message"}'),
(4294967310, '$_tMtjGlqwRU5dIORYlXKXOqKUzm-0_NfmIYPjY1J_cU', 1, 14, 14, 'm.room.message', 1795801763671, 0, NULL, '\005ALICE\0014', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"body":"taken back","msgtype":"m.text"},"depth":14,"hashes":{"sha256":"VMi+95bbjHNPGiKb/sxKOGYpdCQ0Rzoehk2yVBKlfR4"},"origin_server_ts":1795801763671,"prev_events":["$XwkC3AfFvEoO8rmx_XYJfBLsmEEHTp8cVnSSHbkF0aA"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"2xATgkJCj8Xtj9X7SkrfgKd2CbNYdGYtqLto91bXGO43KyNv2hfjygQ8ZVsXmB4hM+PIf68hyuaJOIe2AibiAg"}},"type":"m.room.message"}'),
(4294967311, '$f6u3YebvBznrQg4aORvaYfAbXPcL6Nqp9jgh9Bzo5gg', 1, 15, 15, 'm.room.redaction', 1795801763680, 0, NULL, '\005ALICE\001r', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"redacts":"$_tMtjGlqwRU5dIORYlXKXOqKUzm-0_NfmIYPjY1J_cU"},"depth":15,"hashes":{"sha256":"5SElOR2/5JUbdKa7Y0xdZcswvq0Ki0gvfgBrbGsVK7g"},"origin_server_ts":1795801763680,"prev_events":["$_tMtjGlqwRU5dIORYlXKXOqKUzm-0_NfmIYPjY1J_cU"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"Sz4qQva7MkRux+mWtXwIERHjat95M+5qJFCYptdPJt2GJUeOYdvKN7YRRxtoVyEr5V+H6X92oj4aPHhMFLUTDQ"}},"type":"m.room.redaction"}'),
(4294967312, '$SaiQTAx_1onOCsEWkrN52k2jEbIrkxCreorDWkyeehE', 1, 16, 16, 'm.reaction', 1795801763689, 0, NULL, '\005ALICE\0015', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"m.relates_to":{"event_id":"$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY","key":"+","rel_type":"m.annotation"}},"depth":16,"hashes":{"sha256":"eZnuxLH3TkUTdAvTOY5DpKWfNakbaWI59DWifFdjNjY"},"origin_server_ts":1795801763689,"prev_events":["$f6u3YebvBznrQg4aORvaYfAbXPcL6Nqp9jgh9Bzo5gg"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"iOGky4UAfcK498SVh7/o5U6FXJjiKkS9+HWkPboP4vcQBWVXv2Wg5zojbRZ8oggpDZQFRVFwQLkyA8JZjvlZAQ"}},"type":"m.reaction"}'),
(4294967313, '$gHpKwudkOerg20wTWrGCfW7GeutvR5D0UG1qCK9bpHE', 1, 17, 17, 'm.room.message', 1795801763712, 0, NULL, '\005ALICE\0016', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"body":"muted","msgtype":"m.text"},"depth":17,"hashes":{"sha256":"EvUeWFqExpU5m2liJRWzLkJlm7GO5/RWDuaZyJ+ZiJ4"},"origin_server_ts":1795801763712,"prev_events":["$SaiQTAx_1onOCsEWkrN52k2jEbIrkxCreorDWkyeehE"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"rKz3IySQRZjNLK1KSUiv4Q1nEZ3OGmcVKlRXpjPuDIdnEbbab60FYPj5uVCxjqvdcOhI68xyOZkBmvrIELG0CA"}},"type":"m.room.message"}'),
(4294967314, '$8KkayIreMnMUz0mbz2mywZ0A31PHCrQkQdF9BeGo_wU', 1, 18, 18, 'm.room.message', 1795801763718, 0, NULL, '\005ALICE\0017', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"body":"muted but urgent","msgtype":"m.text"},"depth":18,"hashes":{"sha256":"BWrDcNtPrgFmGqW5BzwwGM7Ti8FXuLLYBqy12JcQ0RY"},"origin_server_ts":1795801763718,"prev_events":["$gHpKwudkOerg20wTWrGCfW7GeutvR5D0UG1qCK9bpHE"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"pCycGZo89Ic6IA4pKIlqctizVBPB42Zwpd2jYZmz7fNQV9OP5pxTtPcJoeT0O8CEUuzu7PJZBjVkcaQAtuZEDQ"}},"type":"m.room.message"}'),
(4294967315, '$8HTTuMc39QhVApLaxAczpd7jhlVUdeb1AXb9DTwuTGY', 1, 19, 19, 'm.room.message', 1795801772132, 0, NULL, '\005ALICE\0018', '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', NULL, '{"auth_events":["$dzlpQ9qIBcdUcxgkL1ATL02Lj9obWcfUmGg86FX4kuw","$FBFyOa91341bhzuMHfxEY4-bj4ItxgEIkdzKtUNEds4"],"content":{"body":"urgent and last","msgtype":"m.text"},"depth":19,"hashes":{"sha256":"d6HbrwuBTnNL5v2iEUIUNpXaJFI3MeLxw9194KU1+Cs"},"origin_server_ts":1795801772132,"prev_events":["$8KkayIreMnMUz0mbz2mywZ0A31PHCrQkQdF9BeGo_wU"],"room_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_wzcr5E":"lo5cvq4xvrqBgsknZoRN9lZwfIBzuCxcnzWvlV/RsFWyWe+hgEoqw47qmzCKl15S75cvFNeQ4AZyMaCmDeIRBg"}},"type":"m.room.message"}');
INSERT INTO fallback_key VALUES
('@alice:old.test', 'ALICE', 'signed_curve25519', 'F', '{"fallback":true,"key":"9nqxCtTkxTEhtqX+TanBDd7pBbl403iNJyPXv6y+KKk","signatures":{"@alice:old.test":{"ed25519:ALICE":"S6pWfUSL9Aqbd2YiFCydfEYqBYQumbTVtMSaeA0TQT9YpqnnHAgbqh0dQCIhhRio++CmowiWcdCqiZYhDyGACg"}}}', 0),
('@bob:old.test', 'BOB', 'signed_curve25519', 'F', '{"fallback":true,"key":"9nqxCtTkxTEhtqX+TanBDd7pBbl403iNJyPXv6y+KKk","signatures":{"@bob:old.test":{"ed25519:BOB":"twGx9k6UHbkIMaKXyavAkHDDPJl2sSCfJvf6WJgYWRKgCeWOy5eHR4/NLu0VbLqIUZEvuSMXI78SL+CSY706Bw"}}}', 0);
INSERT INTO key_history VALUES
(1, '7712909839699265925-00000001-mzlz618Ovz32d3sD');
INSERT INTO key_user VALUES
('@alice:old.test', 2),
('@bob:old.test', 2);
INSERT INTO lease SELECT 'room.out', n, 't478zlHjLnkJ', 2, 1795801772121 FROM partition_no WHERE n BETWEEN 0 AND 6;
INSERT INTO lease SELECT 'room.out', n, 't478zlHjLnkJ', 2, 1795801772121 FROM partition_no WHERE n BETWEEN 48 AND 63;
INSERT INTO lease SELECT 'room.out', n, 't478zlHjLnkJ', 2, 1795801772121 FROM partition_no WHERE n BETWEEN 7 AND 47;
INSERT INTO member VALUES
('@alice:old.test', 1, 2, 4294967298, 0),
('@bob:old.test', 1, 2, 4294967306, 0);
INSERT INTO one_time_key VALUES
('@alice:old.test', 'ALICE', 'signed_curve25519', 0, 'A', '{"key":"VZrq0IJk1XldOQlxjN0Fq9SVcuhP5VWQ7vMaiKCP3/0","signatures":{"@alice:old.test":{"ed25519:ALICE":"MOQsZwTbOVdWcNtP0tJbKy1yXce+SALoo8l1Yt9pf30WQ7lByoy0ZhMQibw6Xm65BNb/+jptDWHZNGeKeGN+Dw"}}}'),
('@alice:old.test', 'ALICE', 'signed_curve25519', 1, 'B', '{"key":"335w5QIVRPSDS77mSp43if68S+gUcN9inK1t2wMyClw","signatures":{"@alice:old.test":{"ed25519:ALICE":"2x7/xDOwRVRUKvcG3AkKTZYZj2oc+bAsQ+sx4UlEoubCSaynlwzZ+WZDpcSK7e40LKJX4MmwoO9y56wGPRn7Cg"}}}'),
('@bob:old.test', 'BOB', 'signed_curve25519', 0, 'A', '{"key":"VZrq0IJk1XldOQlxjN0Fq9SVcuhP5VWQ7vMaiKCP3/0","signatures":{"@bob:old.test":{"ed25519:BOB":"skku0DDCRmkUduVURk6YvQpcMClg6uP2rYIEZ5UNQY7S4v+B3ARf+0aaj8eVJmEy9BcKltWEalohgneR+bmzCQ"}}}'),
('@bob:old.test', 'BOB', 'signed_curve25519', 1, 'B', '{"key":"335w5QIVRPSDS77mSp43if68S+gUcN9inK1t2wMyClw","signatures":{"@bob:old.test":{"ed25519:BOB":"Sd1qnMYeCnR+xMPH0e7kRcnw9Oy6Ik9peSd8ry0Zj1KbPicxyqOI9v6Sl6I9dR/uZlpkc9F01CNtIt21ApaiDA"}}}');
INSERT INTO outbox VALUES
('room.out', 47, 20, '\001\001,!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg\223\200\200\200\020&&\030\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?\030\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?\017@alice:old.test\016m.room.message\004\005ALICE@send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.message\0018\000\000');
INSERT INTO outbox_head SELECT 'user.out', n, 0, 1 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO outbox_head SELECT 'user.out', n, 0, 1 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO outbox_head SELECT 'notify.out', n, 0, 1 FROM partition_no WHERE n BETWEEN 0 AND 46;
INSERT INTO outbox_head SELECT 'notify.out', n, 0, 1 FROM partition_no WHERE n BETWEEN 48 AND 63;
INSERT INTO outbox_head SELECT 'room.out', n, 2, 1 FROM partition_no WHERE n BETWEEN 0 AND 1;
INSERT INTO outbox_head SELECT 'room.out', n, 2, 1 FROM partition_no WHERE n BETWEEN 2 AND 46;
INSERT INTO outbox_head SELECT 'room.out', n, 2, 1 FROM partition_no WHERE n BETWEEN 48 AND 63;
INSERT INTO outbox_head VALUES
('user.out', 42, 0, 1),
('user.out', 41, 0, 7),
('user.out', 43, 0, 5),
('notify.out', 47, 0, 7),
('room.out', 47, 2, 21);
INSERT INTO presence_receipt VALUES
(1, '@bob:old.test', 'm.read', 'main', 11, '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY');
INSERT INTO profile VALUES
('@alice:old.test', 'displayname', '"alice"'),
('@bob:old.test', 'displayname', '"bob"');
INSERT INTO push_rules VALUES
('@bob:old.test', '{"global":{"override":[{"rule_id":".m.rule.master","default":true,"enabled":false,"conditions":[],"actions":[]},{"rule_id":".m.rule.suppress_notices","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"content.msgtype","pattern":"m.notice"}],"actions":[]},{"rule_id":".m.rule.invite_for_me","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.member"},{"kind":"event_match","key":"content.membership","pattern":"invite"},{"kind":"event_match","key":"state_key","pattern":"@bob:old.test"}],"actions":["notify",{"set_tweak":"sound","value":"default"}]},{"rule_id":".m.rule.member_event","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.member"}],"actions":[]},{"rule_id":".m.rule.is_user_mention","default":true,"enabled":true,"conditions":[{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"@bob:old.test"}],"actions":["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]},{"rule_id":".m.rule.is_room_mention","default":true,"enabled":true,"conditions":[{"kind":"event_property_is","key":"content.m\\.mentions.room","value":true},{"kind":"sender_notification_permission","key":"room"}],"actions":["notify",{"set_tweak":"highlight"}]},{"rule_id":".m.rule.tombstone","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.tombstone"},{"kind":"event_match","key":"state_key","pattern":""}],"actions":["notify",{"set_tweak":"highlight"}]},{"rule_id":".m.rule.reaction","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.reaction"}],"actions":[]},{"rule_id":".m.rule.room.server_acl","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.server_acl"},{"kind":"event_match","key":"state_key","pattern":""}],"actions":[]},{"rule_id":".m.rule.suppress_edits","default":true,"enabled":true,"conditions":[{"kind":"event_property_is","key":"content.m\\.relates_to.rel_type","value":"m.replace"}],"actions":[]}],"content":[{"rule_id":"urgent","default":false,"enabled":true,"actions":["notify",{"set_tweak":"highlight"}],"pattern":"urgent"}],"room":[{"rule_id":"!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg","default":false,"enabled":true,"actions":[]}],"sender":[],"underride":[{"rule_id":".m.rule.call","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.call.invite"}],"actions":["notify",{"set_tweak":"sound","value":"ring"}]},{"rule_id":".m.rule.encrypted_room_one_to_one","default":true,"enabled":true,"conditions":[{"kind":"room_member_count","is":"2"},{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}],"actions":["notify",{"set_tweak":"sound","value":"default"}]},{"rule_id":".m.rule.room_one_to_one","default":true,"enabled":true,"conditions":[{"kind":"room_member_count","is":"2"},{"kind":"event_match","key":"type","pattern":"m.room.message"}],"actions":["notify",{"set_tweak":"sound","value":"default"}]},{"rule_id":".m.rule.message","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.message"}],"actions":["notify"]},{"rule_id":".m.rule.encrypted","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}],"actions":["notify"]}]}}');
INSERT INTO pusher VALUES
('@bob:old.test', 'app', 'key', 'BOB', 'app', 'bob''s', NULL, 'en', '{"url":"https://push.old.test/_matrix/push/v1/notify","format":"event_id_only"}', 1795801763642, -1);
INSERT INTO redaction VALUES
(4294967310, 4294967311);
INSERT INTO relation VALUES
(1, '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 'm.thread', 4294967309, '@alice:old.test', 'm.room.message'),
(1, '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 'm.annotation', 4294967312, '@alice:old.test', 'm.reaction');
INSERT INTO room VALUES
(1, '!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg', '12', 2828911441401895921, '\024\011\013\024\023\030\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?\001\023\023,$8HTTuMc39QhVApLaxAczpd7jhlVUdeb1AXb9DTwuTGY\000\000');
INSERT INTO room_alias VALUES
('#room:old.test', '!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg', '@alice:old.test', NULL);
INSERT INTO room_number VALUES
(1, 257);
INSERT INTO room_secret VALUES
(1, '\373\2419\023\274\242\205\210\273\233\220\002\224\342''"!\240\240C(\377\022\303b\031\254\257\237\361o\330');
INSERT INTO schema_version VALUES
('db', 1, 1795801763247),
('lease', 1, 1795801763249),
('work', 1, 1795801763250),
('accounts', 1, 1795801763273),
('directory', 1, 1795801763277),
('keys', 1, 1795801763293),
('keys', 2, 1795801763296),
('presence', 1, 1795801763298),
('push', 1, 1795801763301),
('rooms', 1, 1795801763319),
('sync', 1, 1795801763352);
INSERT INTO state_key VALUES
(1, 0, 'm.room.create', ''),
(1, 1, 'm.room.member', '@alice:old.test'),
(1, 2, 'm.room.power_levels', ''),
(1, 3, 'm.room.canonical_alias', ''),
(1, 4, 'm.room.join_rules', ''),
(1, 5, 'm.room.history_visibility', ''),
(1, 6, 'm.room.guest_access', ''),
(1, 7, 'm.room.encryption', ''),
(1, 8, 'm.room.member', '@bob:old.test');
INSERT INTO state_page VALUES
(1, 1, '''4tt\001\001\000\001\000\001\000'),
(1, 2, '[\355\245w\001\001\000\003\000\001\000\001'),
(1, 3, '\261\370\272\371\001\001\000\007\000\001\000\001\002'),
(1, 4, '\347\312\177\346\001\001\000\017\000\001\000\001\002\003'),
(1, 5, '\300\203\003A\001\001\000\037\000\001\000\001\002\003\004'),
(1, 6, 'G%\257]\001\001\000?\000\001\000\001\002\003\004\005'),
(1, 7, '\006\013\333\203\001\001\000\177\000\001\000\001\002\003\004\005\006'),
(1, 8, 'z\022\237\020\001\001\000\377\000\001\000\001\002\003\004\005\006\007'),
(1, 9, '\237S\204\354\001\001\000\377\001\001\000\001\002\003\004\005\006\007\010'),
(1, 10, 'DsN\320\001\001\000\377\001\001\000\001\002\003\004\005\006\007\011');
INSERT INTO sync_device_list VALUES
('@alice:old.test', 1795801763356003),
('@bob:old.test', 1795801763356006);
INSERT INTO sync_head VALUES
(1, 1795801772035000);
INSERT INTO sync_member VALUES
('@alice:old.test', 1, 2, 4294967298, 1795801763356008),
('@bob:old.test', 1, 2, 4294967306, 1795801763356018);
INSERT INTO sync_member_change VALUES
(1, 1795801763356008, '@alice:old.test', NULL, 2, 4294967298),
(1, 1795801763356015, '@bob:old.test', NULL, 1, 4294967305),
(1, 1795801763356018, '@bob:old.test', 1, 2, 4294967306);
INSERT INTO sync_receipt VALUES
(1, '@bob:old.test', 'm.read', 'main', '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 1795801763657, 1795801763356020);
INSERT INTO sync_room VALUES
(1, '!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg', 1795801763356028, 18, 18, 4, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?');
INSERT INTO sync_thread VALUES
(1, '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 1, 0, 13);
INSERT INTO sync_timeline VALUES
(1, 1795801763356007, 4294967297, 1, 1, '', 0, 0, '\001\000\000\000\000\000\000\000\001\357\00181v\032\021\356\247\201\374\300nT\006', 0),
(1, 1795801763356008, 4294967298, 2, 2, '', 0, 0, '\002\000\000\000\000\000\000\000\333%\347U\003;\256\010-\372^\323\223\201\017\310', 0),
(1, 1795801763356009, 4294967299, 3, 3, '', 0, 0, '\003\000\000\000\000\000\000\000v\263F\271\371.\204\247\335N\372\037\357\2210\314', 0),
(1, 1795801763356010, 4294967300, 4, 4, '', 0, 0, '\004\000\000\000\000\000\000\000\255\217\0019\247r\240C\343//T\325\213w\244', 0),
(1, 1795801763356011, 4294967301, 5, 5, '', 0, 0, '\005\000\000\000\000\000\000\000\351<\254r\323\020\024q{6B\261\215\217\265\223', 0),
(1, 1795801763356012, 4294967302, 6, 6, '', 0, 0, '\006\000\000\000\000\000\000\000a\364#\004\001.s\231\302>\367J}1\200\263', 0),
(1, 1795801763356013, 4294967303, 7, 7, '', 0, 0, '\007\000\000\000\000\000\000\000PbY\032\334\225E0T\0141\375.\012\266B', 0),
(1, 1795801763356014, 4294967304, 8, 8, '', 0, 0, '\010\000\000\000\000\000\000\000\2374\222\030e\272I\002\212\337f!\006\216\340\032', 0),
(1, 1795801763356015, 4294967305, 9, 9, '', 0, 0, '\011\000\000\000\000\000\000\000\321!\337\374\024\016d\0105x\2549\340\211\032\354', 0),
(1, 1795801763356018, 4294967306, 10, 10, '', 0, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356019, 4294967307, 11, 11, '', 1, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356021, 4294967308, 12, 12, '', 2, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356022, 4294967309, 13, 13, '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 1, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356023, 4294967310, 14, 14, '', 2, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356024, 4294967311, 15, 15, '', 2, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356025, 4294967312, 16, 16, '', 2, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356027, 4294967313, 17, 17, '', 3, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0),
(1, 1795801763356028, 4294967314, 18, 18, '', 4, 0, '\012\000\000\000\000\000\000\000o\215\0253\223I\210FRf\177\005 b\221?', 0);
INSERT INTO sync_user VALUES
('@alice:old.test', 2, '', 'ALICE', 1795801763356002),
('@bob:old.test', 2, '', 'BOB', 1795801763356005),
('@bob:old.test', 1, '!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg', 'm.tag', 1795801763356016),
('@bob:old.test', 1, '', 'm.push_rules', 1795801763356026);
INSERT INTO to_device VALUES
('@bob:old.test', 'BOB', 1795801763356029, 0, '{"sender":"@alice:old.test","type":"m.secret.request","content":{"name":"waiting"}}');
INSERT INTO to_device_txn VALUES
('@alice:old.test', 'ALICE', 'm.secret.request', 't');
INSERT INTO txn VALUES
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.encrypted', '1', '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 1795801763651),
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.encrypted', '2', '$kr9lFs1aMKeJTrVXIVHSXTpExsOFLmSgFfSM0NPztks', 1795801763659),
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.message', '3', '$XwkC3AfFvEoO8rmx_XYJfBLsmEEHTp8cVnSSHbkF0aA', 1795801763663),
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.message', '4', '$_tMtjGlqwRU5dIORYlXKXOqKUzm-0_NfmIYPjY1J_cU', 1795801763671),
('@alice:old.test', 'ALICE', 'redact/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/$_tMtjGlqwRU5dIORYlXKXOqKUzm-0_NfmIYPjY1J_cU', 'r', '$f6u3YebvBznrQg4aORvaYfAbXPcL6Nqp9jgh9Bzo5gg', 1795801763680),
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.reaction', '5', '$SaiQTAx_1onOCsEWkrN52k2jEbIrkxCreorDWkyeehE', 1795801763689),
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.message', '6', '$gHpKwudkOerg20wTWrGCfW7GeutvR5D0UG1qCK9bpHE', 1795801763712),
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.message', '7', '$8KkayIreMnMUz0mbz2mywZ0A31PHCrQkQdF9BeGo_wU', 1795801763718),
('@alice:old.test', 'ALICE', 'send/!PD-kt_UkH-VQ_aYaP2eLm8m3puRiWtkT93rry6cuyhg/m.room.message', '8', '$8HTTuMc39QhVApLaxAczpd7jhlVUdeb1AXb9DTwuTGY', 1795801772132);
INSERT INTO unread VALUES
('@alice:old.test', 1, '*', 2, 0, 0),
('@bob:old.test', 1, '*', 10, 0, 0),
('@bob:old.test', 1, '', 11, 1, 0),
('@alice:old.test', 1, '$RLfTiF4omRCt2iEjtE4f-fwqwrzVsW9xuBwModl0YtY', 13, 1, 0),
('@alice:old.test', 1, '', 18, 4, 0);
INSERT INTO unread_class VALUES
('@bob:old.test', 1, 16, 1);
INSERT INTO unread_exception VALUES
('@bob:old.test', 1, 18, '', 1, 1, 1, 0);
INSERT INTO work VALUES
('push', '["@bob:old.test","app","key"]', 2, 1795801763674, 0, '', '', 0, '{"event":0,"tweaks":{},"at":1795801763674}'),
('push', '["@bob:old.test","app","key"]', 3, 1795801763681, 0, '', '', 0, '{"event":4294967308,"tweaks":{"sound":"default"},"at":1795801763681}'),
('push', '["@bob:old.test","app","key"]', 4, 1795801763689, 0, '', '', 0, '{"event":4294967309,"tweaks":{"sound":"default"},"at":1795801763689}'),
('push', '["@bob:old.test","app","key"]', 5, 1795801763730, 0, '', '', 0, '{"event":4294967314,"tweaks":{"highlight":true},"at":1795801763730}'),
('push', '["@bob:old.test","app","key"]', 1, 1795801780232, 4, 'Couldn''t resolve host name', '', 0, '{"event":4294967307,"tweaks":{"sound":"default"},"at":1795801763668}');
ALTER TABLE ONLY access_token
    ADD CONSTRAINT access_token_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY account_data
    ADD CONSTRAINT account_data_pkey PRIMARY KEY (user_id, room_id, type);
ALTER TABLE ONLY account
    ADD CONSTRAINT account_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY auth_event
    ADD CONSTRAINT auth_event_pkey PRIMARY KEY (ref);
ALTER TABLE ONLY backup_key
    ADD CONSTRAINT backup_key_pkey PRIMARY KEY (user_id, version, room_id, session_id);
ALTER TABLE ONLY backup_version
    ADD CONSTRAINT backup_version_pkey PRIMARY KEY (user_id, version);
ALTER TABLE ONLY client_filter
    ADD CONSTRAINT client_filter_pkey PRIMARY KEY (user_id, filter_id);
ALTER TABLE ONLY cross_signing_key
    ADD CONSTRAINT cross_signing_key_pkey PRIMARY KEY (user_id, usage);
ALTER TABLE ONLY cursor
    ADD CONSTRAINT cursor_pkey PRIMARY KEY (consumer, topic, partition);
ALTER TABLE ONLY database_identity
    ADD CONSTRAINT database_identity_pkey PRIMARY KEY (id);
ALTER TABLE ONLY device_key
    ADD CONSTRAINT device_key_pkey PRIMARY KEY (user_id, device_id);
ALTER TABLE ONLY device
    ADD CONSTRAINT device_pkey PRIMARY KEY (user_id, device_id);
ALTER TABLE ONLY event
    ADD CONSTRAINT event_event_id_key UNIQUE (event_id);
ALTER TABLE ONLY event
    ADD CONSTRAINT event_pkey PRIMARY KEY (ref);
ALTER TABLE ONLY fallback_key
    ADD CONSTRAINT fallback_key_pkey PRIMARY KEY (user_id, device_id, algorithm);
ALTER TABLE ONLY key_history
    ADD CONSTRAINT key_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY key_signature
    ADD CONSTRAINT key_signature_pkey PRIMARY KEY (target_user, target_key, signer_user, signer_key);
ALTER TABLE ONLY key_user
    ADD CONSTRAINT key_user_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (topic, partition);
ALTER TABLE ONLY member
    ADD CONSTRAINT member_pkey PRIMARY KEY (user_id, room_no);
ALTER TABLE ONLY one_time_key_claimed
    ADD CONSTRAINT one_time_key_claimed_pkey PRIMARY KEY (user_id, device_id, algorithm, key_id);
ALTER TABLE ONLY one_time_key
    ADD CONSTRAINT one_time_key_pkey PRIMARY KEY (user_id, device_id, algorithm, seq);
ALTER TABLE ONLY outbox_head
    ADD CONSTRAINT outbox_head_pkey PRIMARY KEY (topic, partition);
ALTER TABLE ONLY outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (topic, partition, seq);
ALTER TABLE ONLY parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (consumer, key, id);
ALTER TABLE ONLY presence_receipt
    ADD CONSTRAINT presence_receipt_pkey PRIMARY KEY (room_no, user_id, type, thread);
ALTER TABLE ONLY profile
    ADD CONSTRAINT profile_pkey PRIMARY KEY (user_id, field);
ALTER TABLE ONLY published_room
    ADD CONSTRAINT published_room_pkey PRIMARY KEY (room_id);
ALTER TABLE ONLY push_rules
    ADD CONSTRAINT push_rules_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY pusher
    ADD CONSTRAINT pusher_pkey PRIMARY KEY (user_id, app_id, pushkey);
ALTER TABLE ONLY redaction
    ADD CONSTRAINT redaction_pkey PRIMARY KEY (target);
ALTER TABLE ONLY redaction_waiting
    ADD CONSTRAINT redaction_waiting_pkey PRIMARY KEY (room_no, target_id, ref);
ALTER TABLE ONLY refresh_token
    ADD CONSTRAINT refresh_token_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY registration_token
    ADD CONSTRAINT registration_token_pkey PRIMARY KEY (token);
ALTER TABLE ONLY relation
    ADD CONSTRAINT relation_pkey PRIMARY KEY (room_no, parent_id, rel_type, ref);
ALTER TABLE ONLY room_alias
    ADD CONSTRAINT room_alias_pkey PRIMARY KEY (alias);
ALTER TABLE ONLY room_number
    ADD CONSTRAINT room_number_pkey PRIMARY KEY (id);
ALTER TABLE ONLY room
    ADD CONSTRAINT room_pkey PRIMARY KEY (room_no);
ALTER TABLE ONLY room
    ADD CONSTRAINT room_room_id_key UNIQUE (room_id);
ALTER TABLE ONLY room_secret
    ADD CONSTRAINT room_secret_pkey PRIMARY KEY (id);
ALTER TABLE ONLY schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (component, version);
ALTER TABLE ONLY spent_nonce
    ADD CONSTRAINT spent_nonce_pkey PRIMARY KEY (nonce);
ALTER TABLE ONLY state_key
    ADD CONSTRAINT state_key_pkey PRIMARY KEY (room_no, key_no);
ALTER TABLE ONLY state_page
    ADD CONSTRAINT state_page_pkey PRIMARY KEY (room_no, page_no);
ALTER TABLE ONLY sync_device_list
    ADD CONSTRAINT sync_device_list_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY sync_head
    ADD CONSTRAINT sync_head_pkey PRIMARY KEY (id);
ALTER TABLE ONLY sync_member_change
    ADD CONSTRAINT sync_member_change_pkey PRIMARY KEY (room_no, pos, user_id);
ALTER TABLE ONLY sync_member
    ADD CONSTRAINT sync_member_pkey PRIMARY KEY (user_id, room_no);
ALTER TABLE ONLY sync_receipt
    ADD CONSTRAINT sync_receipt_pkey PRIMARY KEY (room_no, user_id, type, thread);
ALTER TABLE ONLY sync_room
    ADD CONSTRAINT sync_room_pkey PRIMARY KEY (room_no);
ALTER TABLE ONLY sync_thread
    ADD CONSTRAINT sync_thread_pkey PRIMARY KEY (room_no, thread);
ALTER TABLE ONLY sync_timeline
    ADD CONSTRAINT sync_timeline_pkey PRIMARY KEY (room_no, pos);
ALTER TABLE ONLY sync_user
    ADD CONSTRAINT sync_user_pkey PRIMARY KEY (user_id, kind, room, what);
ALTER TABLE ONLY to_device
    ADD CONSTRAINT to_device_pkey PRIMARY KEY (user_id, device_id, pos, seq);
ALTER TABLE ONLY to_device_txn
    ADD CONSTRAINT to_device_txn_pkey PRIMARY KEY (user_id, device_id, type, txn_id);
ALTER TABLE ONLY txn
    ADD CONSTRAINT txn_pkey PRIMARY KEY (user_id, device_id, path, txn_id);
ALTER TABLE ONLY uia_session
    ADD CONSTRAINT uia_session_pkey PRIMARY KEY (session_id);
ALTER TABLE ONLY unread_class
    ADD CONSTRAINT unread_class_pkey PRIMARY KEY (user_id, room_no, from_order);
ALTER TABLE ONLY unread_exception
    ADD CONSTRAINT unread_exception_pkey PRIMARY KEY (user_id, room_no, order_no);
ALTER TABLE ONLY unread
    ADD CONSTRAINT unread_pkey PRIMARY KEY (user_id, room_no, thread);
ALTER TABLE ONLY unread_redacted
    ADD CONSTRAINT unread_redacted_pkey PRIMARY KEY (room_no, order_no);
ALTER TABLE ONLY work
    ADD CONSTRAINT work_pkey PRIMARY KEY (queue, key, id);
CREATE INDEX access_token_device ON access_token USING btree (user_id, device_id);
CREATE INDEX event_place ON event USING btree (room_no, depth, order_no);
CREATE INDEX key_signature_signer ON key_signature USING btree (signer_user, signer_key);
CREATE INDEX member_room ON member USING btree (room_no, membership);
CREATE UNIQUE INDEX one_time_key_id ON one_time_key USING btree (user_id, device_id, algorithm, key_id);
CREATE INDEX pusher_key ON pusher USING btree (app_id, pushkey);
CREATE INDEX refresh_token_device ON refresh_token USING btree (user_id, device_id);
CREATE INDEX room_alias_room ON room_alias USING btree (room_id);
CREATE UNIQUE INDEX state_key_name ON state_key USING btree (room_no, type, state_key);
CREATE INDEX sync_device_list_pos ON sync_device_list USING btree (pos);
CREATE INDEX sync_member_change_user ON sync_member_change USING btree (user_id, pos);
CREATE INDEX sync_member_room ON sync_member USING btree (room_no, membership, pos);
CREATE INDEX sync_receipt_pos ON sync_receipt USING btree (room_no, pos);
CREATE INDEX sync_timeline_thread ON sync_timeline USING btree (room_no, thread, order_no) WHERE (thread <> ''::text);
CREATE INDEX sync_user_pos ON sync_user USING btree (user_id, pos);
CREATE INDEX unread_exception_event ON unread_exception USING btree (room_no, order_no);
