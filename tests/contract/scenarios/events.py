"""Sending and reading events, state, members, history, context, redactions."""
import json

MEMBER = "m.room.member"


def sending(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="private_chat")
    first = alice.send(room, "one", txn="t1")
    w.check(alice.send(room, "other", txn="t1") == first, "a transaction id gives the same event")
    w.check(alice.send(room, "two", txn="t2") != first, "another transaction id, another event")
    seen = alice.get("/rooms/{roomId}/event/{eventId}", room, first,
                     has=("event_id", "room_id", "sender", "type", "content", "origin_server_ts"))
    w.check(seen["content"]["body"] == "one" and seen["unsigned"].get("transaction_id") == "t1", f"event: {seen}")
    bob.get("/rooms/{roomId}/event/{eventId}", room, first, want=(404, "M_NOT_FOUND"))
    alice.get("/rooms/{roomId}/event/{eventId}", room, "$none", want=(404, "M_NOT_FOUND"))
    bob.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "m.room.message", "b1",
            body={"msgtype": "m.text", "body": "x"}, want=(403, "M_FORBIDDEN"))
    big = {"msgtype": "m.text", "body": "x" * 65536}
    alice.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "m.room.message", "big", body=big,
              want=(413, "M_TOO_LARGE"))
    alice.put("/rooms/{roomId}/state/{eventType}", room, "org.example", body=big, want=(413, "M_TOO_LARGE"))
    # Redactions, by both endpoints.
    gone = alice.put("/rooms/{roomId}/redact/{eventId}/{txnId}", room, first, "r1", body={"reason": "typo"},
                     has=("event_id",))["event_id"]
    again = alice.put("/rooms/{roomId}/redact/{eventId}/{txnId}", room, first, "r1", body={"reason": "typo"})
    w.check(again["event_id"] == gone, "a redaction's transaction id")
    seen = alice.get("/rooms/{roomId}/event/{eventId}", room, first)
    w.check(seen["content"] == {} and seen["unsigned"]["redacted_because"]["event_id"] == gone, f"redacted: {seen}")
    w.check(seen["unsigned"]["redacted_because"]["content"].get("redacts") == first, f"redacts, version 12: {seen}")
    other = alice.send(room, "three")
    alice.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "m.room.redaction", "r2", body={"redacts": other},
              has=("event_id",))
    w.check(alice.get("/rooms/{roomId}/event/{eventId}", room, other)["content"] == {}, "redacted through /send")
    alice.invite(room, bob)
    bob.join(room)
    message = alice.send(room, "four")
    bob.put("/rooms/{roomId}/redact/{eventId}/{txnId}", room, message, "r3", body={}, want=(403, "M_FORBIDDEN"))
    alice.put("/rooms/{roomId}/redact/{eventId}/{txnId}", room, "$none", "r4", body={}, want=(404, "M_NOT_FOUND"))
    _relations(alice, room, message)


def _relations(alice, room, message):
    """Children that a server refuses by what their parent is."""
    def send(kind, parent, txn, want=200, **more):
        relates = {"rel_type": kind, "event_id": parent, **more}
        return alice.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "m.reaction", txn, want=want,
                         body={"m.relates_to": relates}).get("event_id")

    child = send("m.annotation", message, "a1", key="+1")
    send("m.annotation", message, "a2", key="+1", want=(400, "M_DUPLICATE_ANNOTATION"))
    send("m.annotation", message, "a3", key="-1")
    send("m.thread", child, "a4", want=(400, "M_UNKNOWN"))
    send("m.thread", message, "a5")


