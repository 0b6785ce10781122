"""What a user may not have occurs in no answer, whatever it could be attached to: events after one has left, messages of
users whom one ignores, reasons that were redacted."""
import json
import time
from urllib.parse import urlencode

from client import V3, fill
from coverage import served_patterns
from scenarios.gateway import Gateway
from scenarios.push import pusher

ROOM = "/rooms/{roomId}/"
LAZY = '{"lazy_load_members":true}'
# Every route that serves events of a room: what it is asked, (parameters, query), given some events' ids.
ROOM_ROUTES = {
    ROOM + "event/{eventId}": lambda ids: [((event,), {}) for event in ids],
    ROOM + "context/{eventId}": lambda ids: [((event,), {"limit": n}) for event in ids for n in (1, 40)],
    ROOM + "messages": lambda _: [((), {"dir": way, "limit": n, **more}) for way in "bf" for n in (1, 3, 100)
                                  for more in ({}, {"filter": LAZY})],
    ROOM + "state": lambda _: [((), {})],
    ROOM + "members": lambda _: [((), {})],
    ROOM + "joined_members": lambda _: [((), {})],
    ROOM + "state/{eventType}": lambda _: [(("m.room.topic",), {"format": form}) for form in ("event", "content")],
    ROOM + "state/{eventType}/{stateKey}": lambda _: [(("m.room.topic", ""), {"format": form})
                                                      for form in ("event", "content")],
}
NO_EVENTS = {ROOM + "aliases"}
SYNCS = [json.dumps({"room": {"include_leave": True, "timeline": {"limit": n}, "state": {"lazy_load_members": lazy}}})
         for n in (1, 3, 40) for lazy in (True, False)]


def everything(client, room, ids, since):
    """All answers in which events of the room are served to the client, [(what was asked, text)]."""
    client.report.settle()
    targets = [fill(route, (room, *parameters)) + ("?" + urlencode(query) if query else "")
               for route, asked in ROOM_ROUTES.items() for parameters, query in asked(ids)]
    for begin in ({}, {"since": since}):
        targets += [f"{V3}/sync?" + urlencode({**begin, **more, "filter": text}) for text in SYNCS
                    for more in ({}, {"full_state": "true"}, {"use_state_after": "true"})]
    # Without the schemas: a redacted message that does not say by what lacks what they demand of a message.
    return [(target, client.raw("GET", target).data.decode()) for target in targets]


def check_hidden(w, client, room, ids, since, forbidden):
    for target, text in everything(client, room, ids, since):
        found = [name for name, word in forbidden.items() if word in text]
        w.check(not found, f"{client.user} gets {found} in {target}: {text}")


def check_shown(w, client, room, ids, since, wanted):
    """That the test would find it: who may, gets all of it."""
    text = "".join(text for _, text in everything(client, room, ids, since))
    w.check(not (missing := [name for name, word in wanted.items() if word not in text]), f"nobody gets {missing}")


def relate(client, room, kind, parent, text):
    more = {"m.new_content": {"msgtype": "m.text", "body": text}} if kind == "m.replace" else {}
    return client.send(room, text, **{"m.relates_to": {"rel_type": kind, "event_id": parent}, **more})


def redact(client, room, event, reason):
    return client.put("/rooms/{roomId}/redact/{eventId}/{txnId}", room, event, f"r{time.monotonic_ns()}",
                      body={"reason": reason})["event_id"]


def former_members(w):
    alice = w.user("alice")
    routes = {route.removeprefix(V3) for method, route in served_patterns(w.anonymous) if method == "GET"}
    others = {route for route in routes if "/rooms/{roomId}" in route and "/user/" not in route}
    w.check(others == set(ROOM_ROUTES) | NO_EVENTS, f"these may serve events, too: {others}")
    for setting in ("shared", "invited", "joined"):
        for way_out in ("leave", "kick", "ban"):
            _former_member(w, alice, w.user("bob"), setting, way_out)


