"""Creating rooms, being a member of them, their aliases and the directory."""


def creation(w):
    alice, bob = w.user("alice"), w.user("bob")
    presets = {"private_chat": ("invite", "shared", "can_join"), "public_chat": ("public", "shared", "forbidden"),
               "trusted_private_chat": ("invite", "shared", "can_join")}
    for version in ("11", "12"):
        for preset, wanted in presets.items():
            room = alice.create_room(preset=preset, room_version=version, invite=[bob.user], is_direct=True)
            _check_preset(w, alice, bob, room, version, preset, wanted)
    for visibility, rule in (("public", "public"), ("private", "invite")):
        room = alice.create_room(visibility=visibility)
        w.check(alice.state(room, "m.room.join_rules")["join_rule"] == rule, f"preset implied by {visibility}")
        listed = alice.get("/directory/list/room/{roomId}", room, has=("visibility",))["visibility"]
        w.check(listed == visibility, f"visibility {visibility}: {listed}")
    _check_options(w, alice, bob)
    _check_refused(w, alice, bob)


def _check_preset(w, alice, bob, room, version, preset, wanted):
    what = f"{preset}, version {version}"
    got = (alice.state(room, "m.room.join_rules").get("join_rule"),
           alice.state(room, "m.room.history_visibility").get("history_visibility"),
           alice.state(room, "m.room.guest_access").get("guest_access"))
    w.check(got == wanted, f"{what}: {got}")
    create = alice.state(room, "m.room.create", query={"format": "event"})
    w.check(create["content"].get("room_version") == version and "creator" not in create["content"],
            f"{what}: m.room.create {create}")
    w.check((":" in room) == (version == "11"), f"{what}: room id {room}")
    levels = alice.state(room, "m.room.power_levels").json
    trusted = preset == "trusted_private_chat"
    if version == "12":
        w.check(alice.user not in levels["users"], f"{what}: the creator is in users: {levels}")
        w.check(levels["events"]["m.room.tombstone"] > levels.get("state_default", 50), f"{what}: tombstone {levels}")
        creators = create["content"].get("additional_creators", [])
        w.check(creators == ([bob.user] if trusted else []), f"{what}: additional_creators {creators}")
    else:
        w.check(levels["users"].get(alice.user) == 100, f"{what}: users {levels}")
        w.check(levels["users"].get(bob.user) == (100 if trusted else None), f"{what}: users {levels}")
    member = alice.state(room, "m.room.member", bob.user)
    w.check(member.get("membership") == "invite" and member.get("is_direct") is True, f"{what}: invite {member}")