def state(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    room = alice.create_room(preset="private_chat", name="State", invite=[bob.user])
    bob.join(room)
    alice.put("/rooms/{roomId}/state/{eventType}", room, "m.room.topic", body={"topic": "no key"}, has=("event_id",))
    w.check(alice.get("/rooms/{roomId}/state/{eventType}", room, "m.room.topic").json == {"topic": "no key"}, "topic")
    alice.put("/rooms/{roomId}/state/{eventType}/{stateKey}", room, "m.room.topic", "", body={"topic": "empty key"})
    keyed = alice.set_state(room, "org.example", {"n": 1}, "a/b#ö")
    w.check(alice.state(room, "org.example", "a/b#ö").json == {"n": 1}, "a state key with odd characters")
    event = alice.state(room, "org.example", "a/b#ö", query={"format": "event"})
    w.check(event.get("event_id") == keyed and event.get("state_key") == "a/b#ö" and event.get("room_id") == room,
            f"format=event: {event}")
    alice.set_state(room, "org.example", {"n": 2}, "a/b#ö")
    replaced = alice.state(room, "org.example", "a/b#ö", query={"format": "event"})
    w.check({"replaces_state": keyed, "prev_content": {"n": 1}}.items() <= replaced["unsigned"].items(),
            f"unsigned of replaced state: {replaced}")
    alice.state(room, "org.none", want=(404, "M_NOT_FOUND"))
    alice.state(room, "m.room.topic", query={"format": "none"}, want=400)
    whole = alice.get("/rooms/{roomId}/state", room)
    keys = {(each["type"], each["state_key"]) for each in whole.json}
    w.check({("m.room.create", ""), ("m.room.member", alice.user), ("m.room.member", bob.user), ("m.room.topic", ""),
             ("org.example", "a/b#ö")} <= keys, f"state: {keys}")
    for path in ("state", "members", "joined_members", "state/m.room.topic"):
        carol.get("/rooms/{roomId}/" + path, room, want=(403, "M_FORBIDDEN"))
    bob.put("/rooms/{roomId}/state/{eventType}", room, "m.room.topic", body={"topic": "x"}, want=(403, "M_FORBIDDEN"))
    alice.put("/rooms/{roomId}/state/{eventType}/{stateKey}", room, "org.example", bob.user, body={},
              want=(403, "M_FORBIDDEN"))  # a state key that is another user's id
    for user, error in ((alice, (400, "M_INVALID_PARAM")), (carol, (403, "M_FORBIDDEN"))):  # alice is a creator
        user.put("/rooms/{roomId}/state/{eventType}", room, "m.room.power_levels", want=error,
                 body={"users": {alice.user: 100}})
    _members(w, alice, bob, carol, room)


def _members(w, alice, bob, carol, room):
    """Who was a member when."""
    at = alice.sync()["next_batch"]
    alice.invite(room, carol)
    bob.post("/rooms/{roomId}/leave", room, body={})

    def members(client=alice, **query):
        chunk = client.get("/rooms/{roomId}/members", room, query=query, has=("chunk",))["chunk"]
        return {each["state_key"]: each["content"]["membership"] for each in chunk}
    now = {alice.user: "join", bob.user: "leave", carol.user: "invite"}
    w.check(members() == now, f"members: {members()}")
    w.check(members(membership="join") == {alice.user: "join"}, "members?membership=join")
    w.check(members(not_membership="leave") == {alice.user: "join", carol.user: "invite"}, "members?not_membership")
    w.check(members(at=at) == {alice.user: "join", bob.user: "join"}, f"members?at: {members(at=at)}")
    w.check(members(bob) == {alice.user: "join", bob.user: "leave", carol.user: "invite"}, "members for who left")
    beginning = {alice.user: "join"}
    w.check(members(at="t1_1_1") == beginning, f"members?at the beginning: {members(at='t1_1_1')}")
    alice.get("/rooms/{roomId}/members", room, query={"membership": "none"}, want=400)
    joined = alice.get("/rooms/{roomId}/joined_members", room, has=("joined",))["joined"]
    w.check(set(joined) == {alice.user} and joined[alice.user]["display_name"], f"joined_members: {joined}")
    bob.get("/rooms/{roomId}/joined_members", room, want=(403, "M_FORBIDDEN"))
    alice.post("/rooms/{roomId}/leave", room, body={})
    later = alice.sync()["next_batch"]
    w.check(members(bob, at=later) == now | {alice.user: "join"}, f"members?at, left by then: {members(bob, at=later)}")


def history(w):
    alice, bob = w.user("alice"), w.user("bob")
    older = alice.sync()["next_batch"]
    room = alice.create_room(preset="public_chat")
    sent = [alice.send(room, f"m{n}") for n in range(20)]
    route = "/rooms/{roomId}/messages"

    def page(client=alice, **query):
        answer = client.get(route, room, query=query, has=("start", "chunk"))
        return answer, [event["event_id"] for event in answer["chunk"]]

    back, ids = page(dir="b", limit=5)
    w.check(ids == sent[:14:-1], "the newest five, backwards")
    _, ids = page(dir="b", limit=5, **{"from": back["end"]})
    w.check(ids == sent[14:9:-1], "the five before")
    _, ids = page(dir="f", limit=5, **{"from": back["end"]})
    w.check(ids == sent[15:], "forwards from there")
    _, ids = page(dir="b", limit=100, to=back["end"])
    w.check(ids == sent[:14:-1], f"to ends the page: {len(ids)}")
    forward, ids = page(dir="f", limit=100)
    w.check(ids[-20:] == sent and "end" not in forward.json, "all, forwards; no end at the end")
    last, _ = page(dir="b", limit=100)
    w.check("end" not in last.json, "no end at the room's first event")
    _, ids = page(dir="b")
    w.check(len(ids) == 10, "ten by default")
    bob.join(room)
    bob.send(room, "from bob")
    filtered, _ = page(dir="b", limit=100, filter='{"senders":["%s"],"types":["m.room.message"]}' % bob.user)
    w.check([e["content"]["body"] for e in filtered["chunk"]] == ["from bob"], f"filter: {filtered}")
    lazy, _ = page(dir="b", limit=1, filter='{"lazy_load_members":true}')
    w.check([e["state_key"] for e in lazy.get("state", [])] == [bob.user], f"lazy members: {lazy}")
    since = alice.sync()["next_batch"]
    after = alice.send(room, "after the sync")
    _, ids = page(dir="f", **{"from": since})
    w.check(ids == [after], "from a token of /sync")
    _, ids = page(dir="b", **{"from": older})
    w.check(ids == [], f"backwards from a token of /sync that is older than the room: {ids}")
    begin, _ = page(dir="f", limit=1, **{"from": older})
    w.check(begin["chunk"][0]["type"] == "m.room.create", f"and forwards from it: {begin}")
    for query, error in (({}, "M_MISSING_PARAM"), ({"dir": "x"}, "M_INVALID_PARAM"),
                         ({"dir": "b", "from": "junk"}, "M_INVALID_PARAM"), ({"dir": "b", "limit": "x"}, None),
                         ({"dir": "b", "filter": "{"}, "M_NOT_JSON"), ({"dir": "b", "to": "junk"}, None)):
        alice.get(route, room, query=query, want=(400, error))
    w.user("carol").get(route, room, query={"dir": "b"}, want=(403, "M_FORBIDDEN"))
    _context(w, alice, room, sent)


def _context(w, alice, room, sent):
    route = "/rooms/{roomId}/context/{eventId}"
    answer = alice.get(route, room, sent[10], query={"limit": 4},
                       has=("event", "events_before", "events_after", "state", "start", "end"))
    w.check(answer["event"]["event_id"] == sent[10], "the event itself")
    w.check([e["event_id"] for e in answer["events_before"]] == [sent[9], sent[8]], "before, the newest first")
    w.check([e["event_id"] for e in answer["events_after"]] == [sent[11], sent[12]], "after, the oldest first")
    w.check(any(e["type"] == "m.room.create" for e in answer["state"]), "the state")
    more = alice.get("/rooms/{roomId}/messages", room, query={"dir": "b", "from": answer["start"], "limit": 1})["chunk"]
    w.check([e["event_id"] for e in more] == [sent[7]], "start goes on backwards")
    more = alice.get("/rooms/{roomId}/messages", room, query={"dir": "f", "from": answer["end"], "limit": 1})["chunk"]
    w.check([e["event_id"] for e in more] == [sent[13]], "end goes on forwards")
    none = alice.get(route, room, sent[10], query={"limit": 0})
    w.check(none["events_before"] == [] and none["events_after"] == [], "limit 0")
    alice.get(route, room, "$none", want=(404, "M_NOT_FOUND"))
    w.user("dave").get(route, room, sent[10], want=(404, "M_NOT_FOUND"))


def redactions(w):
    """Where `redacts` stands differs between room versions; clients find it in both places."""
    alice = w.user("alice")
    for version in ("1", "10", "11", "12"):
        room = alice.create_room(room_version=version)
        for route in ("redact", "send"):
            message = alice.send(room, "gone")
            if route == "redact":
                answer = alice.put("/rooms/{roomId}/redact/{eventId}/{txnId}", room, message, "t", body={"reason": "r"})
            else:
                answer = alice.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "m.room.redaction", "t",
                                   body={"redacts": message, "reason": "r"})
            seen = alice.get("/rooms/{roomId}/event/{eventId}", room, answer["event_id"])
            w.check(seen.get("redacts") == message and seen["content"] == {"redacts": message, "reason": "r"},
                    f"/{route} in version {version}: {seen}")
            content = alice.get("/rooms/{roomId}/event/{eventId}", room, message)["content"]
            w.check(content == {}, f"/{route} in version {version} leaves {content}")
            timeline = alice.sync()["rooms"]["join"][room]["timeline"]["events"]
            shown = [event for event in timeline if event["event_id"] in (message, answer["event_id"])]
            w.check(shown[0]["content"] == {} and shown[1]["redacts"] == message, f"in /sync: {shown}")


