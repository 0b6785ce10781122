"""Push rules, pushers, and notifications to a gateway."""
from scenarios.gateway import Gateway
from scenarios.syncing import events, joined
from world import log_in

RULE = "/pushrules/global/{kind}/{ruleId}"
OVERRIDE = [".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event",
            ".m.rule.is_user_mention", ".m.rule.is_room_mention", ".m.rule.tombstone", ".m.rule.reaction",
            ".m.rule.room.server_acl", ".m.rule.suppress_edits"]
UNDERRIDE = [".m.rule.call", ".m.rule.encrypted_room_one_to_one", ".m.rule.room_one_to_one", ".m.rule.message",
             ".m.rule.encrypted"]


def ids(client, kind):
    return [rule["rule_id"] for rule in client.get("/pushrules/global/")[kind]]


def push_rules(w):
    alice = w.user("alice")
    for path in ("/pushrules", "/pushrules/"):
        w.check(set(alice.get(path, has=("global",))["global"]) ==
                {"override", "content", "room", "sender", "underride"}, "five kinds of rules")
    alice.get("/pushrules/global", has=("override",))
    w.check(ids(alice, "override") == OVERRIDE and ids(alice, "underride") == UNDERRIDE,
            f"default rules: {ids(alice, 'override')} {ids(alice, 'underride')}")
    since = alice.sync()["next_batch"]
    notify = {"actions": ["notify", {"set_tweak": "sound", "value": "bing"}]}
    alice.put(RULE, "content", "one", body={**notify, "pattern": "cake"})
    alice.put(RULE, "content", "two", body={**notify, "pattern": "pie"})
    w.check(ids(alice, "content") == ["two", "one"], "a new rule is the most important one")
    alice.put(RULE, "content", "three", query={"after": "two"}, body={**notify, "pattern": "tea"})
    alice.put(RULE, "content", "four", query={"before": "one"}, body={**notify, "pattern": "mug"})
    w.check(ids(alice, "content") == ["two", "three", "four", "one"], f"before and after: {ids(alice, 'content')}")
    alice.put(RULE, "content", "one", query={"before": "two"}, body={**notify, "pattern": "cup"})
    w.check(ids(alice, "content")[0] == "one", "a rule is moved")
    rule = alice.get(RULE, "content", "one", has=("rule_id", "actions", "default", "enabled", "pattern")).json
    w.check(rule == {**notify, "rule_id": "one", "default": False, "enabled": True, "pattern": "cup"}, f"rule: {rule}")
    changed = events(alice.sync(since).json, "account_data")
    w.check([e["type"] for e in changed] == ["m.push_rules"], f"m.push_rules in /sync: {changed}")
    alice.put(RULE, "override", "cond", body={"actions": [], "conditions": [
        {"kind": "event_match", "key": "type", "pattern": "m.x"}, {"kind": "room_member_count", "is": "<3"}]})
    w.check(ids(alice, "override")[:2] == [".m.rule.master", "cond"], "own rules come after .m.rule.master")
    alice.put(RULE, "room", "!r:localhost", body={"actions": []})
    alice.put(RULE, "sender", "@bob:localhost", body={"actions": ["notify"]})
    alice.put(RULE, "underride", "low", body={"actions": ["notify"], "conditions": []})
    w.check(alice.get(RULE + "/enabled", "content", "one").json == {"enabled": True}, "enabled")
    alice.put(RULE + "/enabled", "content", "one", body={"enabled": False})
    alice.put(RULE + "/enabled", "override", ".m.rule.master", body={"enabled": True})
    w.check(alice.get(RULE + "/enabled", "override", ".m.rule.master")["enabled"] is True, "a default rule is enabled")
    alice.put(RULE + "/actions", "override", ".m.rule.reaction", body={"actions": ["notify"]})
    w.check(alice.get(RULE + "/actions", "override", ".m.rule.reaction").json == {"actions": ["notify"]}, "actions")
    alice.delete(RULE, "content", "one")
    for route in (RULE, RULE + "/enabled", RULE + "/actions"):
        alice.get(route, "content", "one", want=(404, "M_NOT_FOUND"))
    alice.put(RULE + "/enabled", "content", "one", body={"enabled": True}, want=(404, "M_NOT_FOUND"))
    alice.put(RULE + "/actions", "content", "one", body={"actions": []}, want=(404, "M_NOT_FOUND"))
    alice.delete(RULE, "content", "one", want=(404, "M_NOT_FOUND"))
    for route in (RULE, RULE + "/enabled", RULE + "/actions"):
        alice.get(route, "none", "one", want=(404, "M_NOT_FOUND"))
    alice.put(RULE, "sender", "@old:localhost", body={"actions": ["dont_notify"]})
    w.check(alice.get(RULE, "sender", "@old:localhost")["actions"] == ["dont_notify"], "historical actions are kept")
    for kind, name, body in (("content", ".mine", {**notify, "pattern": "x"}), ("content", "a/b", notify),
                             ("content", "x", notify), ("content", "x", {"pattern": "x"}), ("none", "x", notify),
                             ("content", "x", {"actions": ["dance"], "pattern": "x"}),
                             ("override", "x", {"actions": [], "conditions": [{}]})):
        alice.put(RULE, kind, name, body=body, want=400)
    alice.put(RULE, "content", "x", query={"before": "none"}, body={**notify, "pattern": "x"}, want=(400, "M_UNKNOWN"))
    alice.delete(RULE, "override", ".m.rule.master", want=400)
    _counts_follow(w)
    _hostile_rules(w)