def _check_options(w, alice, bob):
    room = alice.create_room(
        name="Pub", topic="Beer", room_alias_name="the-pub", preset="public_chat", room_version="11",
        creation_content={"m.federate": False, "type": "m.space", "creator": "@evil:localhost", "room_version": "1"},
        initial_state=[{"type": "m.room.name", "content": {"name": "overridden"}},
                       {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}},
                       {"type": "org.example", "state_key": "k", "content": {"a": 1}}],
        power_level_content_override={"events_default": 10, "users": {alice.user: 100, bob.user: 20}})
    create = alice.state(room, "m.room.create").json
    w.check(create == {"m.federate": False, "type": "m.space", "room_version": "11"}, f"creation_content: {create}")
    w.check(alice.state(room, "m.room.name")["name"] == "Pub", "name wins over initial_state")
    topic = alice.state(room, "m.room.topic").json
    w.check(topic.get("topic") == "Beer" and
            topic.get("m.topic", {}).get("m.text") == [{"body": "Beer", "mimetype": "text/plain"}], f"topic: {topic}")
    w.check(alice.state(room, "m.room.join_rules")["join_rule"] == "knock", "initial_state wins over the preset")
    w.check(alice.state(room, "org.example", "k").json == {"a": 1}, "initial_state")
    w.check(alice.state(room, "m.room.canonical_alias")["alias"] == "#the-pub:localhost", "canonical alias")
    found = alice.get("/directory/room/{roomAlias}", "#the-pub:localhost", has=("room_id", "servers"))
    w.check(found["room_id"] == room and found["servers"] == ["localhost"], f"alias: {found}")
    levels = alice.state(room, "m.room.power_levels").json
    w.check(levels["events_default"] == 10 and levels["users"][bob.user] == 20, f"override: {levels}")
    order = [event["type"] for event in alice.get("/rooms/{roomId}/messages", room, query={"dir": "f", "limit": 50})[
        "chunk"]]
    w.check(order == ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias",
                      "m.room.history_visibility", "m.room.guest_access", "m.room.name", "m.room.join_rules",
                      "org.example", "m.room.name", "m.room.topic"], f"the order of the first events: {order}")
    combined = alice.create_room(preset="trusted_private_chat", invite=[bob.user],
                                 creation_content={"additional_creators": [bob.user, "@c:elsewhere"]})
    creators = alice.state(combined, "m.room.create").get("additional_creators")
    w.check(creators == [bob.user, "@c:elsewhere"], f"additional_creators are combined: {creators}")
    renamed = alice.create_room(initial_state=[{"type": "m.room.encryption",
                                                "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])
    w.check(alice.state(renamed, "m.room.encryption").get("algorithm"), "state_key defaults to the empty string")


def _check_refused(w, alice, bob):
    before = len(alice.get("/joined_rooms", has=("joined_rooms",))["joined_rooms"])
    person = {"id_server": "id.example", "id_access_token": "x", "medium": "email", "address": "a@example.com"}
    for body, want in (
            ({"room_version": "999"}, (400, "M_UNSUPPORTED_ROOM_VERSION")),
            ({"room_version": 12}, (400, "M_BAD_JSON")),
            ({"preset": "none"}, 400),
            ({"visibility": "none"}, 400),
            ({"room_alias_name": "the-pub"}, (400, "M_ROOM_IN_USE")),
            ({"room_alias_name": "#full:localhost"}, (400, "M_INVALID_PARAM")),
            ({"invite": ["not a user"]}, (400, "M_INVALID_PARAM")),
            ({"invite": [f"@u{n}:localhost" for n in range(501)]}, (413, "M_TOO_LARGE")),
            ({"initial_state": [{"type": "m.x", "state_key": str(n), "content": {}} for n in range(501)]},
             (413, "M_TOO_LARGE")),
            ({"invite_3pid": [person]}, (403, "M_THREEPID_DENIED")),
            ({"creation_content": {"additional_creators": ["nobody"]}}, 400),
            ({"power_level_content_override": {"users": {alice.user: 100}}}, (400, "M_INVALID_ROOM_STATE")),
            ({"room_version": "11", "power_level_content_override": {"users": {bob.user: 100}}},
             (400, "M_INVALID_ROOM_STATE")),
            ({"power_level_content_override": {"ban": "high"}}, 400),
            ({"name": "n", "room_version": "11",
              "power_level_content_override": {"users": {alice.user: 0}, "events": {"m.room.name": 50}}},
             (400, "M_INVALID_ROOM_STATE")),
            ({"initial_state": [{"type": "m.room.member", "state_key": bob.user, "content": {"membership": "join"}}]},
             (400, "M_INVALID_ROOM_STATE")),
            ({"initial_state": [{"content": {}}]}, (400, "M_BAD_JSON")),
            ({"room_alias_name": "later", "initial_state": [{"type": "x" * 300, "content": {}}]},
             (413, "M_TOO_LARGE"))):
        alice.post("/createRoom", body=body, want=want)
    after = len(alice.get("/joined_rooms")["joined_rooms"])
    w.check(before == after, f"a refused createRoom left {after - before} rooms behind")
    alice.create_room(room_alias_name="later")  # a refused room has let go of its alias


def membership(w):
    alice, bob, carol = w.user("alice"), w.user("bob"), w.user("carol")
    bob.put("/profile/{userId}/{keyName}", bob.user, "displayname", body={"displayname": "Bob"})
    room = alice.create_room(preset="private_chat", name="Club")
    bob.join(room, want=(403, "M_FORBIDDEN"))
    alice.post("/rooms/{roomId}/invite", room, body={"user_id": bob.user, "reason": "come"})
    invited = alice.state(room, "m.room.member", bob.user).json
    w.check(invited.get("reason") == "come" and invited.get("displayname") == "Bob", f"invite: {invited}")
    joined = bob.post("/rooms/{roomId}/join", room, body={"reason": "thanks"}, has=("room_id",))
    w.check(joined["room_id"] == room, f"join: {joined}")
    w.check(bob.state(room, "m.room.member", bob.user).get("reason") == "thanks", "the reason of a join")
    w.check(room in bob.get("/joined_rooms")["joined_rooms"], "joined_rooms")
    bob.join(room)  # again: no change
    alice.invite(room, bob, want=(403, "M_FORBIDDEN"))
    alice.post("/rooms/{roomId}/invite", room, body={"user_id": "@x:elsewhere"}, want=(403, "M_FORBIDDEN"))
    alice.post("/createRoom", body={"invite": ["@x:elsewhere"]}, want=(403, "M_FORBIDDEN"))
    said = alice.send(room, "while bob was here")
    bob.post("/rooms/{roomId}/kick", room, body={"user_id": alice.user}, want=(403, "M_FORBIDDEN"))
    bob.post("/rooms/{roomId}/ban", room, body={"user_id": alice.user}, want=(403, "M_FORBIDDEN"))
    alice.post("/rooms/{roomId}/kick", room, body={"user_id": bob.user, "reason": "out"})
    kicked = alice.state(room, "m.room.member", bob.user).json
    w.check(kicked.get("membership") == "leave" and kicked.get("reason") == "out", f"kick: {kicked}")
    alice.post("/rooms/{roomId}/kick", room, body={"user_id": carol.user}, want=(403, "M_FORBIDDEN"))
    alice.post("/rooms/{roomId}/ban", room, body={"user_id": bob.user, "reason": "spam"})
    banned = alice.state(room, "m.room.member", bob.user).json
    w.check(banned.get("membership") == "ban" and banned.get("reason") == "spam", f"ban: {banned}")
    alice.invite(room, bob, want=(403, "M_FORBIDDEN"))
    bob.join(room, want=(403, "M_FORBIDDEN"))
    _keeps_history(w, bob, room, said, "banned")
    alice.post("/rooms/{roomId}/unban", room, body={"user_id": bob.user})
    alice.set_state(room, "m.room.topic", {"topic": "for others"})
    alice.invite(room, bob)
    _keeps_history(w, bob, room, said, "invited again")
    bob.post("/rooms/{roomId}/leave", room, body={})
    _keeps_history(w, bob, room, said, "rejected")
    alice.post("/rooms/{roomId}/unban", room, body={"user_id": bob.user}, want=(403, "M_FORBIDDEN"))
    w.check(alice.state(room, "m.room.member", bob.user).get("membership") == "leave", "unban")
    # An invitation refused, a room left and forgotten.
    alice.invite(room, carol)
    carol.post("/rooms/{roomId}/leave", room, body={"reason": "no"})
    w.check(alice.state(room, "m.room.member", carol.user).get("reason") == "no", "an invite is refused")
    left = alice.state(room, "m.room.member", carol.user, query={"format": "event"})["event_id"]
    carol.post("/rooms/{roomId}/leave", room, body={})  # once more: nothing changes
    again = alice.state(room, "m.room.member", carol.user, query={"format": "event"})["event_id"]
    w.check(left == again, "leaving twice made two events")
    alice.invite(room, carol)
    carol.join(room)
    carol.post("/rooms/{roomId}/forget", room, body={}, want=400)
    carol.post("/rooms/{roomId}/leave", room, body={})
    carol.get("/rooms/{roomId}/messages", room, query={"dir": "b"})
    seen = carol.get("/rooms/{roomId}/messages", room, query={"dir": "b"})["chunk"][0]["event_id"]
    include_leave = '{"room":{"include_leave":true}}'
    w.check(room in carol.sync(filter=include_leave)["rooms"]["leave"], "include_leave")
    carol.post("/rooms/{roomId}/forget", room, body={})
    carol.get("/rooms/{roomId}/messages", room, query={"dir": "b"}, want=(403, "M_FORBIDDEN"))
    for path in ("state", "members", "messages"):  # it is not told what else is wrong
        carol.get("/rooms/{roomId}/" + path, room, want=(403, "M_FORBIDDEN"))
    for path in ("event", "context"):
        carol.get(f"/rooms/{{roomId}}/{path}/{{eventId}}", room, seen, want=(404, "M_NOT_FOUND"))
    w.check(room not in carol.sync(filter=include_leave).get("rooms", {}).get("leave", {}), "a forgotten room")
    alice.invite(room, carol)
    carol.join(room)
    carol.get("/rooms/{roomId}/event/{eventId}", room, seen)
    for action in ("join", "leave"):
        carol.post(f"/rooms/{{roomId}}/{action}", "!none:localhost", body={}, want=(404, "M_NOT_FOUND"))
    for action in ("kick", "ban", "unban", "invite"):
        alice.post(f"/rooms/{{roomId}}/{action}", room, body={}, want=(400, "M_MISSING_PARAM"))
    alice.post("/rooms/{roomId}/invite", room, want=403, body={
        "id_server": "id.example", "id_access_token": "x", "medium": "email", "address": "a@example.com"})


def _keeps_history(w, user, room, said, what):
    """Who was joined once has the room as of when they left, whatever has happened since."""
    chunk = user.get("/rooms/{roomId}/messages", room, query={"dir": "b", "limit": 100})["chunk"]
    w.check(said in [event["event_id"] for event in chunk], f"{what}: messages")
    newest = user.get("/rooms/{roomId}/messages", room, query={"dir": "b", "limit": 1})["chunk"]
    w.check([event["content"].get("reason") for event in newest] == ["out"], f"{what}: where messages begin: {newest}")
    around = user.get("/rooms/{roomId}/context/{eventId}", room, said)
    w.check(around["event"]["event_id"] == said, f"{what}: context")
    state = user.get("/rooms/{roomId}/state", room).json
    w.check("m.room.topic" not in [event["type"] for event in state], f"{what}: later state")
    members = user.get("/rooms/{roomId}/members", room)["chunk"]
    own = [event["content"] for event in members if event["state_key"] == user.user]
    w.check(own[0].get("reason") == "out", f"{what}: members when they left: {own}")


def aliases(w):
    alice, bob, nobody = w.user("alice"), w.user("bob"), w.anonymous
    room = alice.create_room(preset="public_chat", visibility="public", name="Listed", topic="Findable words")
    alias = "#one:localhost"
    alice.put("/directory/room/{roomAlias}", alias, body={"room_id": room})
    alice.put("/directory/room/{roomAlias}", alias, body={"room_id": room}, want=409)
    nobody.get("/directory/room/{roomAlias}", alias, has=("room_id", "servers"))
    nobody.get("/directory/room/{roomAlias}", "#none:localhost", want=(404, "M_NOT_FOUND"))
    alice.put("/directory/room/{roomAlias}", "#x:elsewhere", body={"room_id": room}, want=400)
    alice.put("/directory/room/{roomAlias}", "#x:localhost", body={"room_id": "!none:localhost"}, want=400)
    bob.get("/rooms/{roomId}/aliases", room, want=(403, "M_FORBIDDEN"))
    joined = bob.post("/join/{roomIdOrAlias}", alias, body={}, has=("room_id",))
    w.check(joined["room_id"] == room, f"join by alias: {joined}")
    bob.post("/join/{roomIdOrAlias}", room, query={"via": "localhost"}, body={}, has=("room_id",))
    bob.post("/join/{roomIdOrAlias}", "#none:localhost", body={}, want=(404, "M_NOT_FOUND"))
    w.check(bob.get("/rooms/{roomId}/aliases", room, has=("aliases",))["aliases"] == [alias], "aliases of the room")
    alice.set_state(room, "m.room.canonical_alias", {"alias": alias})
    alice.put("/rooms/{roomId}/state/{eventType}", room, "m.room.canonical_alias",
              body={"alias": alias, "alt_aliases": ["#elsewhere:localhost"]}, want=(400, "M_BAD_ALIAS"))
    alice.put("/rooms/{roomId}/state/{eventType}", room, "m.room.canonical_alias",
              body={"alias": "no alias"}, want=(400, "M_INVALID_PARAM"))
    # The directory of rooms.
    listed = nobody.get("/publicRooms", has=("chunk", "total_room_count_estimate"))
    entry = next((each for each in listed["chunk"] if each["room_id"] == room), {})
    wanted = {"name": "Listed", "topic": "Findable words", "canonical_alias": alias, "num_joined_members": 2,
              "world_readable": False, "guest_can_join": False, "join_rule": "public"}
    w.check(wanted.items() <= entry.items(), f"publicRooms: {entry}")
    found = bob.post("/publicRooms", body={"filter": {"generic_search_term": "FINDABLE"}}, has=("chunk",))["chunk"]
    w.check([each["room_id"] for each in found] == [room], f"search: {found}")
    page = nobody.get("/publicRooms", query={"limit": 1}, has=("chunk", "next_batch"))
    following = nobody.get("/publicRooms", query={"limit": 1, "since": page["next_batch"]}, has=("chunk",))
    w.check(len(page["chunk"]) == 1 and page["chunk"] != following["chunk"], "publicRooms pages")
    bob.put("/directory/list/room/{roomId}", room, body={"visibility": "private"}, want=(403, "M_FORBIDDEN"))
    alice.put("/directory/list/room/{roomId}", room, body={"visibility": "private"})
    w.check(nobody.get("/directory/list/room/{roomId}", room)["visibility"] == "private", "unlisted")
    nobody.get("/directory/list/room/{roomId}", "!none:localhost", want=(404, "M_NOT_FOUND"))
    bob.delete("/directory/room/{roomAlias}", alias, want=(403, "M_FORBIDDEN"))
    alice.delete("/directory/room/{roomAlias}", alias)
    alice.delete("/directory/room/{roomAlias}", alias, want=(404, "M_NOT_FOUND"))
    w.check(alice.state(room, "m.room.canonical_alias").json == {}, "a deleted alias is no canonical alias")
    _deleted_aliases(w, alice, bob, room)


def _deleted_aliases(w, alice, bob, room):
    """What is left of m.room.canonical_alias."""
    names = {user: f"#of-{user.user[1:]}" for user in (alice, bob)}
    for user, alias in names.items():
        user.put("/directory/room/{roomAlias}", alias, body={"room_id": room})
    both = {"alias": names[alice], "alt_aliases": [names[bob], names[alice]], "org.example": 1}
    alice.set_state(room, "m.room.canonical_alias", both)
    bob.delete("/directory/room/{roomAlias}", names[bob])  # his own, but the event is not his to change
    w.check(alice.state(room, "m.room.canonical_alias").json == both, "only who may writes m.room.canonical_alias")
    alice.delete("/directory/room/{roomAlias}", names[alice])
    left = alice.state(room, "m.room.canonical_alias").json
    w.check(left == {"alt_aliases": [names[bob]], "org.example": 1}, f"the other alias stays: {left}")