def sizes(w):
    """An event has at most 65 536 bytes, as it is signed and hashed; its type and state key at most 255."""
    alice = w.user("alice")
    room = alice.create_room(preset="private_chat")
    route = "/rooms/{roomId}/send/{eventType}/{txnId}"

    def fits(length):
        answer = alice.put(route, room, "org.example", f"size{length}", body={"a": "x" * length}, want=None)
        w.check((answer.status, answer.errcode) in ((200, None), (413, "M_TOO_LARGE")), f"{length} bytes: {answer}")
        return answer.status == 200
    low, high = 60000, 65536
    w.check(fits(low) and not fits(high), f"{low} bytes of content fit, {high} do not")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    federation = '{"event_format":"federation","room":{"timeline":{"types":["org.example"],"limit":50}}}'
    timeline = alice.sync(filter=federation)["rooms"]["join"][room]["timeline"]["events"]
    for event in timeline:
        event.pop("event_id")  # what is signed does not hold it
    largest = max(len(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()) for event in timeline)
    w.check(largest == 65536, f"the largest event that is taken has {largest} bytes")
    for event_type, key, want in (("t" * 255, "k", 200), ("t" * 256, "k", (413, "M_TOO_LARGE")), ("t", "k" * 255, 200),
                                  ("t", "k" * 256, (413, "M_TOO_LARGE")), ("t", "ö" * 128, (413, "M_TOO_LARGE"))):
        alice.put("/rooms/{roomId}/state/{eventType}/{stateKey}", room, event_type, key, body={}, want=want)
    alice.post("/rooms/{roomId}/leave", room, body={"reason": "x" * 65536}, want=(413, "M_TOO_LARGE"))


