"""What belongs to one user: profile, account data, tags; and how it reaches rooms and other devices."""
from scenarios.syncing import events, joined


def profile(w):
    alice, bob, nobody = w.user("alice"), w.user("bob"), w.anonymous
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    route = "/profile/{userId}/{keyName}"
    alice.put(route, alice.user, "displayname", body={"displayname": "Alice A."})
    alice.put(route, alice.user, "avatar_url", body={"avatar_url": "mxc://localhost/cat"})
    w.check(nobody.get(route, alice.user, "displayname").json == {"displayname": "Alice A."}, "displayname")
    whole = nobody.get("/profile/{userId}", alice.user).json
    w.check(whole == {"displayname": "Alice A.", "avatar_url": "mxc://localhost/cat"}, f"profile: {whole}")
    wanted = {"membership": "join", "displayname": "Alice A.", "avatar_url": "mxc://localhost/cat"}

    def renamed(sync):
        return any(e["type"] == "m.room.member" and e["state_key"] == alice.user and e["content"] == wanted
                   for e in events(sync.get("rooms", {}).get("join", {}).get(room, {})))
    bob.sync_until(since, renamed, "the new profile in the room")
    other = bob.create_room(preset="private_chat", invite=[alice.user])
    alice.join(other)
    w.check(alice.state(other, "m.room.member", alice.user).json == wanted, "the profile in a room joined later")
    alice.put(route, alice.user, "m.tz", body={"m.tz": "Europe/Berlin"})
    w.check(nobody.get(route, alice.user, "m.tz").json == {"m.tz": "Europe/Berlin"}, "another field")
    alice.delete(route, alice.user, "m.tz")
    nobody.get(route, alice.user, "m.tz", want=(404, "M_NOT_FOUND"))
    nobody.get(route, "@none:localhost", "displayname", want=(404, "M_NOT_FOUND"))
    nobody.get("/profile/{userId}", "@none:localhost", want=(404, "M_NOT_FOUND"))
    bob.put(route, alice.user, "displayname", body={"displayname": "Evil"}, want=(403, "M_FORBIDDEN"))
    bob.delete(route, alice.user, "displayname", want=(403, "M_FORBIDDEN"))
    alice.put(route, alice.user, "displayname", body={}, want=(400, "M_MISSING_PARAM"))
    alice.put(route, alice.user, "displayname", body={"displayname": 1}, want=400)
    for name in ("displayname", "avatar_url"):  # they go into the member event of every room
        alice.put(route, alice.user, name, body={name: "mxc://" + "x" * 2000}, want=400)
    alice.put(route, alice.user, "x" * 256, body={"x" * 256: 1}, want=(400, "M_KEY_TOO_LARGE"))
    alice.put(route, alice.user, "big", body={"big": "x" * 70000}, want=(400, "M_PROFILE_TOO_LARGE"))


def account_data(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room()
    since = alice.sync()["next_batch"]
    of_user, of_room = "/user/{userId}/account_data/{type}", "/user/{userId}/rooms/{roomId}/account_data/{type}"
    alice.put(of_user, alice.user, "org.example", body={"a": 1})
    alice.put(of_room, alice.user, room, "org.example", body={"b": 2})
    w.check(alice.get(of_user, alice.user, "org.example").json == {"a": 1}, "account data")
    w.check(alice.get(of_room, alice.user, room, "org.example").json == {"b": 2}, "account data of a room")
    answer = alice.sync(since)
    w.check(answer["account_data"]["events"] == [{"type": "org.example", "content": {"a": 1}}], f"/sync: {answer}")
    w.check(events(joined(answer, room), "account_data") == [{"type": "org.example", "content": {"b": 2}}],
            f"/sync: {answer}")
    w.check("account_data" not in alice.sync(answer["next_batch"]).json, "account data comes once")
    filtered = alice.sync(filter='{"account_data":{"not_types":["org.*"]}}')
    w.check([e["type"] for e in events(filtered.json, "account_data")] == ["m.push_rules"], "filtered account data")
    alice.get(of_user, alice.user, "none", want=(404, "M_NOT_FOUND"))
    alice.get(of_room, alice.user, room, "none", want=(404, "M_NOT_FOUND"))
    for route, where in ((of_user, ()), (of_room, (room,))):
        bob.get(route, alice.user, *where, "org.example", want=(403, "M_FORBIDDEN"))
        bob.put(route, alice.user, *where, "org.example", body={}, want=(403, "M_FORBIDDEN"))
        alice.put(route, alice.user, *where, "x" * 256, body={"x": 1}, want=(400, "M_INVALID_PARAM"))
        for name in ("m.fully_read", "m.push_rules"):
            alice.put(route, alice.user, *where, name, body={"x": 1}, want=(405, "M_BAD_JSON"))
    alice.put(of_room, alice.user, "no room", "org.example", body={}, want=(400, "M_INVALID_PARAM"))
    w.check("global" in alice.get(of_user, alice.user, "m.push_rules").json, "m.push_rules can be read")
    for n in range(4):
        bob.put(of_user, bob.user, f"org.big{n}", body={"a": "x" * 900_000})
    bob.put(of_user, bob.user, "org.big4", body={"a": "x" * 900_000}, want=(413, "M_TOO_LARGE"))


def tags(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room()
    since = alice.sync()["next_batch"]
    route, all_tags = "/user/{userId}/rooms/{roomId}/tags/{tag}", "/user/{userId}/rooms/{roomId}/tags"
    w.check(alice.get(all_tags, alice.user, room).json == {"tags": {}}, "no tags at first")
    alice.put(route, alice.user, room, "m.favourite", body={"order": 0.25})
    alice.put(route, alice.user, room, "u.work/2", body={})
    wanted = {"m.favourite": {"order": 0.25}, "u.work/2": {}}
    w.check(alice.get(all_tags, alice.user, room, has=("tags",))["tags"] == wanted, "tags")
    found = events(joined(alice.sync(since), room), "account_data")
    w.check(found == [{"type": "m.tag", "content": {"tags": wanted}}], f"m.tag in /sync: {found}")
    alice.delete(route, alice.user, room, "u.work/2")
    alice.delete(route, alice.user, room, "none")
    w.check(set(alice.get(all_tags, alice.user, room)["tags"]) == {"m.favourite"}, "a tag is deleted")
    bob.get(all_tags, alice.user, room, want=(403, "M_FORBIDDEN"))
    bob.put(route, alice.user, room, "u.x", body={}, want=(403, "M_FORBIDDEN"))
    bob.delete(route, alice.user, room, "m.favourite", want=(403, "M_FORBIDDEN"))
    alice.put(route, alice.user, room, "u.x", body={"order": "first"}, want=(400, "M_BAD_JSON"))