def _hostile_rules(w):
    """What a user's rules hold is read at each event of their rooms: nothing in them may hold up the others there."""
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)

    def tweak(value):
        return {"actions": [{"set_tweak": "x", "value": value}]}
    nested = value = []
    for _ in range(94):
        value.append([])
        value = value[0]
    for body, want in ((tweak(nested), (400, "M_BAD_JSON")), (tweak("x" * 600_000), (413, "M_TOO_LARGE"))):
        for name in (room, "!another:localhost"):
            alice.put(RULE, "room", name, body=body, want=want)
        alice.put(RULE + "/actions", "override", ".m.rule.master", body=body, want=want)
    alice.put(RULE, "room", room, body=tweak(nested[0]))
    alice.get("/pushrules/global")
    since = alice.sync()["next_batch"]
    sent = bob.send(room, "still here")
    for user in (alice, bob):
        user.sync_until(since, lambda answer: sent in str(answer), f"a message in a room with deep rules, to {user.user}")
    alice.delete(RULE, "room", room)


def _counts_follow(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)

    def count():
        return joined(bob.sync(), room)["unread_notifications"]
    alice.send(room, "cake for all")
    w.check(count()["notification_count"] == 1, "a message")
    bob.put(RULE, "content", "cake", body={"actions": ["notify", {"set_tweak": "highlight"}], "pattern": "cake"})
    alice.send(room, "more cake")
    w.check(count() == {"notification_count": 2, "highlight_count": 1}, f"counts follow the rules: {count()}")
    bob.put(RULE, "room", room, body={"actions": []})
    before = count()
    alice.send(room, "muted")
    w.check(count() == before, f"a muted room is not counted: {before} {count()}")
    bob.put(RULE + "/enabled", "override", ".m.rule.master", body={"enabled": True})
    alice.send(room, "cake, unheard")
    w.check(count() == before, f".m.rule.master: {before} {count()}")


def pusher(gateway, app="org.app", pushkey="key", **data):
    return {"app_id": app, "pushkey": pushkey, "kind": "http", "app_display_name": "App", "lang": "en",
            "device_display_name": "Phone", "profile_tag": "tag", "data": {"url": gateway.url, "brand": "x", **data}}


def pushers(w):
    alice, bob = w.user("alice"), w.user("bob")
    phone = log_in(bob)
    room = alice.create_room(preset="private_chat", name="Pushed", invite=[bob.user])
    bob.join(room)
    w.check(bob.get("/pushers", has=("pushers",))["pushers"] == [], "no pushers at first")
    with Gateway() as gateway:
        phone.post("/pushers/set", body=pusher(gateway))
        phone.post("/pushers/set", body=pusher(gateway, pushkey="small", format="event_id_only"))
        listed = {each["pushkey"]: each for each in bob.get("/pushers")["pushers"]}
        w.check(listed.get("key") == pusher(gateway) and set(listed) == {"key", "small"}, f"pushers: {listed}")
        _full(w, alice, bob, room, gateway)
        _invitation(w, alice, bob, gateway)
        _failures(w, alice, room, gateway)
        _refused_pushers(w, bob, gateway)
        # One pushkey belongs to one user, unless `append` says otherwise; a device takes its pushers with it.
        alice.post("/pushers/set", body={**pusher(gateway), "append": True})
        w.check("key" in {each["pushkey"] for each in bob.get("/pushers")["pushers"]}, "append keeps both")
        alice.post("/pushers/set", body=pusher(gateway))
        w.check("key" not in {each["pushkey"] for each in bob.get("/pushers")["pushers"]}, "and without it one stays")
        alice.post("/pushers/set", body={"app_id": "org.app", "pushkey": "key", "kind": None})
        w.check(alice.get("/pushers")["pushers"] == [], "kind null deletes")
        phone.post("/logout", body={})
        w.check(bob.get("/pushers")["pushers"] == [], "a device's pushers go with it")


