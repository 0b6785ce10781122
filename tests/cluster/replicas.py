#!/usr/bin/env python3
"""What one process has acknowledged, another one answers with at once: any process may be asked for anything. PORT: other ports."""
import http.client
import itertools
import json
import os
import signal
import sys
import time
import unittest
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/lib"))
from cluster import Cluster  # noqa: E402

PORT = int(os.environ.get("PORT", "18160"))
TIMES = int(os.environ.get("TIMES", "10"))  # each, as what is only late is not always late
V3 = "/_matrix/client/v3"
PASSWORD = "correct horse battery"
KEY = "A" * 42 + "E"


class Replicas(unittest.TestCase):
    ROLES = [(), ()]  # the first two are asked

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(cls.ROLES, nats=1, proxy=False, ports=PORT, arguments=["--registration", "open", "--rate-limits", "off"])
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.names = itertools.count()

    def setUp(self):
        self.connections = [http.client.HTTPConnection("127.0.0.1", process.port, timeout=30) for process in self.cluster.processes]
        for connection in self.connections:
            self.addCleanup(connection.close)
        self.user, self.token = self.register()

    def ask(self, at, method, path, body=None, token=None):
        self.connections[at].request(method, path, None if body is None else json.dumps(body),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {token or self.token}"})
        answer = self.connections[at].getresponse()
        return answer.status, json.loads(answer.read())

    def must(self, at, method, path, body=None, token=None):
        status, answer = self.ask(at, method, path, body, token)
        self.assertEqual(status, 200, f"{method} {path} at {at}: {answer}")
        return answer

    def register(self, at=0):
        name = f"user{next(self.names)}"
        answer = self.must(at, "POST", f"{V3}/register", {"username": name, "password": PASSWORD, "device_id": "D", "auth": {"type": "m.login.dummy"}}, "none")
        return answer["user_id"], answer["access_token"]

    def login(self, at, user, device):
        return self.must(at, "POST", f"{V3}/login", {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": PASSWORD,
                                                    "device_id": device}, "none")["access_token"]

    def soon(self, expected, ask):
        """Sessions and redactions: a process believes what it knows of them until it has heard (docs/operations.md)."""
        end = time.monotonic() + 2
        while (answer := ask()) != expected:
            self.assertLess(time.monotonic(), end, f"still {answer}, not {expected}")

    def soon_unknown(self, at, token):
        self.soon(401, lambda: self.ask(at, "GET", f"{V3}/account/whoami", token=token)[0])

    def both_ways(self):
        """(number, the process that writes, the one that is asked)"""
        for number in range(TIMES):
            yield number, number % 2, 1 - number % 2

    def room(self, at=0, **more):
        return quote(self.must(at, "POST", f"{V3}/createRoom", {"preset": "public_chat", **more})["room_id"])

    def test_what_is_sent_is_an_event(self):
        room = self.room()
        for number, here, there in self.both_ways():
            event = self.must(here, "PUT", f"{V3}/rooms/{room}/send/m.room.message/{number}", {"msgtype": "m.text", "body": f"{number}"})["event_id"]
            self.assertEqual(self.must(there, "GET", f"{V3}/rooms/{room}/event/{quote(event)}")["content"]["body"], f"{number}")
            newest = self.must(here, "GET", f"{V3}/rooms/{room}/messages?dir=b&limit=1")["chunk"]
            self.assertEqual([each["event_id"] for each in newest], [event])
            self.must(there, "POST", f"{V3}/rooms/{room}/receipt/m.read/{quote(event)}", {})
            self.must(there, "PUT", f"{V3}/rooms/{room}/redact/{quote(event)}/r{number}", {})
            self.soon({}, lambda at=here, of=event: self.must(at, "GET", f"{V3}/rooms/{room}/event/{quote(of)}")["content"])

    def test_who_joined_may_send_and_who_left_may_not(self):
        for number, here, there in self.both_ways():
            room = self.room(here)
            other, token = self.register(there)
            self.must(here, "POST", f"{V3}/join/{room}", {}, token)
            self.must(there, "PUT", f"{V3}/rooms/{room}/send/m.room.message/{number}", {"msgtype": "m.text", "body": "in"}, token)
            self.assertIn(other, self.must(there, "GET", f"{V3}/rooms/{room}/joined_members")["joined"])
            self.must(here, "POST", f"{V3}/rooms/{room}/leave", {}, token)
            self.assertEqual(self.ask(there, "PUT", f"{V3}/rooms/{room}/send/m.room.message/x{number}", {"body": "out"}, token)[0], 403)

    def test_state(self):
        room = self.room()
        for number, here, there in self.both_ways():
            self.must(here, "PUT", f"{V3}/rooms/{room}/state/m.room.topic", {"topic": f"{number}"})
            self.assertEqual(self.must(there, "GET", f"{V3}/rooms/{room}/state/m.room.topic")["topic"], f"{number}")

    def test_account_data_and_push_rules(self):
        room, mine = self.room(), f"{V3}/user/{quote(self.user)}"
        for number, here, there in self.both_ways():
            for where in ("", f"/rooms/{room}"):
                self.must(here, "PUT", f"{mine}{where}/account_data/org.example", {"number": number})
                self.assertEqual(self.must(there, "GET", f"{mine}{where}/account_data/org.example"), {"number": number})
            self.must(here, "PUT", f"{V3}/pushrules/global/content/org.example", {"pattern": f"p{number}", "actions": ["notify"]})
            self.assertEqual(self.must(there, "GET", f"{V3}/pushrules/global/content/org.example")["pattern"], f"p{number}")
            self.must(here, "PUT", f"{V3}/pushrules/global/override/.m.rule.master/enabled", {"enabled": number % 2 == 0})
            self.assertEqual(self.must(there, "GET", f"{V3}/pushrules/global/override/.m.rule.master/enabled"), {"enabled": number % 2 == 0})
            filter_id = self.must(here, "POST", f"{mine}/filter", {"room": {"timeline": {"limit": number + 1}}})["filter_id"]
            self.assertEqual(self.must(there, "GET", f"{mine}/filter/{filter_id}")["room"]["timeline"]["limit"], number + 1)

    def test_profile(self):
        for number, here, there in self.both_ways():
            self.must(here, "PUT", f"{V3}/profile/{quote(self.user)}/displayname", {"displayname": f"n{number}"})
            self.assertEqual(self.must(there, "GET", f"{V3}/profile/{quote(self.user)}/displayname"), {"displayname": f"n{number}"})

    def test_keys(self):
        for number, here, there in self.both_ways():
            user, token = self.register(here)
            master = {"user_id": user, "usage": ["master"], "keys": {f"ed25519:{KEY}": KEY}}
            self.must(here, "POST", f"{V3}/keys/device_signing/upload", {"master_key": master}, token)
            self.assertEqual(self.must(there, "POST", f"{V3}/keys/query", {"device_keys": {user: []}})["master_keys"][user]["keys"], master["keys"])
            one_time = {f"signed_curve25519:K{i}": {"key": KEY, "signatures": {user: {"ed25519:D": "c2ln"}}} for i in range(2)}
            self.must(here, "POST", f"{V3}/keys/upload", {"one_time_keys": one_time}, token)
            claim = {"one_time_keys": {user: {"D": "signed_curve25519"}}}
            first, second, third = (self.must(at, "POST", f"{V3}/keys/claim", claim)["one_time_keys"] for at in (there, here, there))
            self.assertEqual([next(iter(each[user]["D"])) for each in (first, second)], ["signed_curve25519:K0", "signed_curve25519:K1"])
            self.assertEqual(third.get(user, {}).get("D", {}), {})
            self.assertEqual(self.must(there, "POST", f"{V3}/keys/upload", {}, token)["one_time_key_counts"].get("signed_curve25519", 0), 0)

    def test_who_logged_out_is_out(self):
        for number, here, there in self.both_ways():
            token = self.login(here, self.user, f"L{number}")
            self.assertEqual(self.must(there, "GET", f"{V3}/account/whoami", token=token)["device_id"], f"L{number}")
            self.must(here, "POST", f"{V3}/logout", {}, token)
            self.soon_unknown(there, token)

    def test_a_new_password_ends_other_sessions(self):
        for number, here, there in self.both_ways():
            user, token = self.register(here)
            other = self.login(there, user, "OTHER")
            self.must(there, "GET", f"{V3}/account/whoami", token=other)
            auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": PASSWORD}
            self.must(here, "POST", f"{V3}/account/password", {"new_password": "another one entirely", "auth": auth}, token)
            self.soon_unknown(there, other)
            self.assertEqual(self.ask(there, "POST", f"{V3}/login", {"type": "m.login.password", "identifier": auth["identifier"], "password": PASSWORD})[0], 403)

    def test_devices(self):
        for number, here, there in self.both_ways():
            self.must(here, "PUT", f"{V3}/devices/D", {"display_name": f"d{number}"})
            self.assertEqual(self.must(there, "GET", f"{V3}/devices/D")["display_name"], f"d{number}")

    def test_key_backups(self):
        for number, here, there in self.both_ways():
            version = self.must(here, "POST", f"{V3}/room_keys/version", {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "x"}})["version"]
            self.assertEqual(self.must(there, "GET", f"{V3}/room_keys/version")["version"], version)
            session = {"first_message_index": number, "forwarded_count": 0, "is_verified": True, "session_data": {"ciphertext": "x"}}
            self.must(there, "PUT", f"{V3}/room_keys/keys/%21r%3Alocalhost/s?version={version}", session)
            self.assertEqual(self.must(here, "GET", f"{V3}/room_keys/keys/%21r%3Alocalhost/s?version={version}")["first_message_index"], number)

    def test_sync_goes_on_at_the_other_with_the_same_token(self):
        room = self.room()
        since = self.must(0, "GET", f"{V3}/sync")["next_batch"]
        for number, here, there in self.both_ways():
            sent = self.must(here, "PUT", f"{V3}/rooms/{room}/send/m.room.message/{number}", {"msgtype": "m.text", "body": f"{number}"})["event_id"]
            got = []
            while not got:
                answer = self.must(there, "GET", f"{V3}/sync?timeout=10000&since={quote(since)}")
                since = answer["next_batch"]
                got = [each for data in answer.get("rooms", {}).get("join", {}).values() for each in data["timeline"]["events"]]
            self.assertEqual([each["event_id"] for each in got], [sent])


class ReplicasWithoutRooms(Replicas):
    """Rooms and background work are other processes'."""

    ROLES = [("client", "sync"), ("client", "sync"), ("rooms",), ("rooms",), ("background",)]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    unittest.main(verbosity=1)
