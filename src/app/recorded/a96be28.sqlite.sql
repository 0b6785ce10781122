CREATE TEMPORARY TABLE partition_no AS WITH RECURSIVE p(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM p WHERE n < 63) SELECT n FROM p;
CREATE TABLE access_token ( hash BLOB NOT NULL, user_id TEXT NOT NULL, device_id TEXT NOT NULL, expires_at INTEGER, refresh BLOB, parent BLOB, PRIMARY KEY (hash) ) WITHOUT ROWID, STRICT;
INSERT INTO "access_token" VALUES
(X'AA757392C22E059199D62827BFF3294AAD21EA67D5EFA0A366CBDA5DB1DBBBD6','@bob:old.test','BOB',NULL,NULL,NULL),
(X'E7C7A3EA3040562E2CE6BD56D96E337546DFE00A9C8D1FED2F9B110AAA553A83','@alice:old.test','ALICE',NULL,NULL,NULL);
CREATE TABLE account ( user_id TEXT NOT NULL, password_hash TEXT, is_admin INTEGER NOT NULL, is_guest INTEGER NOT NULL, created_at INTEGER NOT NULL, deactivated_at INTEGER, profile_version INTEGER NOT NULL, PRIMARY KEY (user_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "account" VALUES
('@alice:old.test','$argon2id$v=19$m=8,t=1,p=1$8zRpx/U3tcsZrWI5sH7pdQ$YeY1UbeMtoexQRh5TdxQJ2/rmZqGGdHzve4uOw7BtDc',0,0,1795801753784,NULL,0),
('@bob:old.test','$argon2id$v=19$m=8,t=1,p=1$ijO7RBZ2xPakl0gLzGSlLg$ey7bZeV8o0Gkse+bL3884ArCPvkPaWlJB+AuTLKsZbI',0,0,1795801753825,NULL,0);
CREATE TABLE account_data ( user_id TEXT NOT NULL, room_id TEXT NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (user_id, room_id, type) ) WITHOUT ROWID, STRICT;
INSERT INTO "account_data" VALUES
('@bob:old.test','!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8','m.tag','{"tags":{"m.favourite":{"order":0.5}}}');
CREATE TABLE auth_event ( ref INTEGER PRIMARY KEY, generation INTEGER NOT NULL, parents BLOB NOT NULL ) STRICT;
INSERT INTO "auth_event" VALUES
(4294967297,0,X''),
(4294967298,0,X''),
(4294967299,1,X'02'),
(4294967300,2,X'0302'),
(4294967301,2,X'0302'),
(4294967302,2,X'0302'),
(4294967303,2,X'0302'),
(4294967304,2,X'0302'),
(4294967305,3,X'030205'),
(4294967306,4,X'030905');
CREATE TABLE backup_key ( user_id TEXT NOT NULL, version INTEGER NOT NULL, room_id TEXT NOT NULL, session_id TEXT NOT NULL, first_message_index INTEGER NOT NULL, forwarded_count INTEGER NOT NULL, is_verified INTEGER NOT NULL, session_data TEXT NOT NULL, PRIMARY KEY (user_id, version, room_id, session_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "backup_key" VALUES
('@bob:old.test',1,'!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8','s',0,0,1,'{"a":"b"}');
CREATE TABLE backup_version ( user_id TEXT NOT NULL, version INTEGER NOT NULL, algorithm TEXT NOT NULL, auth_data TEXT NOT NULL, etag INTEGER NOT NULL, key_count INTEGER NOT NULL, deleted INTEGER NOT NULL, PRIMARY KEY (user_id, version) ) WITHOUT ROWID, STRICT;
INSERT INTO "backup_version" VALUES
('@bob:old.test',1,'m.megolm_backup.v1','{"public_key":"p"}',1,1,0);
CREATE TABLE client_filter ( user_id TEXT NOT NULL, filter_id TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (user_id, filter_id) ) WITHOUT ROWID, STRICT;
CREATE TABLE cross_signing_key ( user_id TEXT NOT NULL, usage TEXT NOT NULL, public_key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (user_id, usage) ) WITHOUT ROWID, STRICT;
INSERT INTO "cross_signing_key" VALUES
('@alice:old.test','master','/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE','{"keys":{"ed25519:/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE":"/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE"},"usage":["master"],"user_id":"@alice:old.test"}'),
('@alice:old.test','self_signing','cVbUcy239vO84FhTBYnKjmPygsW/OJweb3ybIoC5YJ4','{"keys":{"ed25519:cVbUcy239vO84FhTBYnKjmPygsW/OJweb3ybIoC5YJ4":"cVbUcy239vO84FhTBYnKjmPygsW/OJweb3ybIoC5YJ4"},"signatures":{"@alice:old.test":{"ed25519:/m/BjjizqcvpcZJQhslta12a6Lypdt8JWpVHqy6hByE":"wdtVLhfugOqt4KFIiNg6nynjs3aOxlQTe7rnTJvEZ3dUpphwx9FErjIb1v5dX9pa+0GWPmdOV0Tb2dG56ILvBA"}},"usage":["self_signing"],"user_id":"@alice:old.test"}'),
('@bob:old.test','master','OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4','{"keys":{"ed25519:OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4":"OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4"},"usage":["master"],"user_id":"@bob:old.test"}'),
('@bob:old.test','self_signing','aN4XhnnjD3M1RCzhl0PtTQgGwaKxd5CBgkgunoJ4vrI','{"keys":{"ed25519:aN4XhnnjD3M1RCzhl0PtTQgGwaKxd5CBgkgunoJ4vrI":"aN4XhnnjD3M1RCzhl0PtTQgGwaKxd5CBgkgunoJ4vrI"},"signatures":{"@bob:old.test":{"ed25519:OT0PUL55AET8nYbw4SelzrR7E5sdOzABDawRITJ6gA4":"qHev0OVZ+OK8+GUGwxFzVaLaLqB5cV/AarVC5UgG2KK1im2iqgd8LuSv/F+/qwVuBsSpC4DYyI4O9MiAWlnZCg"}},"usage":["self_signing"],"user_id":"@bob:old.test"}');
CREATE TABLE cursor ( consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (consumer, topic, partition) ) WITHOUT ROWID, STRICT;
INSERT INTO "cursor" SELECT 'keys','user.out',n,0 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO "cursor" SELECT 'keys','user.out',n,0 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO "cursor" SELECT 'push','notify.out',n,0 FROM partition_no WHERE n BETWEEN 0 AND 13;
INSERT INTO "cursor" SELECT 'push','notify.out',n,0 FROM partition_no WHERE n BETWEEN 15 AND 63;
INSERT INTO "cursor" SELECT 'push','user.out',n,0 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO "cursor" SELECT 'push','user.out',n,0 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO "cursor" SELECT 'sync','room.out',n,0 FROM partition_no WHERE n BETWEEN 0 AND 13;
INSERT INTO "cursor" SELECT 'sync','room.out',n,0 FROM partition_no WHERE n BETWEEN 15 AND 63;
INSERT INTO "cursor" SELECT 'sync','user.out',n,0 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO "cursor" SELECT 'sync','user.out',n,0 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO "cursor" VALUES
('keys','user.out',41,6),
('keys','user.out',42,0),
('keys','user.out',43,4),
('push','notify.out',14,7),
('push','user.out',41,6),
('push','user.out',42,0),
('push','user.out',43,4),
('sync','room.out',14,19),
('sync','user.out',41,6),
('sync','user.out',42,0),
('sync','user.out',43,4);
CREATE TABLE database_identity ( id INTEGER PRIMARY KEY, token TEXT NOT NULL ) STRICT;
INSERT INTO "database_identity" VALUES
(1,'SCLTVkd4G7u8tEgm');
CREATE TABLE device ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, display_name TEXT, last_seen_ip TEXT, last_seen_ts INTEGER, PRIMARY KEY (user_id, device_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "device" VALUES
('@alice:old.test','ALICE',NULL,'127.0.0.1',1795801753809),
('@bob:old.test','BOB',NULL,'127.0.0.1',1795801753855);
CREATE TABLE device_key ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (user_id, device_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "device_key" VALUES
('@alice:old.test','ALICE','{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"ALICE","keys":{"curve25519:ALICE":"59zuPMY9FwugSdosdUpj6lXc3Y028ZxVLLWeDUBjtmA","ed25519:ALICE":"1b9KP8znF7A4i8wnSevBSK2ZabI/Re4bYF/Vh3hXasQ"},"signatures":{"@alice:old.test":{"ed25519:ALICE":"SxfMUKKoHlYxiPA7jL7VahBjGP/PX5kSQgTgSEidX6MVEFUAwstYN5l41f4/Wlj+64gBzuxCLPLrBYdK2kaXCw"}},"user_id":"@alice:old.test"}'),
('@bob:old.test','BOB','{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"BOB","keys":{"curve25519:BOB":"UlefXdQg96t1kNc3oniBtI94U/hETdP1pa+YJbDOf8M","ed25519:BOB":"7MG1hyfz8SsxlIgansud4LKM57IHIw2Okw/hvOdeJWw"},"signatures":{"@bob:old.test":{"ed25519:BOB":"Sv0mHn8YxaHV2obE9pzL5jsIvgZa/5gi2GLZfUoLD9lRKu88L7Yx3cDLQWqpjjak8pEq7DAvJOOD4gzzf/n9DQ"}},"user_id":"@bob:old.test"}');
CREATE TABLE event ( ref INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, room_no INTEGER NOT NULL, depth INTEGER NOT NULL, order_no INTEGER, type TEXT NOT NULL, ts INTEGER NOT NULL, flags INTEGER NOT NULL, replaces INTEGER, txn BLOB, state_before BLOB NOT NULL, state_after BLOB, json BLOB NOT NULL ) STRICT;
INSERT INTO "event" VALUES
(4294967297,'$UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8',1,1,1,'m.room.create',1795801753871,0,NULL,NULL,X'000000000000000000000000000000000000000000000000',X'0100000000000000B52A20556A66BE8A5A73B345111AF7EF',CAST('{"auth_events":[],"content":{"room_version":"12"},"depth":1,"hashes":{"sha256":"MfOrMXk7DiJkIe8qU6rtQgkZ992KUkoqC/PjKQtVavA"},"origin_server_ts":1795801753871,"prev_events":[],"sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"xL0fQcI522S52YP1AtrV3uG2taE6phd8At5X2PZPKZD1wsIhQjft8NzUZeHzi1i2duRAkPBUhguUV6R0hMw5Bg"}},"state_key":"","type":"m.room.create"}' AS BLOB)),
(4294967298,'$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k',1,2,2,'m.room.member',1795801753871,0,NULL,NULL,X'0100000000000000B52A20556A66BE8A5A73B345111AF7EF',X'020000000000000074BCF25114CFBF539FEC9F2B9AF5EF99',CAST('{"auth_events":[],"content":{"displayname":"alice","membership":"join"},"depth":2,"hashes":{"sha256":"2vgHOq1LpPN8wpdY47fZdmUrDyRlEnjsaYPQxG6Ubtc"},"origin_server_ts":1795801753871,"prev_events":["$UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"LbnCrihKJ9Msw0rQSbdxepBEyDS5Vu6cRnikIbpm2GRnB1KoPQ/TLOntel1sq4oW84n5XFM6rTvpPVKcZHcMBg"}},"state_key":"@alice:old.test","type":"m.room.member"}' AS BLOB)),
(4294967299,'$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw',1,3,3,'m.room.power_levels',1795801753871,0,NULL,NULL,X'020000000000000074BCF25114CFBF539FEC9F2B9AF5EF99',X'0300000000000000C64BBD3F8A8BB6EB33671A2CF7EB534A',CAST('{"auth_events":["$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"ban":50,"events":{"m.room.avatar":50,"m.room.canonical_alias":50,"m.room.encryption":100,"m.room.history_visibility":100,"m.room.name":50,"m.room.power_levels":100,"m.room.server_acl":100,"m.room.tombstone":150},"events_default":0,"invite":0,"kick":50,"redact":50,"state_default":50,"users":{},"users_default":0},"depth":3,"hashes":{"sha256":"ERPqGKrBTTnklIITxwBfofGL1z0shPI5KyIGVISYva8"},"origin_server_ts":1795801753871,"prev_events":["$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"lOctBJFRuo0EvVdgbuPDg3G8dmrz3IMEsXiewZaHHqI9rSLFQ6Cqx2Xh8Cy432XYWk7OLq9mxzWUOHZWbhNBCw"}},"state_key":"","type":"m.room.power_levels"}' AS BLOB)),
(4294967300,'$UPD3PW7EMQXtSB6TZ1lilhoVf71N0Em8w_RMbDpl-6U',1,4,4,'m.room.canonical_alias',1795801753871,0,NULL,NULL,X'0300000000000000C64BBD3F8A8BB6EB33671A2CF7EB534A',X'0400000000000000E53BC14F64AEF3A332DC42961F4F33E7',CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"alias":"#room:old.test"},"depth":4,"hashes":{"sha256":"XDQ7dAxGoiY5YlDnYsTzz7u0ZfSPVgOMj0QONyKkQPs"},"origin_server_ts":1795801753871,"prev_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"KlzQDjVFAF275MlZiCVWtyCItFkboKR6LRGcLm3TtEga7z64OkW8TUOAbVXEltV217aVYGSlQmhvcKmFtPSlCQ"}},"state_key":"","type":"m.room.canonical_alias"}' AS BLOB)),
(4294967301,'$SDOFhCpG2xqNqmbIVQgY9J4MG7YC0jQV2BJScY8ud9I',1,5,5,'m.room.join_rules',1795801753871,0,NULL,NULL,X'0400000000000000E53BC14F64AEF3A332DC42961F4F33E7',X'0500000000000000BCBA2FF7C032D76B9E1F5EDEC1A300C2',CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"join_rule":"invite"},"depth":5,"hashes":{"sha256":"WAajQ6AJCqoWY6cxJxf57V5ABoGznezOQuBsrRqvylo"},"origin_server_ts":1795801753871,"prev_events":["$UPD3PW7EMQXtSB6TZ1lilhoVf71N0Em8w_RMbDpl-6U"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"V0w1VqFzxV7sBjQgEZIjUO8OS+WoLBUjJCfIP3wxs0iUdoZu2cB5vMoKcvxbtSb+Je7FPZASQbkjqDW/pMggBA"}},"state_key":"","type":"m.room.join_rules"}' AS BLOB)),
(4294967302,'$8KB37Nx60cC-SiULqwm1fMvOZDTSc4u4vm67OXSwiRs',1,6,6,'m.room.history_visibility',1795801753871,0,NULL,NULL,X'0500000000000000BCBA2FF7C032D76B9E1F5EDEC1A300C2',X'0600000000000000CBF1A990EADF24FCA7E610C1896B482A',CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"history_visibility":"shared"},"depth":6,"hashes":{"sha256":"T4Z4JferiMuTsq5DcdJp2n3GYO5WXzfAGvwRNenet7g"},"origin_server_ts":1795801753871,"prev_events":["$SDOFhCpG2xqNqmbIVQgY9J4MG7YC0jQV2BJScY8ud9I"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"nVZywLxrJJKbjZTdW9AbtwMCtAW2urVFWxJ/HhPvL8Ru8ai9DtVL/JNxepjmHx1BzL7gi5oA4I+2nTcHACtgDQ"}},"state_key":"","type":"m.room.history_visibility"}' AS BLOB)),
(4294967303,'$5iJBz2V5SKv10IW1GzrXivId0z46LDQGEHOCzB_hh1A',1,7,7,'m.room.guest_access',1795801753871,0,NULL,NULL,X'0600000000000000CBF1A990EADF24FCA7E610C1896B482A',X'0700000000000000CA99D890946A05A264B8934EFAE3CB5A',CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"guest_access":"can_join"},"depth":7,"hashes":{"sha256":"GwlK1rR1OfIM2glwDp4rHkZnESSeRuJZjuD1QMy8BhI"},"origin_server_ts":1795801753871,"prev_events":["$8KB37Nx60cC-SiULqwm1fMvOZDTSc4u4vm67OXSwiRs"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"hzvvAaahp0N7o/V9yBrqRg/g9m8g0KPMgeZ5sLRfdLk3yif9SHTysxukiOgaqb8C3lGlrUF4bZp71/TGvcDJCQ"}},"state_key":"","type":"m.room.guest_access"}' AS BLOB)),
(4294967304,'$0iCKu_snDSihy_0ET5Vx3HsOj5yO74fBNiypge0lJaw',1,8,8,'m.room.encryption',1795801753871,0,NULL,NULL,X'0700000000000000CA99D890946A05A264B8934EFAE3CB5A',X'0800000000000000548939D677D76E0D8DB0DA818C7819EB',CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"algorithm":"m.megolm.v1.aes-sha2"},"depth":8,"hashes":{"sha256":"RtLgeD6VmHqnBdqIUcVXOTffLt1QzLdFJYVRiiIc5QI"},"origin_server_ts":1795801753871,"prev_events":["$5iJBz2V5SKv10IW1GzrXivId0z46LDQGEHOCzB_hh1A"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"Pxm4taNVfrfJDJqU1NpzGvpwANY1l8+yGrRa1/tiIl8Or9cijQydzos6/zKf4PYEFZ5xV8KiPfZ5kT4GiB/ECA"}},"state_key":"","type":"m.room.encryption"}' AS BLOB)),
(4294967305,'$HZtJYnIQUM1059U1ysiwjlZkyUVG_uKg5rvp4-RduQI',1,9,9,'m.room.member',1795801753871,0,NULL,NULL,X'0800000000000000548939D677D76E0D8DB0DA818C7819EB',X'09000000000000009F7418EC4A0F2A4876567CE35925F018',CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k","$SDOFhCpG2xqNqmbIVQgY9J4MG7YC0jQV2BJScY8ud9I"],"content":{"displayname":"bob","membership":"invite"},"depth":9,"hashes":{"sha256":"oLaZgaBVgTkIIhpF4g9XEHky3cl+qfjMuD6uMO3SXT4"},"origin_server_ts":1795801753871,"prev_events":["$0iCKu_snDSihy_0ET5Vx3HsOj5yO74fBNiypge0lJaw"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"m597KgXMgYDhY3f/D0c9xHg0Glg5GMcUrDOiGuDqjJv/SzgzyluexKrPlmz+FWakwjfh66iB1RBIXtnTBy0TDQ"}},"state_key":"@bob:old.test","type":"m.room.member"}' AS BLOB)),
(4294967306,'$J7SclZeitBwD9k9_ztYUICn9I1olbLien1_2zX-tTRk',1,10,10,'m.room.member',1795801753877,0,4294967305,NULL,X'09000000000000009F7418EC4A0F2A4876567CE35925F018',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$HZtJYnIQUM1059U1ysiwjlZkyUVG_uKg5rvp4-RduQI","$SDOFhCpG2xqNqmbIVQgY9J4MG7YC0jQV2BJScY8ud9I"],"content":{"displayname":"bob","membership":"join"},"depth":10,"hashes":{"sha256":"Ope5iz+rkVaQhKFIajM/drh6ZIgQxJDivuhwvXmgeno"},"origin_server_ts":1795801753877,"prev_events":["$HZtJYnIQUM1059U1ysiwjlZkyUVG_uKg5rvp4-RduQI"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@bob:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"qjYTd+E+yHyISCVEf39ykXrf8o/W8ICqQ4e2gJpgYmRPhffjUESxp5MQ9SFHnjljyReeCr3ZAIMdCPtWsTeKBA"}},"state_key":"@bob:old.test","type":"m.room.member"}' AS BLOB)),
(4294967307,'$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk',1,11,11,'m.room.encrypted',1795801753899,0,NULL,X'05414C4943450131',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"read","session_id":"s"},"depth":11,"hashes":{"sha256":"Shs2qR3QF/1dfFQtVq7DrM7WcXVu2uZ6NTImhg/KaHA"},"origin_server_ts":1795801753899,"prev_events":["$J7SclZeitBwD9k9_ztYUICn9I1olbLien1_2zX-tTRk"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"1ESpcQ/CmS/R856JNF+gMj8FwOsfIEPy7lwKPgfG3v1s9LCiNpAO822t1lPZwE8AbwjU/6F6S7o+I4AOOEAIAw"}},"type":"m.room.encrypted"}' AS BLOB)),
(4294967308,'$yALX27BB-kYbUMPxTOpZU0MI6reDkrrvifv4eNyWG6w',1,12,12,'m.room.encrypted',1795801753909,0,NULL,X'05414C4943450132',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"not read","session_id":"s"},"depth":12,"hashes":{"sha256":"O/ylzgbT9q3ZFJAbc/3IDRNRrSwonjqVjFhRj4h9WKg"},"origin_server_ts":1795801753909,"prev_events":["$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"00848OIHcnFTCt4E/A5gnpulAgxw+PLcAEbFC/Ui33AIy3cargBGQI1oc+DiQTmcNjHmWl5JyCHLZrS/OrhnBA"}},"type":"m.room.encrypted"}' AS BLOB)),
(4294967309,'$4aaZLH_XmtoY7zh4E9eFCBahFczev9E0J_Vcb08dgrM',1,13,13,'m.room.message',1795801753912,0,NULL,X'05414C4943450133',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"body":"in a thread","m.relates_to":{"event_id":"$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk","rel_type":"m.thread"},"msgtype":"m.text"},"depth":13,"hashes":{"sha256":"XeZly+0gJiuJFAswLxG1DDk/POA36Q/Q3ZLXWZID3fI"},"origin_server_ts":1795801753912,"prev_events":["$yALX27BB-kYbUMPxTOpZU0MI6reDkrrvifv4eNyWG6w"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"k1wtXaqJXb1qV3fmutqRCSFxGTByynW78VkzSPiXDQVihcoJMSNNmG9I4sHUQXydXpqoo4YHPl/EzKHnA4j4Ag"}},"type":"m.room.message"}' AS BLOB)),
(4294967310,'$zZMQMz5jx5Uzaj1L-yDYjN6SYXlTk6gNeBuWIh5_cL0',1,14,14,'m.room.message',1795801753914,0,NULL,X'05414C4943450134',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"body":"taken back","msgtype":"m.text"},"depth":14,"hashes":{"sha256":"4rgpLu+boEa+ehWhJ2Yrnwm0JzwbcGldmstLkO5Vj4I"},"origin_server_ts":1795801753914,"prev_events":["$4aaZLH_XmtoY7zh4E9eFCBahFczev9E0J_Vcb08dgrM"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"W29PZWyWIcLc7MgDfH1t2b4u+nZRqtQjJ+nJegLsDTpQUWXK1400e7pkw3tZ+OP0D+z2YqzMAM2IATsaXQO6Bw"}},"type":"m.room.message"}' AS BLOB)),
(4294967311,'$lrFB-WEnqdcNod2kqU0Hw2CVcLZSH8jB9JngUf10DTQ',1,15,15,'m.room.redaction',1795801753917,0,NULL,X'05414C4943450172',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"redacts":"$zZMQMz5jx5Uzaj1L-yDYjN6SYXlTk6gNeBuWIh5_cL0"},"depth":15,"hashes":{"sha256":"bhZrwnbuxSQHf1hIpRHKzyHjM2gHf2f+Odl5wCLmvvk"},"origin_server_ts":1795801753917,"prev_events":["$zZMQMz5jx5Uzaj1L-yDYjN6SYXlTk6gNeBuWIh5_cL0"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"bjkSzxP4inhPLQKJHfmWnnHUsJ5oUkTCGVSk1iGkZHhbLGsoCry5eZ41foCj8+P9266pmolWyy810OiDPNY6Aw"}},"type":"m.room.redaction"}' AS BLOB)),
(4294967312,'$yIq9UQSOs6Nfke4xe9H6WCwCSPeYSE4_CDxENJmgJgA',1,16,16,'m.reaction',1795801753919,0,NULL,X'05414C4943450135',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"m.relates_to":{"event_id":"$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk","key":"+","rel_type":"m.annotation"}},"depth":16,"hashes":{"sha256":"gDgSrPe8x/61WAAmF90WFGurZXKFjeKG3cGwVVDMmJs"},"origin_server_ts":1795801753919,"prev_events":["$lrFB-WEnqdcNod2kqU0Hw2CVcLZSH8jB9JngUf10DTQ"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"rHzW71V6SS0Owr7ccl5+W6+9bxqYzUyyJj2Wnlpk1ZBL5oyu/NFBFShWY08LtYuDP18KMTqy1hPCUd5GhG2SBg"}},"type":"m.reaction"}' AS BLOB)),
(4294967313,'$nzaKu75Tuo-4aCiPMImXiIORGvyZ1s-atwsELnYH55g',1,17,17,'m.room.message',1795801753928,0,NULL,X'05414C4943450136',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"body":"muted","msgtype":"m.text"},"depth":17,"hashes":{"sha256":"GElL87L5bcycJ+aGXuBkkhPLvvyJ5z0AzbNk2wyGQGY"},"origin_server_ts":1795801753928,"prev_events":["$yIq9UQSOs6Nfke4xe9H6WCwCSPeYSE4_CDxENJmgJgA"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"I5MMHDc+ZFpckntSIFEj8qOLhbAH64eYlfELPPTArNhPD4lmWAYEHIYPUmekv86V4/X4ObseZSIu72lZ6F+dBg"}},"type":"m.room.message"}' AS BLOB)),
(4294967314,'$bePkPZYb3a5j7rwOIIEebDYO7NS34ne6aACGFb6Gswk',1,18,18,'m.room.message',1795801753930,0,NULL,X'05414C4943450137',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"body":"muted but urgent","msgtype":"m.text"},"depth":18,"hashes":{"sha256":"4gA4Sl1twoI39M8xoE1xEnTsfBn7uC+DgMTE/KmctgU"},"origin_server_ts":1795801753930,"prev_events":["$nzaKu75Tuo-4aCiPMImXiIORGvyZ1s-atwsELnYH55g"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"7c9isy6zc13/8GUrXzTKqNjqqVsFuLE7SHwagpXyQRzDok93IEOLa+AuJlxmw1jK5ZESks+R6ZQIgVl3gFNGCg"}},"type":"m.room.message"}' AS BLOB)),
(4294967315,'$qAUTwcN0ALXSZwrjsS9hhIYIheQpRipD6Z3uIDsE0mY',1,19,19,'m.room.message',1795801762172,0,NULL,X'05414C4943450138',X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',NULL,CAST('{"auth_events":["$ny0qPO2y3YVjzegQzdt8rrH7EfJ_M_2csHmObDNO0xw","$2Spn2IR3pzzKYcqHiEh8qbA8JI7lfxhgGh3BQgPj10k"],"content":{"body":"urgent and last","msgtype":"m.text"},"depth":19,"hashes":{"sha256":"zERH8bYNKq3bGxQbQ2AArMK0FunjhOlwaNY9GnJanYI"},"origin_server_ts":1795801762172,"prev_events":["$bePkPZYb3a5j7rwOIIEebDYO7NS34ne6aACGFb6Gswk"],"room_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","sender":"@alice:old.test","signatures":{"old.test":{"ed25519:a_4VsuZR":"w9bNci3FOKfKhUwo1ZaW7PEsEGIHmPoArdVzFMwaYEtA+yLfsVZLaGI9EdktodmZI3SburogXQBCmOaen82QAg"}},"type":"m.room.message"}' AS BLOB));
CREATE TABLE fallback_key ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, algorithm TEXT NOT NULL, key_id TEXT NOT NULL, body TEXT NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (user_id, device_id, algorithm) ) WITHOUT ROWID, STRICT;
INSERT INTO "fallback_key" VALUES
('@alice:old.test','ALICE','signed_curve25519','F','{"fallback":true,"key":"9nqxCtTkxTEhtqX+TanBDd7pBbl403iNJyPXv6y+KKk","signatures":{"@alice:old.test":{"ed25519:ALICE":"S6pWfUSL9Aqbd2YiFCydfEYqBYQumbTVtMSaeA0TQT9YpqnnHAgbqh0dQCIhhRio++CmowiWcdCqiZYhDyGACg"}}}',0),
('@bob:old.test','BOB','signed_curve25519','F','{"fallback":true,"key":"9nqxCtTkxTEhtqX+TanBDd7pBbl403iNJyPXv6y+KKk","signatures":{"@bob:old.test":{"ed25519:BOB":"twGx9k6UHbkIMaKXyavAkHDDPJl2sSCfJvf6WJgYWRKgCeWOy5eHR4/NLu0VbLqIUZEvuSMXI78SL+CSY706Bw"}}}',0);
CREATE TABLE key_history ( id INTEGER PRIMARY KEY, history TEXT NOT NULL ) STRICT;
INSERT INTO "key_history" VALUES
(1,'SCLTVkd4G7u8tEgm');
CREATE TABLE key_signature ( target_user TEXT NOT NULL, target_key TEXT NOT NULL, signer_user TEXT NOT NULL, signer_key TEXT NOT NULL, signature TEXT NOT NULL, PRIMARY KEY (target_user, target_key, signer_user, signer_key) ) WITHOUT ROWID, STRICT;
CREATE TABLE key_user ( user_id TEXT NOT NULL, next_seq INTEGER NOT NULL, PRIMARY KEY (user_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "key_user" VALUES
('@alice:old.test',2),
('@bob:old.test',2);
CREATE TABLE lease ( topic TEXT NOT NULL, partition INTEGER NOT NULL, holder TEXT NOT NULL, epoch INTEGER NOT NULL, taken_at INTEGER NOT NULL, PRIMARY KEY (topic, partition) ) WITHOUT ROWID, STRICT;
INSERT INTO "lease" SELECT 'room.out',n,'FcmVEDInZyc5',2,1795801762163 FROM partition_no WHERE n BETWEEN 0 AND 63;
CREATE TABLE member ( user_id TEXT NOT NULL, room_no INTEGER NOT NULL, membership INTEGER NOT NULL, ref INTEGER NOT NULL, forgotten INTEGER NOT NULL, PRIMARY KEY (user_id, room_no) ) WITHOUT ROWID, STRICT;
INSERT INTO "member" VALUES
('@alice:old.test',1,2,4294967298,0),
('@bob:old.test',1,2,4294967306,0);
CREATE TABLE one_time_key ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, algorithm TEXT NOT NULL, seq INTEGER NOT NULL, key_id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (user_id, device_id, algorithm, seq) ) WITHOUT ROWID, STRICT;
INSERT INTO "one_time_key" VALUES
('@alice:old.test','ALICE','signed_curve25519',0,'A','{"key":"VZrq0IJk1XldOQlxjN0Fq9SVcuhP5VWQ7vMaiKCP3/0","signatures":{"@alice:old.test":{"ed25519:ALICE":"MOQsZwTbOVdWcNtP0tJbKy1yXce+SALoo8l1Yt9pf30WQ7lByoy0ZhMQibw6Xm65BNb/+jptDWHZNGeKeGN+Dw"}}}'),
('@alice:old.test','ALICE','signed_curve25519',1,'B','{"key":"335w5QIVRPSDS77mSp43if68S+gUcN9inK1t2wMyClw","signatures":{"@alice:old.test":{"ed25519:ALICE":"2x7/xDOwRVRUKvcG3AkKTZYZj2oc+bAsQ+sx4UlEoubCSaynlwzZ+WZDpcSK7e40LKJX4MmwoO9y56wGPRn7Cg"}}}'),
('@bob:old.test','BOB','signed_curve25519',0,'A','{"key":"VZrq0IJk1XldOQlxjN0Fq9SVcuhP5VWQ7vMaiKCP3/0","signatures":{"@bob:old.test":{"ed25519:BOB":"skku0DDCRmkUduVURk6YvQpcMClg6uP2rYIEZ5UNQY7S4v+B3ARf+0aaj8eVJmEy9BcKltWEalohgneR+bmzCQ"}}}'),
('@bob:old.test','BOB','signed_curve25519',1,'B','{"key":"335w5QIVRPSDS77mSp43if68S+gUcN9inK1t2wMyClw","signatures":{"@bob:old.test":{"ed25519:BOB":"Sd1qnMYeCnR+xMPH0e7kRcnw9Oy6Ik9peSd8ry0Zj1KbPicxyqOI9v6Sl6I9dR/uZlpkc9F01CNtIt21ApaiDA"}}}');
CREATE TABLE one_time_key_claimed ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, algorithm TEXT NOT NULL, key_id TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (user_id, device_id, algorithm, key_id) ) WITHOUT ROWID, STRICT;
CREATE TABLE outbox ( topic TEXT NOT NULL, partition INTEGER NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (topic, partition, seq) ) WITHOUT ROWID, STRICT;
INSERT INTO "outbox" VALUES
('room.out',14,20,X'01012C21557175494141773563324E634B464F6531574D513346586D525659574C71525537314C474B7A6F7A6B6B3893808080102626180A00000000000000BAADD0F0E871C4244477E88D21A87705180A00000000000000BAADD0F0E871C4244477E88D21A877050F40616C6963653A6F6C642E746573740E6D2E726F6F6D2E6D6573736167650405414C4943454073656E642F21557175494141773563324E634B464F6531574D513346586D525659574C71525537314C474B7A6F7A6B6B382F6D2E726F6F6D2E6D65737361676501380000');
CREATE TABLE outbox_head ( topic TEXT NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, next_seq INTEGER NOT NULL, PRIMARY KEY (topic, partition) ) WITHOUT ROWID, STRICT;
INSERT INTO "outbox_head" SELECT 'notify.out',n,0,1 FROM partition_no WHERE n BETWEEN 0 AND 13;
INSERT INTO "outbox_head" SELECT 'notify.out',n,0,1 FROM partition_no WHERE n BETWEEN 15 AND 63;
INSERT INTO "outbox_head" SELECT 'room.out',n,2,1 FROM partition_no WHERE n BETWEEN 0 AND 13;
INSERT INTO "outbox_head" SELECT 'room.out',n,2,1 FROM partition_no WHERE n BETWEEN 15 AND 63;
INSERT INTO "outbox_head" SELECT 'user.out',n,0,1 FROM partition_no WHERE n BETWEEN 0 AND 40;
INSERT INTO "outbox_head" SELECT 'user.out',n,0,1 FROM partition_no WHERE n BETWEEN 44 AND 63;
INSERT INTO "outbox_head" VALUES
('notify.out',14,0,8),
('room.out',14,2,21),
('user.out',41,0,7),
('user.out',42,0,1),
('user.out',43,0,5);
CREATE TABLE parked ( consumer TEXT NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (consumer, key, id) ) WITHOUT ROWID, STRICT;
CREATE TABLE presence_receipt ( room_no INTEGER NOT NULL, user_id TEXT NOT NULL, type TEXT NOT NULL, thread TEXT NOT NULL, order_no INTEGER NOT NULL, event_id TEXT NOT NULL, PRIMARY KEY (room_no, user_id, type, thread) ) WITHOUT ROWID, STRICT;
INSERT INTO "presence_receipt" VALUES
(1,'@bob:old.test','m.read','main',11,'$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk');
CREATE TABLE profile ( user_id TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (user_id, field) ) WITHOUT ROWID, STRICT;
INSERT INTO "profile" VALUES
('@alice:old.test','displayname','"alice"'),
('@bob:old.test','displayname','"bob"');
CREATE TABLE published_room ( room_id TEXT NOT NULL, PRIMARY KEY (room_id) ) WITHOUT ROWID, STRICT;
CREATE TABLE push_rules ( user_id TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (user_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "push_rules" VALUES
('@bob:old.test','{"global":{"override":[{"rule_id":".m.rule.master","default":true,"enabled":false,"conditions":[],"actions":[]},{"rule_id":".m.rule.suppress_notices","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"content.msgtype","pattern":"m.notice"}],"actions":[]},{"rule_id":".m.rule.invite_for_me","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.member"},{"kind":"event_match","key":"content.membership","pattern":"invite"},{"kind":"event_match","key":"state_key","pattern":"@bob:old.test"}],"actions":["notify",{"set_tweak":"sound","value":"default"}]},{"rule_id":".m.rule.member_event","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.member"}],"actions":[]},{"rule_id":".m.rule.is_user_mention","default":true,"enabled":true,"conditions":[{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"@bob:old.test"}],"actions":["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]},{"rule_id":".m.rule.is_room_mention","default":true,"enabled":true,"conditions":[{"kind":"event_property_is","key":"content.m\\.mentions.room","value":true},{"kind":"sender_notification_permission","key":"room"}],"actions":["notify",{"set_tweak":"highlight"}]},{"rule_id":".m.rule.tombstone","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.tombstone"},{"kind":"event_match","key":"state_key","pattern":""}],"actions":["notify",{"set_tweak":"highlight"}]},{"rule_id":".m.rule.reaction","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.reaction"}],"actions":[]},{"rule_id":".m.rule.room.server_acl","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.server_acl"},{"kind":"event_match","key":"state_key","pattern":""}],"actions":[]},{"rule_id":".m.rule.suppress_edits","default":true,"enabled":true,"conditions":[{"kind":"event_property_is","key":"content.m\\.relates_to.rel_type","value":"m.replace"}],"actions":[]}],"content":[{"rule_id":"urgent","default":false,"enabled":true,"actions":["notify",{"set_tweak":"highlight"}],"pattern":"urgent"}],"room":[{"rule_id":"!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8","default":false,"enabled":true,"actions":[]}],"sender":[],"underride":[{"rule_id":".m.rule.call","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.call.invite"}],"actions":["notify",{"set_tweak":"sound","value":"ring"}]},{"rule_id":".m.rule.encrypted_room_one_to_one","default":true,"enabled":true,"conditions":[{"kind":"room_member_count","is":"2"},{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}],"actions":["notify",{"set_tweak":"sound","value":"default"}]},{"rule_id":".m.rule.room_one_to_one","default":true,"enabled":true,"conditions":[{"kind":"room_member_count","is":"2"},{"kind":"event_match","key":"type","pattern":"m.room.message"}],"actions":["notify",{"set_tweak":"sound","value":"default"}]},{"rule_id":".m.rule.message","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.message"}],"actions":["notify"]},{"rule_id":".m.rule.encrypted","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}],"actions":["notify"]}]}}');
CREATE TABLE pusher ( user_id TEXT NOT NULL, app_id TEXT NOT NULL, pushkey TEXT NOT NULL, device_id TEXT NOT NULL, app_display_name TEXT NOT NULL, device_display_name TEXT NOT NULL, profile_tag TEXT, lang TEXT NOT NULL, data TEXT NOT NULL, ts INTEGER NOT NULL, badge INTEGER NOT NULL, PRIMARY KEY (user_id, app_id, pushkey) ) WITHOUT ROWID, STRICT;
INSERT INTO "pusher" VALUES
('@bob:old.test','app','key','BOB','app','bob''s',NULL,'en','{"url":"https://push.old.test/_matrix/push/v1/notify","format":"event_id_only"}',1795801753894,-1);
CREATE TABLE redaction ( target INTEGER PRIMARY KEY, ref INTEGER NOT NULL ) STRICT;
INSERT INTO "redaction" VALUES
(4294967310,4294967311);
CREATE TABLE redaction_waiting ( room_no INTEGER NOT NULL, target_id TEXT NOT NULL, ref INTEGER NOT NULL, PRIMARY KEY (room_no, target_id, ref) ) WITHOUT ROWID, STRICT;
CREATE TABLE refresh_token ( hash BLOB NOT NULL, user_id TEXT NOT NULL, device_id TEXT NOT NULL, parent BLOB, revoked_at INTEGER, PRIMARY KEY (hash) ) WITHOUT ROWID, STRICT;
CREATE TABLE registration_token ( token TEXT NOT NULL, uses_left INTEGER, created_at INTEGER NOT NULL, PRIMARY KEY (token) ) WITHOUT ROWID, STRICT;
CREATE TABLE relation ( room_no INTEGER NOT NULL, parent_id TEXT NOT NULL, rel_type TEXT NOT NULL, ref INTEGER NOT NULL, sender TEXT NOT NULL, type TEXT NOT NULL, PRIMARY KEY (room_no, parent_id, rel_type, ref) ) WITHOUT ROWID, STRICT;
INSERT INTO "relation" VALUES
(1,'$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk','m.annotation',4294967312,'@alice:old.test','m.reaction'),
(1,'$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk','m.thread',4294967309,'@alice:old.test','m.room.message');
CREATE TABLE room ( room_no INTEGER PRIMARY KEY, room_id TEXT NOT NULL UNIQUE, version TEXT NOT NULL, version_no INTEGER NOT NULL, head BLOB NOT NULL ) STRICT;
INSERT INTO "room" VALUES
(1,'!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8','12',2610946051898503330,X'14090B1413180A00000000000000BAADD0F0E871C4244477E88D21A877050113132C247141555477634E30414C58535A77726A73533968684959496865517052697044365A337549447345306D590000');
CREATE TABLE room_alias ( alias TEXT NOT NULL, room_id TEXT, creator TEXT NOT NULL, reserved_until INTEGER, PRIMARY KEY (alias) ) WITHOUT ROWID, STRICT;
INSERT INTO "room_alias" VALUES
('#room:old.test','!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8','@alice:old.test',NULL);
CREATE TABLE room_number ( id INTEGER PRIMARY KEY, next INTEGER NOT NULL ) STRICT;
INSERT INTO "room_number" VALUES
(1,257);
CREATE TABLE room_secret ( id INTEGER PRIMARY KEY, fingerprint_key BLOB NOT NULL ) STRICT;
INSERT INTO "room_secret" VALUES
(1,X'DCE79AE47366649733326109FB0F1E764F9F587190081FD934C751B93D4DAF25');
CREATE TABLE schema_version (component TEXT NOT NULL, version INTEGER NOT NULL, applied_at INTEGER NOT NULL, PRIMARY KEY (component, version)) WITHOUT ROWID, STRICT;
INSERT INTO "schema_version" VALUES
('accounts',1,1795801753738),
('db',1,1795801753736),
('directory',1,1795801753740),
('keys',1,1795801753741),
('keys',2,1795801753743),
('lease',1,1795801753736),
('presence',1,1795801753744),
('push',1,1795801753746),
('rooms',1,1795801753746),
('sync',1,1795801753749),
('work',1,1795801753737);
CREATE TABLE spent_nonce ( nonce TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (nonce) ) WITHOUT ROWID, STRICT;
CREATE TABLE state_key ( room_no INTEGER NOT NULL, key_no INTEGER NOT NULL, type TEXT NOT NULL, state_key TEXT NOT NULL, PRIMARY KEY (room_no, key_no) ) WITHOUT ROWID, STRICT;
INSERT INTO "state_key" VALUES
(1,3,'m.room.canonical_alias',''),
(1,0,'m.room.create',''),
(1,7,'m.room.encryption',''),
(1,6,'m.room.guest_access',''),
(1,5,'m.room.history_visibility',''),
(1,4,'m.room.join_rules',''),
(1,1,'m.room.member','@alice:old.test'),
(1,8,'m.room.member','@bob:old.test'),
(1,2,'m.room.power_levels','');
CREATE TABLE state_page ( room_no INTEGER NOT NULL, page_no INTEGER NOT NULL, nodes BLOB NOT NULL, PRIMARY KEY (room_no, page_no) ) WITHOUT ROWID, STRICT;
INSERT INTO "state_page" VALUES
(1,1,X'2734747401010001000100'),
(1,2,X'5BEDA5770101000300010001'),
(1,3,X'B1F8BAF9010100070001000102'),
(1,4,X'E7CA7FE60101000F000100010203'),
(1,5,X'C08303410101001F00010001020304'),
(1,6,X'4725AF5D0101003F0001000102030405'),
(1,7,X'060BDB830101007F000100010203040506'),
(1,8,X'7A129F10010100FF00010001020304050607'),
(1,9,X'9F5384EC010100FF0101000102030405060708'),
(1,10,X'44734ED0010100FF0101000102030405060709');
CREATE TABLE sync_device_list ( user_id TEXT PRIMARY KEY, pos INTEGER NOT NULL ) WITHOUT ROWID, STRICT;
INSERT INTO "sync_device_list" VALUES
('@alice:old.test',1795801753751003),
('@bob:old.test',1795801753751006);
CREATE TABLE sync_head ( id INTEGER PRIMARY KEY, pos INTEGER NOT NULL ) STRICT;
INSERT INTO "sync_head" VALUES
(1,1795801762144000);
CREATE TABLE sync_member ( user_id TEXT NOT NULL, room_no INTEGER NOT NULL, membership INTEGER NOT NULL, ref INTEGER NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (user_id, room_no) ) WITHOUT ROWID, STRICT;
INSERT INTO "sync_member" VALUES
('@alice:old.test',1,2,4294967298,1795801753751008),
('@bob:old.test',1,2,4294967306,1795801753751016);
CREATE TABLE sync_member_change ( room_no INTEGER NOT NULL, pos INTEGER NOT NULL, user_id TEXT NOT NULL, before INTEGER, after INTEGER NOT NULL, ref INTEGER NOT NULL, PRIMARY KEY (room_no, pos, user_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "sync_member_change" VALUES
(1,1795801753751008,'@alice:old.test',NULL,2,4294967298),
(1,1795801753751015,'@bob:old.test',NULL,1,4294967305),
(1,1795801753751016,'@bob:old.test',1,2,4294967306);
CREATE TABLE sync_receipt ( room_no INTEGER NOT NULL, user_id TEXT NOT NULL, type TEXT NOT NULL, thread TEXT NOT NULL, event_id TEXT NOT NULL, ts INTEGER NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (room_no, user_id, type, thread) ) WITHOUT ROWID, STRICT;
INSERT INTO "sync_receipt" VALUES
(1,'@bob:old.test','m.read','main','$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk',1795801753905,1795801753751020);
CREATE TABLE sync_room ( room_no INTEGER PRIMARY KEY, room_id TEXT NOT NULL, last_pos INTEGER NOT NULL, last_order INTEGER NOT NULL, top_depth INTEGER NOT NULL, notify INTEGER NOT NULL, highlight INTEGER NOT NULL, root_after BLOB NOT NULL ) STRICT;
INSERT INTO "sync_room" VALUES
(1,'!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8',1795801753751028,18,18,5,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705');
CREATE TABLE sync_thread ( room_no INTEGER NOT NULL, thread TEXT NOT NULL, notify INTEGER NOT NULL, highlight INTEGER NOT NULL, last_order INTEGER NOT NULL, PRIMARY KEY (room_no, thread) ) WITHOUT ROWID, STRICT;
INSERT INTO "sync_thread" VALUES
(1,'$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk',1,0,13);
CREATE TABLE sync_timeline ( room_no INTEGER NOT NULL, pos INTEGER NOT NULL, ref INTEGER NOT NULL, order_no INTEGER NOT NULL, depth INTEGER NOT NULL, thread TEXT NOT NULL, notify INTEGER NOT NULL, highlight INTEGER NOT NULL, root_after BLOB NOT NULL, on_fork INTEGER NOT NULL, PRIMARY KEY (room_no, pos) ) WITHOUT ROWID, STRICT;
INSERT INTO "sync_timeline" VALUES
(1,1795801753751007,4294967297,1,1,'',0,0,X'0100000000000000B52A20556A66BE8A5A73B345111AF7EF',0),
(1,1795801753751008,4294967298,2,2,'',0,0,X'020000000000000074BCF25114CFBF539FEC9F2B9AF5EF99',0),
(1,1795801753751009,4294967299,3,3,'',0,0,X'0300000000000000C64BBD3F8A8BB6EB33671A2CF7EB534A',0),
(1,1795801753751010,4294967300,4,4,'',0,0,X'0400000000000000E53BC14F64AEF3A332DC42961F4F33E7',0),
(1,1795801753751011,4294967301,5,5,'',0,0,X'0500000000000000BCBA2FF7C032D76B9E1F5EDEC1A300C2',0),
(1,1795801753751012,4294967302,6,6,'',0,0,X'0600000000000000CBF1A990EADF24FCA7E610C1896B482A',0),
(1,1795801753751013,4294967303,7,7,'',0,0,X'0700000000000000CA99D890946A05A264B8934EFAE3CB5A',0),
(1,1795801753751014,4294967304,8,8,'',0,0,X'0800000000000000548939D677D76E0D8DB0DA818C7819EB',0),
(1,1795801753751015,4294967305,9,9,'',0,0,X'09000000000000009F7418EC4A0F2A4876567CE35925F018',0),
(1,1795801753751016,4294967306,10,10,'',0,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751019,4294967307,11,11,'',1,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751021,4294967308,12,12,'',2,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751022,4294967309,13,13,'$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk',1,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751023,4294967310,14,14,'',3,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751024,4294967311,15,15,'',3,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751025,4294967312,16,16,'',3,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751027,4294967313,17,17,'',4,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0),
(1,1795801753751028,4294967314,18,18,'',5,0,X'0A00000000000000BAADD0F0E871C4244477E88D21A87705',0);
CREATE TABLE sync_user ( user_id TEXT NOT NULL, kind INTEGER NOT NULL, room TEXT NOT NULL, what TEXT NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (user_id, kind, room, what) ) WITHOUT ROWID, STRICT;
INSERT INTO "sync_user" VALUES
('@alice:old.test',2,'','ALICE',1795801753751002),
('@bob:old.test',2,'','BOB',1795801753751005),
('@bob:old.test',1,'!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8','m.tag',1795801753751017),
('@bob:old.test',1,'','m.push_rules',1795801753751026);
CREATE TABLE to_device ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, pos INTEGER NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (user_id, device_id, pos, seq) ) WITHOUT ROWID, STRICT;
INSERT INTO "to_device" VALUES
('@bob:old.test','BOB',1795801753751029,0,'{"sender":"@alice:old.test","type":"m.secret.request","content":{"name":"waiting"}}');
CREATE TABLE to_device_txn ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, type TEXT NOT NULL, txn_id TEXT NOT NULL, PRIMARY KEY (user_id, device_id, type, txn_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "to_device_txn" VALUES
('@alice:old.test','ALICE','m.secret.request','t');
CREATE TABLE txn ( user_id TEXT NOT NULL, device_id TEXT NOT NULL, path TEXT NOT NULL, txn_id TEXT NOT NULL, event_id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (user_id, device_id, path, txn_id) ) WITHOUT ROWID, STRICT;
INSERT INTO "txn" VALUES
('@alice:old.test','ALICE','redact/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/$zZMQMz5jx5Uzaj1L-yDYjN6SYXlTk6gNeBuWIh5_cL0','r','$lrFB-WEnqdcNod2kqU0Hw2CVcLZSH8jB9JngUf10DTQ',1795801753917),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.reaction','5','$yIq9UQSOs6Nfke4xe9H6WCwCSPeYSE4_CDxENJmgJgA',1795801753919),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.room.encrypted','1','$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk',1795801753899),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.room.encrypted','2','$yALX27BB-kYbUMPxTOpZU0MI6reDkrrvifv4eNyWG6w',1795801753909),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.room.message','3','$4aaZLH_XmtoY7zh4E9eFCBahFczev9E0J_Vcb08dgrM',1795801753912),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.room.message','4','$zZMQMz5jx5Uzaj1L-yDYjN6SYXlTk6gNeBuWIh5_cL0',1795801753914),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.room.message','6','$nzaKu75Tuo-4aCiPMImXiIORGvyZ1s-atwsELnYH55g',1795801753928),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.room.message','7','$bePkPZYb3a5j7rwOIIEebDYO7NS34ne6aACGFb6Gswk',1795801753930),
('@alice:old.test','ALICE','send/!UquIAAw5c2NcKFOe1WMQ3FXmRVYWLqRU71LGKzozkk8/m.room.message','8','$qAUTwcN0ALXSZwrjsS9hhIYIheQpRipD6Z3uIDsE0mY',1795801762172);
CREATE TABLE uia_session ( session_id TEXT NOT NULL, endpoint TEXT NOT NULL, user_id TEXT NOT NULL, completed TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (session_id) ) WITHOUT ROWID, STRICT;
CREATE TABLE unread ( user_id TEXT NOT NULL, room_no INTEGER NOT NULL, thread TEXT NOT NULL, read_order INTEGER NOT NULL, notify_base INTEGER NOT NULL, highlight_base INTEGER NOT NULL, PRIMARY KEY (user_id, room_no, thread) ) WITHOUT ROWID, STRICT;
INSERT INTO "unread" VALUES
('@alice:old.test',1,'',18,5,0),
('@alice:old.test',1,'$Smg6mbfkggWxaAPXr5w6xlF0JrjK6v4edVsBBhbbCAk',13,1,0),
('@alice:old.test',1,'*',2,0,0),
('@bob:old.test',1,'',11,1,0),
('@bob:old.test',1,'*',10,0,0);
CREATE TABLE unread_class ( user_id TEXT NOT NULL, room_no INTEGER NOT NULL, from_order INTEGER NOT NULL, class INTEGER NOT NULL, PRIMARY KEY (user_id, room_no, from_order) ) WITHOUT ROWID, STRICT;
INSERT INTO "unread_class" VALUES
('@bob:old.test',1,16,1);
CREATE TABLE unread_exception ( user_id TEXT NOT NULL, room_no INTEGER NOT NULL, order_no INTEGER NOT NULL, thread TEXT NOT NULL, notify INTEGER NOT NULL, highlight INTEGER NOT NULL, room_notify INTEGER NOT NULL, room_highlight INTEGER NOT NULL, PRIMARY KEY (user_id, room_no, order_no) ) WITHOUT ROWID, STRICT;
INSERT INTO "unread_exception" VALUES
('@bob:old.test',1,18,'',1,1,1,0);
CREATE TABLE unread_redacted ( room_no INTEGER NOT NULL, order_no INTEGER NOT NULL, thread TEXT NOT NULL, notify INTEGER NOT NULL, highlight INTEGER NOT NULL, PRIMARY KEY (room_no, order_no) ) WITHOUT ROWID, STRICT;
INSERT INTO "unread_redacted" VALUES
(1,14,'',1,0);
CREATE TABLE work ( queue TEXT NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL, holder TEXT NOT NULL, lease_until INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (queue, key, id) ) WITHOUT ROWID, STRICT;
INSERT INTO "work" VALUES
('push','["@bob:old.test","app","key"]',1,1795801769729,4,'Couldn''t resolve host name','',0,'{"event":4294967307,"tweaks":{"sound":"default"},"at":1795801753914}'),
('push','["@bob:old.test","app","key"]',2,1795801753917,0,'','',0,'{"event":0,"tweaks":{},"at":1795801753917}'),
('push','["@bob:old.test","app","key"]',3,1795801753917,0,'','',0,'{"event":4294967308,"tweaks":{"sound":"default"},"at":1795801753917}'),
('push','["@bob:old.test","app","key"]',4,1795801753921,0,'','',0,'{"event":4294967309,"tweaks":{"sound":"default"},"at":1795801753921}'),
('push','["@bob:old.test","app","key"]',5,1795801753942,0,'','',0,'{"event":4294967314,"tweaks":{"highlight":true},"at":1795801753942}');
CREATE INDEX access_token_device ON access_token (user_id, device_id);
CREATE INDEX refresh_token_device ON refresh_token (user_id, device_id);
CREATE INDEX room_alias_room ON room_alias (room_id);
CREATE UNIQUE INDEX one_time_key_id ON one_time_key (user_id, device_id, algorithm, key_id);
CREATE INDEX key_signature_signer ON key_signature (signer_user, signer_key);
CREATE INDEX pusher_key ON pusher (app_id, pushkey);
CREATE INDEX event_place ON event (room_no, depth, order_no);
CREATE UNIQUE INDEX state_key_name ON state_key (room_no, type, state_key);
CREATE INDEX member_room ON member (room_no, membership);
CREATE INDEX sync_timeline_thread ON sync_timeline (room_no, thread, order_no) WHERE thread <> '';
CREATE INDEX sync_member_room ON sync_member (room_no, membership, pos);
CREATE INDEX sync_member_change_user ON sync_member_change (user_id, pos);
CREATE INDEX unread_exception_event ON unread_exception (room_no, order_no);
CREATE INDEX sync_receipt_pos ON sync_receipt (room_no, pos);
CREATE INDEX sync_device_list_pos ON sync_device_list (pos);
CREATE INDEX sync_user_pos ON sync_user (user_id, pos);
