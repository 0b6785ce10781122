"""Server-side backups of room keys."""

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
AUTH_DATA = {"public_key": "abc", "signatures": {}}
ROOM, OTHER = "!room:localhost", "!other:localhost"
VERSION, ONE_VERSION = "/room_keys/version", "/room_keys/version/{version}"
ALL, IN_ROOM, ONE = "/room_keys/keys", "/room_keys/keys/{roomId}", "/room_keys/keys/{roomId}/{sessionId}"


def key(index=5, forwarded=0, verified=False, data="x"):
    return {"first_message_index": index, "forwarded_count": forwarded, "is_verified": verified,
            "session_data": {"ephemeral": data, "ciphertext": "c", "mac": "m"}}


def backup_versions(w):
    alice, bob = w.user("alice"), w.user("bob")
    alice.get(VERSION, want=(404, "M_NOT_FOUND"))
    body = {"algorithm": ALGORITHM, "auth_data": AUTH_DATA}
    first = alice.post(VERSION, body=body, has=("version",))["version"]
    now = alice.get(VERSION, has=("algorithm", "auth_data", "count", "etag", "version"))
    w.check(now["version"] == first and now["count"] == 0 and now["auth_data"] == AUTH_DATA, f"version: {now}")
    changed = {**body, "auth_data": {**AUTH_DATA, "public_key": "def"}}
    alice.put(ONE_VERSION, first, body=changed)
    alice.put(ONE_VERSION, first, body={**changed, "version": first})
    w.check(alice.get(ONE_VERSION, first)["auth_data"]["public_key"] == "def", "auth_data is changed")
    alice.put(ONE_VERSION, first, body={**changed, "version": "99"}, want=(400, "M_INVALID_PARAM"))
    alice.put(ONE_VERSION, first, body={**changed, "algorithm": "other"}, want=(400, "M_INVALID_PARAM"))
    alice.put(ONE_VERSION, "99", body=changed, want=(404, "M_NOT_FOUND"))
    bob.get(ONE_VERSION, first, want=(404, "M_NOT_FOUND"))
    second = alice.post(VERSION, body=body)["version"]
    w.check(second != first and alice.get(VERSION)["version"] == second, "the latest version")
    wrong = alice.put(ALL, query={"version": first}, body={"rooms": {}}, want=(403, "M_WRONG_ROOM_KEYS_VERSION"))
    w.check(wrong.get("current_version") == second, f"current_version: {wrong}")
    alice.delete(ONE_VERSION, second)
    w.check(alice.get(VERSION)["version"] == first, "the version before is the latest again")
    alice.get(ONE_VERSION, second, want=(404, "M_NOT_FOUND"))
    alice.delete(ONE_VERSION, "99", want=(404, "M_NOT_FOUND"))
    third = alice.post(VERSION, body=body)["version"]
    w.check(third not in (first, second), "a version's name is not used again")


def backup_keys(w):
    alice = w.user("alice")
    version = alice.post(VERSION, body={"algorithm": ALGORITHM, "auth_data": AUTH_DATA})["version"]
    query = {"version": version}
    first = alice.put(ONE, ROOM, "s1", query=query, body=key(), has=("etag", "count"))
    w.check(first["count"] == 1, f"count: {first}")
    same = alice.put(ONE, ROOM, "s1", query=query, body=key())
    w.check(same["etag"] == first["etag"] and same["count"] == 1, f"nothing changed: {same}")
    # Verified wins, then the lower first index, then fewer forwards.
    for better, worse in ((key(4), key(6)), (key(4, verified=True), key(1)), (key(3, verified=True), key(9)),
                          (key(3, 0, True, "y"), key(3, 2, True))):
        alice.put(ONE, ROOM, "s1", query=query, body=better)
        kept = alice.get(ONE, ROOM, "s1", query=query).json
        alice.put(ONE, ROOM, "s1", query=query, body=worse)
        w.check(alice.get(ONE, ROOM, "s1", query=query).json == kept, f"{worse} must not replace {kept}")
    w.check(alice.get(ONE, ROOM, "s1", query=query)["first_message_index"] == 3, "the better key is kept")
    alice.put(IN_ROOM, ROOM, query=query, body={"sessions": {"s2": key()}}, has=("etag", "count"))
    whole = alice.put(ALL, query=query, body={"rooms": {OTHER: {"sessions": {"s3": key(), "s4": key()}}}},
                      has=("etag", "count"))
    w.check(whole["count"] == 4 and whole["etag"] != first["etag"], f"count: {whole}")
    w.check(alice.get(VERSION)["count"] == 4 and alice.get(VERSION)["etag"] == whole["etag"], "count of the version")
    rooms = alice.get(ALL, query=query, has=("rooms",))["rooms"]
    w.check({room: set(data["sessions"]) for room, data in rooms.items()} == {ROOM: {"s1", "s2"}, OTHER: {"s3", "s4"}},
            f"all keys: {rooms}")
    w.check(set(alice.get(IN_ROOM, ROOM, query=query, has=("sessions",))["sessions"]) == {"s1", "s2"}, "a room's keys")
    w.check(alice.get(IN_ROOM, "!none:localhost", query=query).json == {"sessions": {}}, "a room without keys")
    alice.get(ONE, ROOM, "none", query=query, want=(404, "M_NOT_FOUND"))
    alice.get(ALL, query={"version": "99"}, want=(404, "M_NOT_FOUND"))
    alice.get(ALL, want=(400, "M_MISSING_PARAM"))
    w.check(alice.delete(ONE, ROOM, "s1", query=query, has=("etag", "count"))["count"] == 3, "one is deleted")
    w.check(alice.delete(IN_ROOM, OTHER, query=query, has=("etag", "count"))["count"] == 1, "a room is deleted")
    w.check(alice.delete(ALL, query=query, has=("etag", "count"))["count"] == 0, "all are deleted")
    w.user("bob").put(ALL, query=query, body={"rooms": {}}, want=(404, "M_NOT_FOUND"))
