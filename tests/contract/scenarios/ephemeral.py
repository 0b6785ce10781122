"""Typing, receipts, read markers, unread counts, presence."""
from scenarios.syncing import events, joined


def typing(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    route = "/rooms/{roomId}/typing/{userId}"

    def who(sync):
        found = [e for e in events(sync.get("rooms", {}).get("join", {}).get(room, {}), "ephemeral")
                 if e["type"] == "m.typing"]
        return found[-1]["content"]["user_ids"] if found else None
    alice.put(route, room, alice.user, body={"typing": True, "timeout": 30000})
    answer = bob.sync_until(since, lambda s: who(s) == [alice.user], "typing")
    alice.put(route, room, alice.user, body={"typing": False})
    answer = bob.sync_until(answer["next_batch"], lambda s: who(s) == [], "the end of typing")
    alice.put(route, room, alice.user, body={"typing": True, "timeout": 100})
    bob.sync_until(answer["next_batch"], lambda s: who(s) == [], "the timeout of typing")
    alice.put(route, room, bob.user, body={"typing": True}, want=(403, "M_FORBIDDEN"))
    carol.put(route, room, carol.user, body={"typing": True}, want=(403, "M_FORBIDDEN"))
    alice.put(route, room, alice.user, body={}, want=(400, "M_MISSING_PARAM"))


def receipts(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    one, two = alice.send(room, "one"), alice.send(room, "two")
    route = "/rooms/{roomId}/receipt/{receiptType}/{eventId}"
    tokens = {client: client.sync()["next_batch"] for client in (alice, bob)}

    def receipt(sync, event, kind):
        for found in events(sync.get("rooms", {}).get("join", {}).get(room, {}), "ephemeral"):
            if found["type"] == "m.receipt" and bob.user in found["content"].get(event, {}).get(kind, {}):
                return found["content"][event][kind][bob.user]
        return None
    bob.post(route, room, "m.read", one, body={})
    seen = alice.sync_until(tokens[alice], lambda s: receipt(s, one, "m.read"), "a receipt")
    w.check(isinstance(receipt(seen.json, one, "m.read").get("ts"), int), "a receipt has a time")
    bob.post(route, room, "m.read.private", two, body={"thread_id": "main"})
    own = bob.sync_until(tokens[bob], lambda s: receipt(s, two, "m.read.private"), "one's own private receipt")
    w.check(receipt(own.json, two, "m.read.private").get("thread_id") == "main", "thread_id")
    alice.send(room, "three")
    others = alice.sync(seen["next_batch"])
    w.check(receipt(others.json, two, "m.read.private") is None, "a private receipt is seen by its user only")
    root = alice.send(room, "root")
    inside = alice.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "m.room.message", "thread", body={
        "msgtype": "m.text", "body": "in", "m.relates_to": {"rel_type": "m.thread", "event_id": root}})["event_id"]
    bob.post(route, room, "m.read", inside, body={"thread_id": root})
    threaded = alice.sync_until(others["next_batch"], lambda s: receipt(s, inside, "m.read"), "a threaded receipt")
    w.check(receipt(threaded.json, inside, "m.read").get("thread_id") == root, "thread_id of a threaded receipt")
    bob.post(route, room, "m.read", one, body={"thread_id": root}, want=400)  # not an event of that thread
    bob.post(route, room, "m.read", inside, body={"thread_id": ""}, want=(400, "M_INVALID_PARAM"))
    bob.post(route, room, "m.none", one, body={}, want=400)
    bob.post(route, room, "m.read", "$none", body={}, want=(404, "M_NOT_FOUND"))
    w.user("carol").post(route, room, "m.read", one, body={}, want=(403, "M_FORBIDDEN"))
    # m.fully_read: account data of the room, by either endpoint.
    bob.post(route, room, "m.fully_read", one, body={})
    data = "/user/{userId}/rooms/{roomId}/account_data/{type}"
    w.check(bob.get(data, bob.user, room, "m.fully_read").json == {"event_id": one}, "m.fully_read")
    three = alice.send(room, "four")
    since = bob.sync()["next_batch"]
    bob.post("/rooms/{roomId}/read_markers", room, body={"m.fully_read": two, "m.read": three, "m.read.private": three})
    answer = bob.sync(since)
    found = {e["type"]: e["content"] for e in events(joined(answer, room), "account_data")}
    w.check(found.get("m.fully_read") == {"event_id": two}, f"m.fully_read in /sync: {found}")
    bob.post("/rooms/{roomId}/read_markers", room, body={"m.fully_read": one})
    bob.post("/rooms/{roomId}/read_markers", room, body={"m.read": 1}, want=(400, "M_BAD_JSON"))
    w.check(joined(alice.sync(), room)["unread_notifications"]["notification_count"] == 0, "nothing of one's own")


def unread(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="public_chat", name="Unread")
    bob.join(room)
    threads = '{"room":{"timeline":{"unread_thread_notifications":true}}}'

    def counts(**query):
        section = joined(bob.sync(**query), room)
        return section["unread_notifications"], section.get("unread_thread_notifications")
    w.check(counts()[0] == {"notification_count": 0, "highlight_count": 0}, f"at first: {counts()}")
    root = alice.send(room, "one")
    alice.send(room, "for you", **{"m.mentions": {"user_ids": [bob.user]}})
    last = alice.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "m.room.message", "thread", body={
        "msgtype": "m.text", "body": "in", "m.relates_to": {"rel_type": "m.thread", "event_id": root}})["event_id"]
    w.check(counts()[0] == {"notification_count": 3, "highlight_count": 1}, f"all: {counts()}")
    main, inside = counts(filter=threads)
    w.check(main == {"notification_count": 2, "highlight_count": 1} and
            inside == {root: {"notification_count": 1, "highlight_count": 0}}, f"by thread: {main} {inside}")
    route = "/rooms/{roomId}/receipt/{receiptType}/{eventId}"
    bob.post(route, room, "m.read", root, body={"thread_id": "main"})
    main, inside = counts(filter=threads)
    w.check(main == {"notification_count": 1, "highlight_count": 1} and inside[root]["notification_count"] == 1,
            f"after reading the root: {main} {inside}")
    bob.post(route, room, "m.read", last, body={})
    w.check(counts()[0] == {"notification_count": 0, "highlight_count": 0}, f"after reading all: {counts()}")
    since = bob.sync()["next_batch"]
    alice.send(room, "counted with its event")
    section = joined(bob.sync(since), room)
    w.check(section["unread_notifications"]["notification_count"] == 1, f"with the event itself: {section}")
    bob.send(room, "my own answer")
    w.check(counts()[0]["notification_count"] == 0, "what one sends reads what came before")


def presence(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync(set_presence="offline")["next_batch"]
    route = "/presence/{userId}/status"
    alice.put(route, alice.user, body={"presence": "online", "status_msg": "x" * 1025}, want=(413, "M_TOO_LARGE"))
    alice.put(route, alice.user, body={"presence": "unavailable", "status_msg": "tea"})
    status = bob.get(route, alice.user, has=("presence",))
    w.check(status["presence"] == "unavailable" and status["status_msg"] == "tea", f"presence: {status}")
    bob.sync_until(since, lambda s: any(e["sender"] == alice.user and e["content"].get("status_msg") == "tea"
                                        for e in events(s, "presence")), "presence")
    carol.get(route, alice.user, want=(403, "M_FORBIDDEN"))
    bob.put(route, alice.user, body={"presence": "online"}, want=(403, "M_FORBIDDEN"))
    alice.put(route, alice.user, body={"presence": "dancing"}, want=400)
