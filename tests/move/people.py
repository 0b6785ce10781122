"""Users of the server under test, each with the tokens that a client keeps."""
import base64
import itertools
import time
from urllib.parse import quote

from client import Connection, Gone  # tests/crash

CLIENT = "/_matrix/client/v3"
WHOLE = quote('{"room": {"timeline": {"limit": 1000}}}')  # no gaps


class Person:
    numbers = itertools.count()

    def __init__(self, port, name, device="D"):
        self.port, self.device, self.since, self.to_device = port, device, None, []
        login = self.ask("POST", f"{CLIENT}/register", {"username": name, "password": "password", "device_id": device,
                                                        "auth": {"type": "m.login.dummy"}}, token=None)
        self.token, self.user, self.room = login["access_token"], login["user_id"], None

    def ask(self, method, path, body=None, token=""):
        """A connection for each request: servers come and go."""
        connection = Connection(self.port, self.token if token == "" else token)
        status, answer = connection.call(method, path, body)
        connection.close()
        assert status == 200, (method, path, status, answer)
        return answer

    def joins(self, room):
        self.room = room
        self.ask("POST", f"{CLIENT}/join/{quote(room)}", {})

    def says(self, text, number=None):
        path = f"{CLIENT}/rooms/{quote(self.room)}/send/m.room.message/t{next(self.numbers) if number is None else number}"
        return self.ask("PUT", path, {"msgtype": "m.text", "body": text})["event_id"]

    def says_until_it_is_heard(self, text):
        """The same request again, as a client does, while the server finds its feet."""
        number, end = next(self.numbers), time.monotonic() + 20
        while True:
            try:
                return self.says(text, number)
            except Gone:
                assert time.monotonic() < end
                time.sleep(0.1)

    def sync(self, timeout=0):
        """The bodies that came."""
        since = f"&since={self.since}" if self.since else ""
        answer = self.ask("GET", f"{CLIENT}/sync?timeout={timeout}&filter={WHOLE}{since}")
        self.since = answer["next_batch"]
        self.to_device += answer.get("to_device", {}).get("events", [])
        room = answer.get("rooms", {}).get("join", {}).get(self.room, {})
        events = room.get("timeline", {}).get("events", [])
        return [event["content"]["body"] for event in events if event["type"] == "m.room.message"]

    def reads_until(self, body):
        """All bodies from the last token on up to this one."""
        out, end = [], time.monotonic() + 20
        while body not in out:
            assert time.monotonic() < end, out
            out += self.sync(1_000)
        return out

    def reads_on(self, other, body):
        other.says(body)
        out = self.reads_until(body)
        assert out[-1] == body and len(set(out)) == len(out), out

    def sees(self):
        """GET path -> answer, of what does not change by itself."""
        room = quote(self.room)
        paths = ["account/whoami", "capabilities", "joined_rooms", "pushrules/", "pushers", f"rooms/{room}/state",
                 f"rooms/{room}/joined_members", f"rooms/{room}/messages?dir=b&limit=50", f"profile/{quote(self.user)}",
                 f"user/{quote(self.user)}/account_data/org.example.note",
                 f"user/{quote(self.user)}/rooms/{room}/account_data/m.tag", "directory/room/" + quote("#here:localhost"),
                 "publicRooms", "room_keys/version"]
        out = {path: without_times(self.ask("GET", f"{CLIENT}/{path}")) for path in paths}
        out[f"rooms/{room}/state"].sort(key=lambda event: event["event_id"])
        devices = self.ask("GET", f"{CLIENT}/devices")["devices"]
        out["devices"] = sorted(device["device_id"] for device in devices)
        out["keys"] = self.ask("POST", f"{CLIENT}/keys/query", {"device_keys": {self.user: []}})
        return out

    def keeps_notes(self):
        me, room = quote(self.user), quote(self.room)
        self.ask("PUT", f"{CLIENT}/profile/{me}/displayname", {"displayname": "A name: \u00e4\u20ac\U0001F600"})
        self.ask("PUT", f"{CLIENT}/user/{me}/account_data/org.example.note", {"by": self.user})
        self.ask("PUT", f"{CLIENT}/user/{me}/rooms/{room}/account_data/m.tag", {"tags": {"u.x": {"order": 0.5}}})
        self.ask("POST", f"{CLIENT}/room_keys/version", {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
                                                        "auth_data": {"public_key": "abc", "signatures": {}}})
        self.ask("PUT", f"{CLIENT}/pushrules/global/override/x{me[3:6]}", {"actions": ["notify"], "conditions": []})


class Alice(Person):
    def settles_in(self, bob):
        self.room = self.ask("POST", f"{CLIENT}/createRoom", {"preset": "public_chat", "name": "A room", "visibility": "public",
                                                              "room_alias_name": "here"})["room_id"]
        self.keeps_notes()
        bob.joins(self.room)
        for n in range(30):
            event = self.says(f"message {n}")
        bob.ask("POST", f"{CLIENT}/rooms/{quote(self.room)}/receipt/m.read/{quote(event)}", {})
        keys = {f"signed_curve25519:K{n}": {"key": key_of(n), "signatures": {self.user: {f"ed25519:{self.device}": "c2ln"}}}
                for n in range(4)}
        self.ask("POST", f"{CLIENT}/keys/upload", {"one_time_keys": keys})
        assert bob.reads_until("message 29") == [f"message {n}" for n in range(30)]
        self.ask("PUT", f"{CLIENT}/sendToDevice/org.example.note/one", {"messages": {bob.user: {bob.device: {"number": 7}}}})

    def keys_left(self):
        return self.ask("POST", f"{CLIENT}/keys/upload", {})["one_time_key_counts"].get("signed_curve25519", 0)


class Bob(Person):
    def settles_in(self):
        self.keeps_notes()

    def claims(self, other):
        """How many keys it was given."""
        answer = self.ask("POST", f"{CLIENT}/keys/claim", {"one_time_keys": {other.user: {other.device: "signed_curve25519"}}})
        return len(answer["one_time_keys"].get(other.user, {}).get(other.device, {}))


def key_of(number):
    return base64.b64encode(number.to_bytes(32, "big")).decode().rstrip("=")


def without_times(answer):
    """Without what says how old something is, or where a page ends."""
    if isinstance(answer, dict):
        return {key: without_times(value) for key, value in answer.items() if key not in ("age", "start", "end")}
    return [without_times(value) for value in answer] if isinstance(answer, list) else answer
