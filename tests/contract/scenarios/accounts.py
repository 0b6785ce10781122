"""Registration, login, tokens, devices, passwords, the end of an account."""
from server import SECRET
from world import SECRET_REGISTRATION, log_in, register, secret_body

DUMMY = {"type": "m.login.dummy"}


def accounts(w):
    nobody = w.anonymous
    # A flow in two steps: the server names the stages, the client completes one in that session.
    first = nobody.post("/register", body={"username": "twosteps", "password": "correct horse"}, want=401)
    w.check(first.get("flows") == [{"stages": ["m.login.dummy"]}], f"flows: {first}")
    w.check(isinstance(first.get("session"), str) and first["session"], f"session: {first}")
    body = {"username": "twosteps", "password": "correct horse", "auth": {**DUMMY, "session": first.get("session")},
            "device_id": "PHONE", "initial_device_display_name": "My phone"}
    done = nobody.post("/register", body=body, has=("user_id", "access_token", "device_id"))
    w.check(done["user_id"] == "@twosteps:localhost" and done["device_id"] == "PHONE", f"registered: {done}")
    # Names: taken, free, wrong; whichever case they are written in.
    for name, error in (("twosteps", "M_USER_IN_USE"), ("TwoSteps", "M_USER_IN_USE"), ("sp ace", "M_INVALID_USERNAME"),
                        ("ö", "M_INVALID_USERNAME"), ("x" * 250, "M_INVALID_USERNAME"), ("a:b", "M_INVALID_USERNAME")):
        nobody.post("/register", body={"username": name, "password": "correct horse"}, want=(400, error))
        nobody.get("/register/available", query={"username": name}, want=(400, error))
    w.check(nobody.get("/register/available", query={"username": "free"}).get("available") is True, "free is available")
    nobody.get("/register/available", want=(400, "M_MISSING_PARAM"))
    unnamed = nobody.post("/register", body={"password": "correct horse", "auth": DUMMY}, has=("user_id",))
    w.check(len(unnamed["user_id"]) > len("@:localhost"), f"a name is made: {unnamed}")
    silent = nobody.post("/register", body={"username": "silent", "password": "correct horse", "auth": DUMMY,
                                            "inhibit_login": True, "refresh_token": True}, has=("user_id",))
    for name in ("access_token", "device_id", "refresh_token", "expires_in_ms"):
        w.check(name not in silent.json, f"inhibit_login: {name} in {silent}")
    nobody.post("/register", body={"username": "weak", "password": "short", "auth": DUMMY},
                want=(400, "M_WEAK_PASSWORD"))
    nobody.post("/register", query={"kind": "guest"}, body={}, want=(403, "M_GUEST_ACCESS_FORBIDDEN"))
    nobody.get("/_matrix/client/v1/register/m.login.registration_token/validity", query={"token": "none"},
               has=("valid",))
    _with_secret(w)
    alice = w.user("alice")
    who = alice.get("/account/whoami", has=("user_id", "device_id", "is_guest"))
    w.check((who["user_id"], who["device_id"], who["is_guest"]) == (alice.user, alice.device, False), f"whoami: {who}")
    w.check(alice.get("/account/3pid", has=("threepids",))["threepids"] == [], "no third-party ids")


def _with_secret(w):
    nobody, name = w.anonymous, "operator"
    nonce = nobody.get(SECRET_REGISTRATION, has=("nonce",))["nonce"]
    body = secret_body(nonce, name, SECRET)
    nobody.post(SECRET_REGISTRATION, body=secret_body(nonce, name, "wrong"), want=(403, "M_FORBIDDEN"))
    nobody.post(SECRET_REGISTRATION, body={**body, "admin": False}, want=(403, "M_FORBIDDEN"))
    nobody.post(SECRET_REGISTRATION, body=body, has=("user_id", "access_token", "device_id", "home_server"))
    nobody.post(SECRET_REGISTRATION, body=body, want=400)  # a nonce works once
    nobody.post(SECRET_REGISTRATION, body=secret_body("made.up", name, SECRET), want=400)