def member_events(w):
    """Memberships through the state endpoint, under the same rules."""
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    room = alice.create_room(preset="private_chat")
    route = "/rooms/{roomId}/state/{eventType}/{stateKey}"
    alice.put(route, room, MEMBER, bob.user, body={"membership": "invite"}, has=("event_id",))
    bob.put(route, room, MEMBER, bob.user, body={"membership": "join", "displayname": "Robert"})
    w.check(alice.get("/rooms/{roomId}/joined_members", room)["joined"][bob.user]["display_name"] == "Robert", "a name")
    bob.put(route, room, MEMBER, carol.user, body={"membership": "join"}, want=(403, "M_FORBIDDEN"))
    bob.put(route, room, MEMBER, alice.user, body={"membership": "leave"}, want=(403, "M_FORBIDDEN"))
    for content in ({"membership": "dancing"}, {"membership": 1}, {}):
        alice.put(route, room, MEMBER, carol.user, body=content, want=None)
    w.check(alice.state(room, "m.room.member", carol.user, want=(404, "M_NOT_FOUND")), "nobody dances")
    alice.put("/rooms/{roomId}/state/{eventType}", room, "m.room.create", body={}, want=(400, "M_INVALID_PARAM"))
    alice.put("/rooms/{roomId}/state/{eventType}", room, "m.room.power_levels", body={"users": {bob.user: "high"}},
              want=None)
    w.check(bob.user not in alice.state(room, "m.room.power_levels").get("users", {}), "power levels are numbers")


def visibility(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    room = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}])
    early = alice.send(room, "before bob")
    bob.join(room)
    seen = alice.send(room, "with bob")

    def messages(client):
        chunk = client.get("/rooms/{roomId}/messages", room, query={"dir": "b", "limit": 50})["chunk"]
        return [event["content"]["body"] for event in chunk if event["type"] == "m.room.message"]
    w.check(messages(bob) == ["with bob"], f"history visibility joined: {messages(bob)}")
    timeline = bob.sync()["rooms"]["join"][room]["timeline"]["events"]
    w.check(early not in [event["event_id"] for event in timeline], "nor in /sync")
    for path in ("event", "context"):
        bob.get(f"/rooms/{{roomId}}/{path}/{{eventId}}", room, early, want=(404, "M_NOT_FOUND"))
        bob.get(f"/rooms/{{roomId}}/{path}/{{eventId}}", room, seen)
    # Who leaves keeps what was, and the state as it was.
    alice.set_state(room, "m.room.name", {"name": "then"})
    bob.post("/rooms/{roomId}/leave", room, body={})
    alice.set_state(room, "m.room.name", {"name": "now"})
    later = alice.send(room, "after bob")
    w.check(messages(bob) == ["with bob"], f"after leaving: {messages(bob)}")
    w.check(bob.state(room, "m.room.name")["name"] == "then", "the state when bob left")
    bob.get("/rooms/{roomId}/event/{eventId}", room, later, want=(404, "M_NOT_FOUND"))
    # World-readable: anyone with an account.
    carol.state(room, "m.room.name", want=(403, "M_FORBIDDEN"))
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    open_event = alice.send(room, "for the world")
    w.check(messages(carol)[0] == "for the world" and "with bob" not in messages(carol), f"world: {messages(carol)}")
    carol.get("/rooms/{roomId}/state", room)
    carol.get("/rooms/{roomId}/members", room)
    for path in ("event", "context"):
        carol.get(f"/rooms/{{roomId}}/{path}/{{eventId}}", room, open_event)
        carol.get(f"/rooms/{{roomId}}/{path}/{{eventId}}", room, seen, want=(404, "M_NOT_FOUND"))
