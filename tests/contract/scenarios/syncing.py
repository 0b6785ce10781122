"""GET /sync: what is in which section, since when, under which filter."""
import json
import threading
import time
from urllib.parse import quote


def joined(answer, room):
    return (answer.json.get("rooms") or {}).get("join", {}).get(room, {})


def events(section, name="timeline"):
    return section.get(name, {}).get("events", [])


def bodies(section):
    return [e["content"].get("body") for e in events(section) if e["type"] == "m.room.message"]


def keys(section, name="state"):
    return {(e["type"], e["state_key"]) for e in events(section, name)}


def initial_and_incremental(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="public_chat", name="Sync")
    for n in range(12):
        alice.send(room, f"m{n}")
    first = alice.sync()
    for name in ("device_one_time_keys_count", "device_unused_fallback_key_types", "account_data", "presence"):
        w.check(name in first.json, f"the first /sync has no {name}")
    w.check(first["device_one_time_keys_count"].get("signed_curve25519") == 0, "no one-time keys are a count of 0")
    w.check([e["type"] for e in first["account_data"]["events"]] == ["m.push_rules"], "account data of a new user")
    section = joined(first, room)
    for name in ("timeline", "state", "ephemeral", "summary", "unread_notifications"):
        w.check(name in section, f"the joined room has no {name}")
    w.check(section["timeline"]["limited"] is True and section["timeline"].get("prev_batch"), "limited")
    w.check(bodies(section) == [f"m{n}" for n in range(2, 12)], f"timeline: {bodies(section)}")
    w.check(not any("room_id" in e for e in events(section)), "no room_id in the events of /sync")
    w.check(events(section)[-1]["unsigned"].get("transaction_id"), "the sender's transaction id")
    w.check({("m.room.create", ""), ("m.room.name", ""), ("m.room.member", alice.user)} <= keys(section), "state")
    before = alice.get("/rooms/{roomId}/messages", room, query={"dir": "b", "from": section["timeline"]["prev_batch"]})
    w.check(before["chunk"][0]["content"].get("body") == "m1", f"prev_batch goes on: {before}")
    since = first["next_batch"]
    nothing = alice.sync(since)
    w.check(set(nothing.json) == {"next_batch", "device_one_time_keys_count", "device_unused_fallback_key_types"},
            f"nothing new: {nothing}")
    bob.join(room)
    alice.set_state(room, "m.room.topic", {"topic": "new"})
    alice.send(room, "fresh")
    section = joined(alice.sync(since), room)
    w.check([e["type"] for e in events(section)] == ["m.room.member", "m.room.topic", "m.room.message"] and
            section["timeline"]["limited"] is False, f"incremental timeline: {section}")
    w.check(events(section, "state") == [], "state changes of the timeline are not in state")
    w.check(section["summary"].get("m.joined_member_count") == 2, f"summary: {section.get('summary')}")
    _limited(w, alice, bob, room, since)
    _long_poll(w, alice, bob, room)
    for query, error in (({"since": "junk"}, None), ({"filter": "{"}, "M_NOT_JSON"), ({"filter": "none"}, None),
                         ({"full_state": "maybe"}, None), ({"timeout": "long"}, None), ({"set_presence": "x"}, None)):
        alice.get("/sync", query=query, want=(400, error))


def _limited(w, alice, bob, room, since):
    alice.set_state(room, "org.gap", {"n": 1})
    for n in range(4):
        alice.send(room, f"gap{n}")
    two = '{"room":{"timeline":{"limit":2}}}'
    section = joined(alice.sync(since, filter=two), room)
    w.check(bodies(section) == ["gap2", "gap3"] and section["timeline"]["limited"] is True, f"a gap: {section}")
    w.check(keys(section) == {("org.gap", ""), ("m.room.topic", ""), ("m.room.member", bob.user)},
            f"state of the gap: {keys(section)}")
    # state_after: the state at the end of the timeline instead.
    alice.set_state(room, "org.gap", {"n": 2})
    section = joined(alice.sync(since, filter=two, use_state_after="true"), room)
    after = {(e["type"], e["state_key"]): e["content"] for e in events(section, "state_after")}
    w.check("state" not in section and after.get(("org.gap", "")) == {"n": 2} and ("m.room.topic", "") in after,
            f"state_after: {section}")
    quiet = alice.sync()["next_batch"]
    alice.send(room, "no state")
    section = joined(alice.sync(quiet, use_state_after="true"), room)
    w.check(events(section, "state_after") == [] and "state_after" in section and "state" not in section,
            f"state_after is there even when empty: {section}")
    section = joined(alice.sync(use_state_after="true"), room)
    w.check(("m.room.create", "") in keys(section, "state_after") and "state" not in section, "first state_after")
    # full_state: everything, and at once, also with nothing new.
    quiet = alice.sync()["next_batch"]
    begin = time.monotonic()
    section = joined(alice.sync(quiet, timeout=20000, full_state="true"), room)
    w.check({("m.room.create", ""), ("m.room.member", bob.user), ("org.gap", "")} <= keys(section), "full_state")
    w.check(events(section) == [] and time.monotonic() - begin < 15, "full_state does not wait")


