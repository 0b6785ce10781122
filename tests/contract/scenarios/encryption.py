"""Device keys, one-time keys, cross-signing, messages to devices."""
from scenarios.signing import Key, cross_signing, device_keys, one_time_key
from scenarios.syncing import events
from world import log_in


def upload_keys(client, one_time=(), fallback=()):
    key = Key(client.user + client.device)
    body = {"device_keys": device_keys(client, key),
            "one_time_keys": {f"signed_curve25519:{n}": one_time_key(client, key, client.device + n) for n in one_time},
            "fallback_keys": {f"signed_curve25519:{n}": one_time_key(client, key, client.device + n, fallback=True)
                              for n in fallback}}
    answer = client.post("/keys/upload", body=body, has=("one_time_key_counts",))
    return key, answer["one_time_key_counts"]


def device_key_exchange(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    alice.put("/devices/{deviceId}", alice.device, body={"display_name": "Alice's phone"})
    key, counts = upload_keys(alice, one_time=("AAAA", "AAAB"), fallback=("FALL",))
    w.check(counts == {"signed_curve25519": 2}, f"counts: {counts}")
    w.check(alice.post("/keys/upload", body={})["one_time_key_counts"] == counts, "an empty upload tells the counts")
    synced = alice.sync()
    w.check(synced["device_one_time_keys_count"] == counts and
            synced["device_unused_fallback_key_types"] == ["signed_curve25519"], f"counts in /sync: {synced}")
    changed = bob.sync(since)
    w.check(changed.get("device_lists", {}).get("changed") == [alice.user], f"device_lists: {changed}")
    between = bob.get("/keys/changes", query={"from": since, "to": changed["next_batch"]}, has=("changed", "left"))
    w.check(between["changed"] == [alice.user], f"keys/changes: {between}")
    bob.get("/keys/changes", query={"from": since}, want=(400, "M_MISSING_PARAM"))
    bob.get("/keys/changes", query={"from": "junk", "to": since}, want=400)
    found = bob.post("/keys/query", body={"device_keys": {alice.user: [], "@x:elsewhere": []}, "timeout": 1000},
                     has=("device_keys", "failures"))
    keys = found["device_keys"][alice.user][alice.device]
    w.check(keys.pop("unsigned", {}).get("device_display_name") == "Alice's phone", f"display name: {found}")
    w.check(keys == device_keys(alice, key), f"the keys as they were uploaded: {keys}")
    w.check("elsewhere" in found["failures"], f"failures: {found}")
    only = bob.post("/keys/query", body={"device_keys": {alice.user: ["NONE"]}})["device_keys"]
    w.check(only.get(alice.user, {}) == {}, f"a device that is not there: {only}")
    _claim(w, alice, bob, key)
    # A new device with keys is news to the user's other devices too; a device that goes, likewise.
    since = alice.sync()["next_batch"]
    phone = log_in(alice)
    upload_keys(phone)
    answer = alice.sync(since)
    w.check(answer.get("device_lists", {}).get("changed") == [alice.user], f"an own new device: {answer}")
    phone.post("/logout", body={})
    answer = alice.sync(answer["next_batch"])
    w.check(answer.get("device_lists", {}).get("changed") == [alice.user], f"an own device that went: {answer}")
    # Wrong signatures, foreign devices, keys that change under one id.
    wrong = device_keys(alice, key)
    wrong["algorithms"] = []
    alice.post("/keys/upload", body={"device_keys": wrong}, want=400)
    alice.post("/keys/upload", body={"device_keys": device_keys(bob, key)}, want=400)
    left = bob.sync()["next_batch"]
    bob.post("/rooms/{roomId}/leave", room, body={})
    w.check(bob.sync(left).get("device_lists", {}).get("left") == [alice.user], "device_lists.left")


def _claim(w, alice, bob, key):
    def claim():
        body = {"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}, "timeout": 1000}
        answer = bob.post("/keys/claim", body=body, has=("one_time_keys", "failures"))
        return list(answer["one_time_keys"][alice.user][alice.device])
    got = [claim() for _ in range(4)]
    wanted = [[f"signed_curve25519:{n}"] for n in ("AAAA", "AAAB", "FALL", "FALL")]
    w.check(got == wanted, f"keys are claimed in upload order, then the fallback key: {got}")
    synced = alice.sync()
    w.check(synced["device_one_time_keys_count"] == {"signed_curve25519": 0} and
            synced["device_unused_fallback_key_types"] == [], f"counts after the claims: {synced}")
    # The same upload again (its answer was lost) brings no claimed key back; another key under its id is refused.
    body = {"one_time_keys": {"signed_curve25519:AAAA": one_time_key(alice, key, alice.device + "AAAA")}}
    w.check(alice.post("/keys/upload", body=body)["one_time_key_counts"].get("signed_curve25519", 0) == 0,
            "a claimed key does not come back")
    body = {"one_time_keys": {"signed_curve25519:AAAC": one_time_key(alice, key, "one")}}
    alice.post("/keys/upload", body=body)
    body = {"one_time_keys": {"signed_curve25519:AAAC": one_time_key(alice, key, "other")}}
    alice.post("/keys/upload", body=body, want=400)


def cross_signing_keys(w):
    alice, bob = w.user("alice"), w.user("bob")
    device_key, _ = upload_keys(alice)
    master, own, others = Key(alice.user + "m"), Key(alice.user + "s"), Key(alice.user + "u")
    body = {"master_key": cross_signing(alice, "master", master),
            "self_signing_key": cross_signing(alice, "self_signing", own, master),
            "user_signing_key": cross_signing(alice, "user_signing", others, master)}
    route = "/keys/device_signing/upload"
    alice.post(route, body=body)  # the first keys need no password
    alice.post(route, body=body)  # nor the same again
    fresh = Key("another")
    replaced = {"master_key": cross_signing(alice, "master", fresh)}
    session = alice.post(route, body=replaced, want=401).get("session")
    unsigned = {"self_signing_key": cross_signing(alice, "self_signing", fresh), "auth": alice.password_auth()}
    alice.post(route, body=unsigned, want=(400, "M_INVALID_SIGNATURE"))
    bob.post(route, body=body, want=400)
    # Signatures: of the device by the self-signing key, of the master key by the device.
    signed_device = own.sign(alice.user, own.public, device_keys(alice, device_key))
    signed_master = device_key.sign(alice.user, alice.device, body["master_key"])
    answer = alice.post("/keys/signatures/upload", body={
        alice.user: {alice.device: signed_device, master.public: signed_master, "NONE": signed_device}},
        has=("failures",))
    w.check(set(answer["failures"]) == {alice.user} and set(answer["failures"][alice.user]) == {"NONE"},
            f"failures: {answer}")
    found = bob.post("/keys/query", body={"device_keys": {alice.user: []}}).json
    w.check(found["master_keys"].get(alice.user) == signed_master, f"master key: {found}")
    w.check(alice.user in found["self_signing_keys"] and alice.user not in found.get("user_signing_keys", {}),
            f"what others see: {found}")
    signatures = found["device_keys"][alice.user][alice.device]["signatures"][alice.user]
    w.check(set(signatures) == {f"ed25519:{alice.device}", f"ed25519:{own.public}"}, f"signatures: {signatures}")
    mine = alice.post("/keys/query", body={"device_keys": {alice.user: []}}).json
    w.check(alice.user in mine["user_signing_keys"], f"what the user sees: {mine}")
    alice.post(route, body={**replaced, "auth": alice.password_auth(session)})
    w.check(fresh.public in str(bob.post("/keys/query", body={"device_keys": {alice.user: []}})["master_keys"]),
            "the keys are replaced with the password")


def to_device(w):
    alice, bob = w.user("alice"), w.user("bob")
    phone = log_in(bob)
    route = "/sendToDevice/{eventType}/{txnId}"
    since = bob.sync()["next_batch"]
    body = {"messages": {bob.user: {bob.device: {"n": 1}}}}
    alice.put(route, "org.example", "1", body=body)
    alice.put(route, "org.example", "1", body=body)  # once more: the same transaction
    alice.put(route, "org.example", "2", body={"messages": {bob.user: {"*": {"n": 2}}, "@none:localhost": {"X": {}}}})
    got = bob.sync(since)
    wanted = [{"type": "org.example", "sender": alice.user, "content": {"n": n}} for n in (1, 2)]
    w.check(events(got.json, "to_device") == wanted, f"to_device: {got}")
    again = bob.sync(since)
    w.check(events(again.json, "to_device") == wanted, "messages come again until they are acknowledged by `since`")
    w.check("to_device" not in bob.sync(got["next_batch"]).json, "and then no more")
    w.check(events(phone.sync().json, "to_device") == wanted[1:], "a message to every device")
    alice.put(route, "org.example", "3", body={}, want=(400, "M_MISSING_PARAM"))
    # 100 at most in one answer.
    since = bob.sync()["next_batch"]
    for n in range(3):
        many = {"messages": {bob.user: {bob.device: {"n": n}}}}
        for k in range(40):
            alice.put(route, "org.many", f"{n}.{k}", body=many)
    first = bob.sync(since)
    second = bob.sync(first["next_batch"])
    counts = len(events(first.json, "to_device")), len(events(second.json, "to_device"))
    w.check(counts == (100, 20), f"120 messages come in answers of {counts}")