def tokens(w):
    nobody, alice = w.anonymous, w.user("alice")
    flows = nobody.get("/login", has=("flows",))["flows"]
    w.check({"type": "m.login.password"} in flows, f"login flows: {flows}")
    for identifier in ({"identifier": {"type": "m.id.user", "user": alice.user}},
                       {"identifier": {"type": "m.id.user", "user": alice.user[1:].split(":")[0]}},
                       {"user": alice.user}):
        answer = nobody.post("/login", body={"type": "m.login.password", "password": alice.password, **identifier},
                             has=("user_id", "access_token", "device_id"))
        w.check(answer["user_id"] == alice.user and answer["device_id"] != alice.device, f"login: {answer}")
    wrong = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": "no"}
    nobody.post("/login", body=wrong, want=(403, "M_FORBIDDEN"))
    nobody.post("/login", body={**wrong, "identifier": {"type": "m.id.user", "user": "@none:localhost"}},
                want=(403, "M_FORBIDDEN"))
    nobody.post("/login", body={**wrong, "type": "m.login.none"}, want=(400, "M_UNKNOWN"))
    nobody.post("/login", body={"type": "m.login.password"}, want=400)
    # The same device again: its former token ends.
    again = log_in(alice, device_id=alice.device)
    w.check(again.device == alice.device, "the device id is kept")
    alice.get("/account/whoami", want=(401, "M_UNKNOWN_TOKEN"))
    alice = again
    _refreshing(w, alice)
    # logout ends one device, logout/all every one.
    phone, tablet = log_in(alice), log_in(alice)
    phone.post("/logout", body={})
    gone = phone.get("/account/whoami", want=(401, "M_UNKNOWN_TOKEN"))
    w.check(not gone.get("soft_logout"), f"logout is not soft: {gone}")
    tablet.get("/account/whoami")
    alice.post("/logout/all", body={})
    for client in (alice, tablet):
        client.get("/account/whoami", want=(401, "M_UNKNOWN_TOKEN"))
    nobody.get("/account/whoami", want=(401, "M_MISSING_TOKEN"))


def _refreshing(w, alice):
    nobody = w.anonymous
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user},
            "password": alice.password, "refresh_token": True}
    login = nobody.post("/login", body=body, has=("access_token", "refresh_token", "expires_in_ms"))
    first = alice.with_token(login["access_token"])
    first.get("/account/whoami")
    pair = nobody.post("/refresh", body={"refresh_token": login["refresh_token"]},
                       has=("access_token", "refresh_token", "expires_in_ms"))
    # The answer may have been lost: until the new pair is used, the old one works, and so does a second refresh.
    first.get("/account/whoami")
    pair = nobody.post("/refresh", body={"refresh_token": login["refresh_token"]}, has=("access_token",))
    second = alice.with_token(pair["access_token"])
    w.check(second.get("/account/whoami").get("device_id") == login["device_id"], "the device stays")
    first.get("/account/whoami", want=(401, "M_UNKNOWN_TOKEN"))
    used = nobody.post("/refresh", body={"refresh_token": login["refresh_token"]}, want=(401, "M_UNKNOWN_TOKEN"))
    w.check(used.get("soft_logout") is True, f"a used refresh token is a soft logout: {used}")
    nobody.post("/refresh", body={"refresh_token": "none"}, want=(401, "M_UNKNOWN_TOKEN"))
    nobody.post("/refresh", body={}, want=(400, "M_MISSING_PARAM"))
    second.post("/logout", body={})
    nobody.post("/refresh", body={"refresh_token": pair["refresh_token"]}, want=(401, "M_UNKNOWN_TOKEN"))


def devices(w):
    alice, bob = w.user("alice"), w.user("bob")
    phone, tablet, watch = (log_in(alice, initial_device_display_name=name) for name in ("Phone", "Tablet", "Watch"))
    listed = alice.get("/devices", has=("devices",))["devices"]
    w.check({each["device_id"] for each in listed} == {c.device for c in (alice, phone, tablet, watch)},
            f"devices: {listed}")
    one = alice.get("/devices/{deviceId}", phone.device, has=("device_id", "display_name"))
    w.check(one["display_name"] == "Phone", f"device: {one}")
    mine = alice.get("/devices/{deviceId}", alice.device, has=("last_seen_ts", "last_seen_ip"))
    w.check(mine["last_seen_ip"] == "127.0.0.1", f"last seen: {mine}")
    alice.put("/devices/{deviceId}", phone.device, body={"display_name": "New phone"})
    w.check(alice.get("/devices/{deviceId}", phone.device).get("display_name") == "New phone", "renamed")
    bob.get("/devices/{deviceId}", phone.device, want=(404, "M_NOT_FOUND"))
    bob.put("/devices/{deviceId}", phone.device, body={"display_name": "Mine"}, want=(404, "M_NOT_FOUND"))
    # Deleting asks for the password, of the same user, in a session for this very request.
    first = alice.delete("/devices/{deviceId}", phone.device, body={}, want=401)
    w.check(first.get("flows") == [{"stages": ["m.login.password"]}], f"flows: {first}")
    session = first.get("session")
    wrong = alice.delete("/devices/{deviceId}", phone.device, body={"auth": alice.password_auth(session, "wrong")},
                         want=(401, "M_FORBIDDEN"))
    w.check(wrong.get("flows") and wrong.get("session"), f"a failed stage can be tried again: {wrong}")
    alice.delete("/devices/{deviceId}", phone.device, body={"auth": {**bob.password_auth(session)}}, want=403)
    alice.delete("/devices/{deviceId}", phone.device, body={"auth": alice.password_auth(session)})
    phone.get("/account/whoami", want=(401, "M_UNKNOWN_TOKEN"))
    alice.get("/devices/{deviceId}", phone.device, want=(404, "M_NOT_FOUND"))
    many = {"devices": [tablet.device, watch.device, "NONE"]}
    session = alice.post("/delete_devices", body=many, want=401).get("session")
    alice.post("/delete_devices", body={**many, "auth": alice.password_auth(session)})
    w.check(len(alice.get("/devices")["devices"]) == 1, "delete_devices deletes both")