def _long_poll(w, alice, bob, room):
    since = alice.sync()["next_batch"]
    timer = threading.Timer(0.3, lambda: bob.send(room, "wake up"))
    begin = time.monotonic()
    timer.start()
    answer = alice.sync(since, timeout=30000)
    timer.join()
    w.check(bodies(joined(answer, room)) == ["wake up"] and time.monotonic() - begin < 20, f"a long poll: {answer}")
    begin = time.monotonic()
    answer = alice.sync(answer["next_batch"], timeout=400)
    w.check(0.3 < time.monotonic() - begin < 20 and "rooms" not in answer.json, f"a long poll without news: {answer}")


def sections(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    since = bob.sync()["next_batch"]
    room = alice.create_room(preset="private_chat", name="Secret", topic="T", invite=[bob.user])
    answer = bob.sync_until(since, lambda s: room in s.get("rooms", {}).get("invite", {}), "an invitation")
    stripped = events(answer["rooms"]["invite"][room], "invite_state")
    found = {(e["type"], e["state_key"]) for e in stripped}
    w.check({("m.room.create", ""), ("m.room.join_rules", ""), ("m.room.name", ""), ("m.room.member", bob.user)} <=
            found, f"invite_state: {found}")
    w.check(all(set(e) >= {"type", "state_key", "content", "sender"} for e in stripped), f"stripped: {stripped}")
    w.check(room in bob.sync()["rooms"]["invite"], "an invitation in a first /sync")
    # Refused: leave. Invited again and joined: join, whole.
    since = answer["next_batch"]
    bob.post("/rooms/{roomId}/leave", room, body={})
    answer = bob.sync(since)
    w.check(room in answer.get("rooms", {}).get("leave", {}), f"an invitation that was refused: {answer}")
    alice.invite(room, bob)
    bob.join(room)
    answer = bob.sync(answer["next_batch"])
    w.check(("m.room.create", "") in keys(joined(answer, room)), f"a room just joined comes with its state: {answer}")
    since = answer["next_batch"]
    alice.send(room, "before")
    alice.post("/rooms/{roomId}/kick", room, body={"user_id": bob.user})
    alice.send(room, "after")
    answer = bob.sync(since)
    left = answer.get("rooms", {}).get("leave", {}).get(room, {})
    w.check(bodies(left) == ["before"] and events(left)[-1]["state_key"] == bob.user, f"a room left: {left}")
    w.check(room not in answer.get("rooms", {}).get("join", {}), "a room left is not joined")
    w.check("rooms" not in bob.sync().json or room not in bob.sync()["rooms"].get("leave", {}), "left rooms go")
    filtered = bob.sync(filter='{"room":{"include_leave":true}}')
    w.check(bodies(filtered["rooms"]["leave"].get(room, {})) == ["before"], f"include_leave: {filtered}")
    # Heroes of a room without a name.
    unnamed = alice.create_room(preset="private_chat", invite=[bob.user, carol.user])
    bob.join(unnamed)
    summary = joined(alice.sync(), unnamed)["summary"]
    w.check(set(summary.get("m.heroes", [])) == {bob.user, carol.user} and summary["m.joined_member_count"] == 2 and
            summary["m.invited_member_count"] == 1, f"summary: {summary}")
    _ignoring(w, alice, bob, unnamed)


def _ignoring(w, alice, bob, room):
    alice.put("/user/{userId}/account_data/{type}", alice.user, "m.ignored_user_list",
              body={"ignored_users": {bob.user: {}}})
    since = alice.sync()["next_batch"]
    bob.send(room, "unseen")
    alice.send(room, "own")
    bob.send(room, "unseen, too")
    section = joined(alice.sync(since), room)
    w.check(bodies(section) == ["own"], "messages of ignored users are left out")
    w.check(section["unread_notifications"]["notification_count"] == 0, f"and not counted: {section}")
    other = bob.create_room(preset="private_chat", invite=[alice.user])
    w.check(other not in alice.sync().get("rooms", {}).get("invite", {}), "invitations by ignored users are left out")
    alice.put("/user/{userId}/account_data/{type}", alice.user, "m.ignored_user_list", body={"ignored_users": {}})
    w.check(other in alice.sync().get("rooms", {}).get("invite", {}), "and come back")


def filters(w):
    alice, bob = w.user("alice"), w.user("bob")
    rooms = [alice.create_room(preset="public_chat") for _ in range(2)]
    for room in rooms:
        bob.join(room)
        alice.send(room, "from alice")
        bob.send(room, "from bob")
        alice.send(room, "", event_type="org.example", url="mxc://a/b")
    content = {"room": {"rooms": [rooms[0]], "timeline": {"senders": [bob.user], "types": ["m.room.*"], "limit": 5}}}
    made = alice.post("/user/{userId}/filter", alice.user, body=content, has=("filter_id",))["filter_id"]
    w.check(not made.startswith("{"), f"filter id {made}")
    w.check(alice.get("/user/{userId}/filter/{filterId}", alice.user, made).json == content, "the filter as it was put")
    alice.get("/user/{userId}/filter/{filterId}", alice.user, "none", want=(404, "M_NOT_FOUND"))
    bob.get("/user/{userId}/filter/{filterId}", alice.user, made, want=(403, "M_FORBIDDEN"))
    bob.post("/user/{userId}/filter", alice.user, body={}, want=(403, "M_FORBIDDEN"))
    for text in (made, json.dumps(content)):
        answer = alice.sync(filter=text)
        w.check(set(answer["rooms"]["join"]) == {rooms[0]}, f"rooms of the filter: {list(answer['rooms']['join'])}")
        w.check({e["sender"] for e in events(joined(answer, rooms[0]))} == {bob.user}, "senders of the filter")

    def timeline(**part):
        answer = alice.sync(filter=json.dumps({"room": {"timeline": part, "not_rooms": [rooms[1]]}}))
        w.check(rooms[1] not in answer["rooms"]["join"], "not_rooms")
        return [e["type"] for e in events(joined(answer, rooms[0]))]
    w.check(timeline(types=["org.example"]) == ["org.example"], "types")
    w.check("org.example" not in timeline(not_types=["org.*"]), "not_types with a wildcard")
    w.check(timeline(contains_url=True) == ["org.example"], "contains_url")
    w.check("m.room.message" not in timeline(not_senders=[alice.user, bob.user]), "not_senders")
    w.check(timeline(types=[]) == [], "no type at all")
    nothing = alice.sync(filter='{"presence":{"types":[]},"account_data":{"types":[]},"room":{"state":{"types":[]},'
                                '"ephemeral":{"types":[]},"account_data":{"types":[]},"timeline":{"types":[]}}}')
    w.check(events(nothing.json, "account_data") == [] and events(nothing.json, "presence") == [], "nothing passes")
    w.check(events(joined(nothing, rooms[0]), "state") == [], "no state passes")
    # What is asked for leaves out what the schemas demand. More fields than asked for are allowed.
    query = quote('{"event_fields":["type","content.body"]}')
    fields = alice.raw("GET", f"/_matrix/client/v3/sync?filter={query}")
    message = [e for e in events(joined(fields, rooms[0])) if e["type"] == "m.room.message"][0]
    w.check(message["content"].get("body") == "from alice", f"event_fields: {message}")
    federation = alice.raw("GET", "/_matrix/client/v3/sync?filter=%7B%22event_format%22%3A%22federation%22%7D")
    event = events(joined(federation, rooms[0]))[0]
    w.check({"auth_events", "prev_events", "hashes", "signatures", "depth"} <= set(event), f"federation: {event}")


def lazy_members(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    room = alice.create_room(preset="public_chat", name="Lazy")
    others = [w.user("hero") for _ in range(5)]  # the room's heroes, whose member events are sent always
    for other in (*others, bob, carol):
        other.join(room)
    heroes = {other.user for other in others}
    for n in range(3):
        bob.send(room, f"b{n}")
    lazy = '{"room":{"timeline":{"limit":2},"state":{"lazy_load_members":true%s}}}'

    def members(since=None, extra=""):
        answer = alice.sync(since, filter=lazy % extra)
        found = {e["state_key"] for e in events(joined(answer, room), "state") if e["type"] == "m.room.member"}
        return answer["next_batch"], found - heroes
    since, found = members()
    w.check(found == {alice.user, bob.user}, f"the senders and oneself: {found}")
    bob.send(room, "again")
    bob.send(room, "and again")
    since, found = members(since)
    w.check(bob.user not in found, f"bob's member event is known: {found}")
    bob.send(room, "redundant")
    since, found = members(since, ',"include_redundant_members":true')
    w.check(bob.user in found, f"include_redundant_members: {found}")
    carol.send(room, "c")
    since, found = members(since)
    w.check(found == {carol.user}, f"a sender not seen before: {found}")
    carol.put("/profile/{userId}/{keyName}", carol.user, "displayname", body={"displayname": "Carola"})
    alice.sync_until(since, lambda s: "Carola" in json.dumps(s), "the new name of a member")