def _former_member(w, alice, bob, setting, way_out):
    room = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.history_visibility", "content": {"history_visibility": setting}}])
    bob.join(room)
    alice.set_state(room, "m.room.topic", {"topic": "then"})
    ids = [alice.send(room, text) for text in ("root", "original", "to be redacted")]
    root, original, said = ids
    ids += [relate(alice, room, "m.thread", root, "a reply"), relate(alice, room, "m.replace", original, "an edit")]
    topic = alice.set_state(room, "m.room.topic", {"topic": "then, too"})
    since = bob.sync()["next_batch"]
    if way_out == "leave":
        bob.post("/rooms/{roomId}/leave", room, body={})
    else:
        alice.post(f"/rooms/{{roomId}}/{way_out}", room, body={"user_id": bob.user})
    forbidden = {
        "a reply": relate(alice, room, "m.thread", root, "unwanted reply"),
        "an edit": relate(alice, room, "m.replace", original, "unwanted edit"),
        "a reference": relate(alice, room, "m.reference", original, "unwanted reference"),
        "a message": alice.send(room, "unwanted message"),
        "a redaction": redact(alice, room, said, "unwanted reason"),
        "a redaction of state": redact(alice, room, topic, "unwanted reason"),
    }
    check_shown(w, alice, room, ids, since, {"a word": "unwanted", **forbidden})
    check_hidden(w, bob, room, [*ids, topic, *forbidden.values()], since,
                 {"a word": "unwanted", "redacted state": "then, too", "a redacted message": "to be redacted",
                  **forbidden})
    seen = json.loads(bob.raw("GET", fill(ROOM + "event/{eventId}", (room, root))).data)
    thread = seen["unsigned"]["m.relations"]["m.thread"]
    w.check(thread["count"] == 1 and thread["latest_event"]["event_id"] == ids[3], f"bob's own thread: {thread}")


def redacted_redactions(w):
    alice, bob = w.user("alice"), w.user("bob")
    for version in ("10", "11", "12"):
        room = alice.create_room(preset="public_chat", room_version=version)
        bob.join(room)
        said = bob.send(room, "said")
        since = bob.sync()["next_batch"]
        redaction = redact(alice, room, said, "unwanted reason")
        check_shown(w, bob, room, [said, redaction], since, {"the reason": "unwanted reason"})
        redact(alice, room, redaction, "never mind")
        for client in (alice, bob):
            check_hidden(w, client, room, [said, redaction], since, {"the reason": "unwanted reason"})
        seen = bob.get(ROOM + "event/{eventId}", room, said)
        w.check(seen["unsigned"]["redacted_because"]["event_id"] == redaction, f"version {version}: {seen}")


def ignored_users(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    room = alice.create_room(preset="public_chat", power_level_content_override={"users": {carol.user: 50}})
    since = bob.sync()["next_batch"]
    bob.put("/user/{userId}/account_data/{type}", bob.user, "m.ignored_user_list",
            body={"ignored_users": {carol.user: {}}})
    bob.join(room)
    carol.join(room)
    with Gateway() as gateway:
        bob.post("/pushers/set", body=pusher(gateway))
        ids = [alice.send(room, text) for text in ("root", "to be redacted", "between")]
        root, said, between = ids
        forbidden = {
            "a message": carol.send(room, "unwanted message"),
            "a reply": relate(carol, room, "m.thread", root, "unwanted reply"),
            "a reference": relate(carol, room, "m.reference", root, "unwanted reference"),
            "a mention": carol.send(room, "unwanted mention", **{"m.mentions": {"user_ids": [bob.user]}}),
        }
        redaction = redact(carol, room, said, "unwanted reason")
        topic = carol.set_state(room, "m.room.topic", {"topic": "by carol"})
        invited = carol.create_room(preset="private_chat", name="unwanted room", invite=[bob.user])
        ids.append(alice.send(room, "the last"))
        check_shown(w, alice, room, ids, since, {"a word": "unwanted", **forbidden})
        check_hidden(w, bob, room, [*ids, redaction, *forbidden.values()], since,
                     {"a word": "unwanted", "an invitation": invited, **forbidden})
        check_shown(w, bob, room, ids, since, {"carol's state": topic, "the last": "the last"})
        w.check(gateway.wait_for(lambda note: note.get("event_id") == ids[-1]), "a notification of the last message")
        told = json.dumps([note for _, note, _ in gateway.notes])
        w.check("unwanted" not in told and invited not in told, f"the push gateway is told {told}")
    for path in ("event", "context"):
        for hidden in (forbidden["a message"], redaction):
            bob.get(f"/rooms/{{roomId}}/{path}/{{eventId}}", room, hidden, want=(404, "M_NOT_FOUND"))
        bob.get(f"/rooms/{{roomId}}/{path}/{{eventId}}", room, between)
    # A page is as long as it is asked to be, and the pages together have all.
    for n in range(12):
        carol.send(room, f"unwanted {n}")
    chunk = bob.get("/rooms/{roomId}/messages", room, query={"dir": "b", "limit": 2})["chunk"]
    w.check([event["event_id"] for event in chunk] == [ids[-1], topic], f"a page between ignored messages: {chunk}")
