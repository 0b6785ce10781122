"""Something for every served endpoint to work on: parameters and bodies with which a request would succeed."""
import itertools

from scenarios.encryption import upload_keys
from scenarios.signing import Key, cross_signing, device_keys, one_time_key
from spec import CAPS
from world import log_in

V3 = "/_matrix/client/v3"
SESSION = {"first_message_index": 1, "forwarded_count": 0, "is_verified": False, "session_data": {"a": "b"}}
# Endpoints that need no token. Those that read no body although the method could have one.
OPEN_PREFIXES = ("/_synapse/", "/_myelin/health")
OPEN = {("GET", "/.well-known/matrix/client"), ("GET", "/_matrix/client/versions"), ("GET", V3 + "/login"),
        ("POST", V3 + "/login"), ("POST", V3 + "/refresh"), ("POST", V3 + "/register"),
        ("GET", V3 + "/register/available"), ("GET", V3 + "/profile/{userId}"),
        ("GET", V3 + "/profile/{userId}/{keyName}"), ("GET", V3 + "/directory/room/{roomAlias}"),
        ("GET", V3 + "/directory/list/room/{roomId}"), ("GET", V3 + "/publicRooms"),
        ("GET", "/_matrix/client/v1/register/m.login.registration_token/validity")}
NO_BODY = {("POST", V3 + "/logout"), ("POST", V3 + "/logout/all"), ("POST", V3 + "/rooms/{roomId}/forget")}
# Where an empty body counts as {}.
EMPTY_BODY = {("POST", V3 + "/account/deactivate"), ("POST", V3 + "/join/{roomIdOrAlias}"),
              ("POST", V3 + "/publicRooms"), ("DELETE", V3 + "/devices/{deviceId}"),
              ("PUT", V3 + "/user/{userId}/rooms/{roomId}/tags/{tag}"),
              ("PUT", V3 + "/rooms/{roomId}/redact/{eventId}/{txnId}"),
              ("POST", V3 + "/rooms/{roomId}/receipt/{receiptType}/{eventId}"),
              *(("POST", f"{V3}/rooms/{{roomId}}/{name}")
                for name in ("join", "leave", "invite", "kick", "ban", "unban"))}
# The body is the content of an event or of account data: any object will do.
CONTENT = {("PUT", V3 + "/rooms/{roomId}/send/{eventType}/{txnId}"), ("PUT", V3 + "/rooms/{roomId}/state/{eventType}"),
           ("PUT", V3 + "/rooms/{roomId}/state/{eventType}/{stateKey}"),
           ("PUT", V3 + "/user/{userId}/account_data/{type}"),
           ("PUT", V3 + "/user/{userId}/rooms/{roomId}/account_data/{type}")}


def is_open(method, route):
    return (method, route) in OPEN or route.startswith(OPEN_PREFIXES)