def passwords(w):
    alice = w.user("alice")
    phone = log_in(alice)
    body = {"new_password": "battery staple", "logout_devices": False}
    session = alice.post("/account/password", body=body, want=401).get("session")
    alice.post("/account/password", body={**body, "auth": alice.password_auth(session)})
    phone.get("/account/whoami")
    alice.password = "battery staple"
    log_in(alice)
    alice.post("/account/password", body={"new_password": "third password", "auth": alice.password_auth()})
    phone.get("/account/whoami", want=(401, "M_UNKNOWN_TOKEN"))
    alice.get("/account/whoami")
    alice.post("/account/password", body={"new_password": "x", "auth": alice.password_auth(password="third password")},
               want=(400, "M_WEAK_PASSWORD"))
    w.anonymous.post("/account/password", body={"new_password": "correct horse"}, want=(401, "M_MISSING_TOKEN"))


def deactivation(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = bob.create_room(preset="public_chat")
    alice.join(room)
    said = alice.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, "org.example", "t", body={"body": "secret"})
    said = said["event_id"]
    alice.put("/profile/{userId}/{keyName}", alice.user, "displayname", body={"displayname": "Alice"})
    alice.post("/account/deactivate", body={}, want=401)
    answer = alice.post("/account/deactivate", body={"auth": alice.password_auth(), "erase": True},
                        has=("id_server_unbind_result",))
    w.check(answer.get("id_server_unbind_result") in ("success", "no-support"), f"deactivate: {answer}")
    alice.get("/account/whoami", want=(401, "M_UNKNOWN_TOKEN"))
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user},
             "password": alice.password}
    w.anonymous.post("/login", body=login, want=(403, "M_USER_DEACTIVATED"))
    w.anonymous.post("/register", body={"username": alice.user[1:].split(":")[0], "password": "correct horse"},
                     want=(400, "M_USER_IN_USE"))
    # Rooms are left, by work in the background.
    bob.sync_until(None, lambda sync: _has_left(sync, room, alice.user), "the deactivated user leaving")
    # Who joins after the erasure gets redacted copies; who was there has the originals.
    carol = w.user("carol")
    carol.join(room)
    for user, wanted in ((bob, "secret"), (carol, None)):
        events = [user.get("/rooms/{roomId}/event/{eventId}", room, said).json,
                  user.get("/rooms/{roomId}/context/{eventId}", room, said)["event"]]
        for events_of in (user.get("/rooms/{roomId}/messages", room, query={"dir": "b", "limit": 100})["chunk"],
                          user.sync(filter='{"room":{"timeline":{"limit":100}}}')["rooms"]["join"][room]["timeline"][
                              "events"]):
            events += [event for event in events_of if event["event_id"] == said]
        w.check([event["content"].get("body") for event in events] == [wanted] * 4, f"erased, for {user.user}: {events}")
    carol.post("/rooms/{roomId}/leave", room, body={})
    members = bob.get("/rooms/{roomId}/joined_members", room)["joined"]
    w.check(set(members) == {bob.user}, f"members after deactivation: {members}")
    register(w.anonymous, "afterwards")


def _has_left(sync, room, user):
    events = sync.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {}).get("events", [])
    return any(e["type"] == "m.room.member" and e["state_key"] == user and e["content"]["membership"] == "leave"
               for e in events)