def _full(w, alice, bob, room, gateway):
    sent = alice.send(room, "ring")

    def device(note):
        return note["devices"][0]
    note = gateway.wait_for(lambda n: n.get("event_id") == sent and device(n)["pushkey"] == "key") or {}
    wanted = {"room_id": room, "type": "m.room.message", "sender": alice.user, "room_name": "Pushed",
              "sender_display_name": alice.user[1:].split(":")[0], "content": {"msgtype": "m.text", "body": "ring"},
              "counts": {"unread": 1}}
    w.check(wanted.items() <= note.items() and note.get("prio") in ("high", "low"), f"notification: {note}")
    told = note.get("devices", [{}])[0]
    w.check(told.get("app_id") == "org.app" and told.get("data") == {"brand": "x"} and
            told.get("tweaks", {}).get("sound") == "default" and isinstance(told.get("pushkey_ts"), int),
            f"device of the notification: {told}")
    small = gateway.wait_for(lambda n: n.get("event_id") == sent and device(n)["pushkey"] == "small") or {}
    w.check(set(small) == {"event_id", "room_id", "counts", "devices"}, f"event_id_only: {small}")
    bob.post("/rooms/{roomId}/receipt/{receiptType}/{eventId}", room, "m.read", sent, body={})
    w.check(gateway.wait_for(lambda n: "event_id" not in n and n.get("counts") == {"unread": 0}),
            "the badge goes down when the message is read")
    sent = alice.send(room, "ring again")
    gateway.wait_for(lambda n: n.get("event_id") == sent and device(n)["pushkey"] == "key")
    gateway.notes.clear()
    alice.put("/rooms/{roomId}/redact/{eventId}/{txnId}", room, sent, "badge", body={})
    w.check(gateway.wait_for(lambda n: "event_id" not in n and n.get("counts") == {"unread": 0}, 20),
            "and when the only unread message is redacted")


def _invitation(w, alice, bob, gateway):
    """Who is invited hears of it, by their own rules, though nothing is unread in a room one is not in."""
    def of(room):
        return gateway.wait_for(lambda n: n.get("room_id") == room and n["devices"][0]["pushkey"] == "key", 10) or {}
    room = alice.create_room(preset="private_chat", name="Wanted", invite=[bob.user])
    note = of(room)
    wanted = {"type": "m.room.member", "sender": alice.user, "user_is_target": True, "room_name": "Wanted", "counts": {}}
    w.check(wanted.items() <= note.items() and note.get("content", {}).get("membership") == "invite",
            f"notification of an invitation at createRoom: {note}")
    room = alice.create_room(preset="private_chat")
    alice.post("/rooms/{roomId}/invite", room, body={"user_id": bob.user})
    w.check(of(room).get("user_is_target") is True, f"notification of an invitation: {of(room)}")


def _failures(w, alice, room, gateway):
    def times(event):
        return [at for at, note, _ in list(gateway.notes) if note.get("event_id") == event
                and note["devices"][0]["pushkey"] == "key"]
    alice.report.settle()
    gateway.notes.clear()
    gateway.faults = {"key": [500, 502]}
    first = alice.send(room, "hard to deliver")
    second = alice.send(room, "after it")
    w.check(gateway.wait_for(lambda n: n.get("event_id") == second and n["devices"][0]["pushkey"] == "key"),
            "what comes after a failure is delivered")
    at = times(first)
    w.check(len(at) == 3 and all(b - a > 0.3 for a, b in zip(at, at[1:])), f"attempts with back-off: {at}")
    w.check(not times(second) or times(second)[0] >= at[-1], f"in order: {at} {times(second)}")
    gateway.rejected = ["small"]
    alice.send(room, "rejected")


def _refused_pushers(w, bob, gateway):
    def gone():
        return "small" not in {each["pushkey"] for each in bob.get("/pushers")["pushers"]}
    w.check(gateway.wait_for(lambda _: gone()), "a pushkey that the gateway rejects is dropped")
    gateway.rejected = []
    good = pusher(gateway)
    for key in ("app_id", "pushkey", "kind", "app_display_name", "device_display_name", "lang", "data"):
        bob.post("/pushers/set", body={k: v for k, v in good.items() if k != key}, want=(400, "M_MISSING_PARAM"))
    for change in ({"kind": "carrier pigeon"}, {"pushkey": "x" * 513}, {"app_id": "x" * 65}, {"data": {}},
                   {"data": {"url": "http://example.com/_matrix/push/v1/notify"}},
                   {"data": {"url": "https://example.com/other"}}, {"data": {"url": "no url"}}):
        bob.post("/pushers/set", body={**good, **change}, want=400)