class Targets:
    def __init__(self, world):
        self.world = world
        self.alice, self.bob, self.mallory = (world.user(name) for name in ("alice", "bob", "mallory"))
        self.phone = log_in(self.alice)
        self.key, _ = upload_keys(self.alice, one_time=("A",))
        alice = self.alice
        self.room = alice.create_room(preset="public_chat", room_alias_name=f"t{world.users}")
        self.alias = f"#t{world.users}:localhost"
        self.bob.join(self.room)
        self.event = alice.send(self.room, "target")
        alice.set_state(self.room, "org.example", {}, "key")
        self.filter = alice.post("/user/{userId}/filter", alice.user, body={})["filter_id"]
        alice.put("/pushrules/global/{kind}/{ruleId}", "content", "rule", body={"actions": [], "pattern": "x"})
        self.version = alice.post("/room_keys/version", body={"algorithm": "a", "auth_data": {}})["version"]
        alice.put("/room_keys/keys/{roomId}/{sessionId}", self.room, "session", query={"version": self.version},
                  body=SESSION)
        for data in (("/user/{userId}/account_data/{type}", alice.user, "org.example"),
                     ("/user/{userId}/rooms/{roomId}/account_data/{type}", alice.user, self.room, "org.example"),
                     ("/user/{userId}/rooms/{roomId}/tags/{tag}", alice.user, self.room, "u.tag")):
            alice.put(*data, body={})
        self.numbers = itertools.count()
        self.administrator = world.administrator()

    def client_for(self, method, route):
        if is_open(method, route):
            return self.world.anonymous
        return self.administrator if route.startswith("/_myelin/") else self.alice

    def parameters(self, route, **others):
        """Values for the route's parameters."""
        values = {"roomId": self.room, "roomIdOrAlias": self.room, "userId": self.alice.user, "roomAlias": self.alias,
                  "eventId": self.event, "deviceId": self.phone.device, "filterId": self.filter, "kind": "content",
                  "ruleId": "rule", "version": self.version, "sessionId": "session", "tag": "u.tag",
                  "type": "org.example", "keyName": "displayname", "receiptType": "m.read", "stateKey": "key",
                  "eventType": "org.example", "txnId": f"txn{next(self.numbers)}"}
        values.update(others)
        return [values[name.strip("{}")] for name in CAPS.findall(route)]

    def query(self, route):
        """The query without which the endpoint refuses."""
        if "/room_keys/keys" in route:
            return {"version": self.version}
        token = self.alice.sync()["next_batch"] if route.endswith("/keys/changes") else ""
        return {"/messages": {"dir": "b"}, "/available": {"username": "free"}, "/validity": {"token": "x"},
                "/changes": {"from": token, "to": token}}.get("/" + route.split("/")[-1], {})

    def body(self, method, route):
        """A body that is taken, or None where none is read."""
        if method not in ("PUT", "POST") or (method, route) in NO_BODY:
            return None
        if (method, route) in CONTENT:
            return {"body": "content"}
        alice, other = self.alice, {"user_id": self.bob.user, "reason": "why"}
        keys = {f"signed_curve25519:K{next(self.numbers)}": one_time_key(alice, self.key, "k")}
        bodies = {
            "/login": {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user},
                       "password": alice.password, "device_id": "NEW", "initial_device_display_name": "n",
                       "refresh_token": True},
            "/register": {"auth": {"type": "m.login.dummy"}, "username": f"new{next(self.numbers)}", "device_id": "D",
                          "password": "correct horse", "inhibit_login": True, "refresh_token": True,
                          "initial_device_display_name": "n"},
            "/refresh": {"refresh_token": "x"},
            "/account/password": {"new_password": alice.password, "logout_devices": False,
                                  "auth": alice.password_auth()},
            "/account/deactivate": {"auth": {"type": "m.login.password"}, "erase": True},
            "/delete_devices": {"devices": ["NONE"], "auth": alice.password_auth()},
            "/devices/{deviceId}": {"display_name": "Phone"},
            "/createRoom": {"name": "n", "topic": "t", "preset": "private_chat", "visibility": "private",
                            "room_version": "12", "invite": [self.bob.user], "invite_3pid": [], "is_direct": True,
                            "creation_content": {}, "power_level_content_override": {}, "room_alias_name": "bad-input",
                            "initial_state": [{"type": "org.example", "state_key": "", "content": {}}]},
            "/publicRooms": {"limit": 10, "since": "p0", "filter": {"generic_search_term": "x", "room_types": [None]}},
            "/join/{roomIdOrAlias}": {"reason": "why"}, "/rooms/{roomId}/join": {"reason": "why"},
            "/rooms/{roomId}/leave": {"reason": "why"},
            "/rooms/{roomId}/read_markers": {name: self.event for name in ("m.fully_read", "m.read", "m.read.private")},
            "/rooms/{roomId}/receipt/{receiptType}/{eventId}": {"thread_id": "main"},
            "/rooms/{roomId}/redact/{eventId}/{txnId}": {"reason": "why"},
            "/rooms/{roomId}/typing/{userId}": {"typing": False, "timeout": 1000},
            "/presence/{userId}/status": {"presence": "online", "status_msg": "m"},
            "/directory/room/{roomAlias}": {"room_id": self.room},
            "/directory/list/room/{roomId}": {"visibility": "private"},
            "/profile/{userId}/{keyName}": {"displayname": "Alice"},
            "/user/{userId}/filter": {"room": {"timeline": {"limit": 1, "types": ["x"], "senders": [alice.user],
                                                            "contains_url": True}, "rooms": [self.room],
                                               "include_leave": True, "state": {"lazy_load_members": True}},
                                      "event_format": "client", "event_fields": ["type"],
                                      "presence": {"not_types": ["x"]}, "account_data": {"not_senders": []}},
            "/user/{userId}/rooms/{roomId}/tags/{tag}": {"order": 0.5},
            "/keys/upload": {"device_keys": device_keys(alice, self.key), "one_time_keys": keys,
                             "fallback_keys": {}},
            "/keys/query": {"device_keys": {alice.user: []}, "timeout": 1000},
            "/keys/claim": {"one_time_keys": {alice.user: {"NONE": "signed_curve25519"}}, "timeout": 1000},
            "/keys/device_signing/upload": {"master_key": cross_signing(alice, "master", Key(alice.user))},
            "/keys/signatures/upload": {alice.user: {alice.device: device_keys(alice, self.key)}},
            "/sendToDevice/{eventType}/{txnId}": {"messages": {alice.user: {alice.device: {}}}},
            "/room_keys/version": {"algorithm": "a", "auth_data": {}},
            "/room_keys/version/{version}": {"algorithm": "a", "auth_data": {}, "version": self.version},
            "/room_keys/keys": {"rooms": {self.room: {"sessions": {"s": SESSION}}}},
            "/room_keys/keys/{roomId}": {"sessions": {"s": SESSION}},
            "/room_keys/keys/{roomId}/{sessionId}": SESSION,
            "/pushrules/global/{kind}/{ruleId}": {"actions": ["notify"], "pattern": "x"},
            "/pushrules/global/{kind}/{ruleId}/enabled": {"enabled": True},
            "/pushrules/global/{kind}/{ruleId}/actions": {"actions": ["notify"]},
            "/pushers/set": {"app_id": "a", "pushkey": "k", "kind": "http", "app_display_name": "n", "lang": "en",
                             "device_display_name": "n", "profile_tag": "t", "append": True,
                             "data": {"url": "https://push.example/_matrix/push/v1/notify", "format": "x"}},
            "/_synapse/admin/v1/register": {"nonce": "x", "username": "u", "password": "correct horse", "mac": "00",
                                            "admin": False},
            "/_myelin/admin/parked/retry": {"consumer": "none", "key": "none"},
            **{f"/rooms/{{roomId}}/{name}": other for name in ("invite", "kick", "ban", "unban")},
        }
        return bodies[route.removeprefix(V3)]
