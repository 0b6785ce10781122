"""One PostgreSQL and one nats-server for a group of tests; a database and servers for each test; and who uses them."""
import http.client
import json
import os
import re
import tempfile
import time
import unittest
from pathlib import Path
from urllib.parse import quote

from administrator import ADMINISTRATOR, Administrator
from cluster import Myelin, Nats, Postgres
from cluster.places import Ports

CLIENT = "/_matrix/client/v3"
FILTER = quote('{"room":{"timeline":{"limit":1000}}}')
PORT = int(os.environ.get("PORT", "18200"))
PATIENCE = 20  # seconds, for what takes a few on a quiet machine


def wait_for(what, test, seconds=PATIENCE):
    """What the test answers, once it is true."""
    end = time.monotonic() + seconds
    while not (found := test()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)
    return found


class Person:
    """Says messages in a room and reads them; remembers what was acknowledged, and in which order it was seen."""

    def __init__(self, server, name, room=None):
        self.server, self.name, self.token = server, name, None
        self.said, self.seen, self.since, self.unanswered = [], [], None, []
        self.late = set()  # acknowledged by a repetition: they may stand earlier
        self.token = self.must("POST", "/register", {"username": name, "password": "a good password", "auth": {"type": "m.login.dummy"}})["access_token"]
        self.room = room or self.must("POST", "/createRoom", {"preset": "public_chat"})["room_id"]
        self.must("POST", f"/join/{quote(self.room)}", {})

    def call(self, method, path, body=None, timeout=20):
        """(status, answer); (0, why) without one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            connection.request(method, CLIENT + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            return 0, {"error": str(error)}
        finally:
            connection.close()

    def must(self, method, path, body=None):
        """As clients do: what fails is repeated for a while."""
        last = []

        def once():
            last[:] = self.call(method, path, body)
            if last[0] and last[0] < 500 and last[0] != 200:
                raise AssertionError(f"{method} {path}: {last}")
            return last[0] == 200

        wait_for(lambda: f"{method} {path}: {last}", once)
        return last[1]

    def send(self, text):
        return "PUT", f"/rooms/{quote(self.room)}/send/m.room.message/{quote(text)}", {"msgtype": "m.text", "body": text}

    def tries(self, text):
        """Once. (status, answer)"""
        status, answer = self.call(*self.send(text))
        (self.said if status == 200 else self.unanswered).append(text)
        return status, answer

    def says(self, text):
        """Until it is acknowledged."""
        self.must(*self.send(text))
        self.said.append(text)

    def reads(self):
        """What is new in /sync."""
        since = f"&since={quote(self.since)}" if self.since else ""
        status, answer = self.call("GET", f"/sync?timeout=100&filter={FILTER}{since}")
        if status != 200:
            return
        room = answer.get("rooms", {}).get("join", {}).get(self.room, {})
        assert self.since is None or not room.get("timeline", {}).get("limited"), "too much for one answer"
        self.seen += [event["content"]["body"] for event in room.get("timeline", {}).get("events", []) if event["type"] == "m.room.message"]
        self.since = answer["next_batch"]

    def has_read_all(self):
        self.reads()
        return set(self.seen) >= set(self.said)


class TroubleTest(unittest.TestCase):
    """`postgres`, `nats` and its `administrator` are the class's, and each test finds them running."""

    postgres_settings = {}
    nats_limits = ""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="myelin-trouble-", ignore_cleanup_errors=True)
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = Path(cls.temporary.name)
        cls.folder.chmod(0o711)
        cls.ports = Ports(PORT)
        cls.postgres = Postgres(cls.folder, cls.ports.take(), {"fsync": "on", **cls.postgres_settings})
        cls.addClassCleanup(cls.postgres.kill)
        cls.nats = Nats(cls.folder, cls.ports, 1)
        cls.addClassCleanup(cls.nats.servers[0].kill)
        cls.nats.configure()
        cls.accounts = cls.folder / "accounts.conf"
        cls.accounts.write_text(cls.accounts.read_text().replace("users: [", f"users: [ {ADMINISTRATOR}", 1))
        if cls.nats_limits:
            file = cls.nats.servers[0].configuration
            file.write_text(file.read_text().replace("jetstream {", "jetstream { " + cls.nats_limits, 1))
        cls.nats.servers[0].start()
        cls.postgres.start()
        cls.signing_key = cls.folder / "signing.key"
        cls.databases = 0

    def setUp(self):
        if not self.nats.servers[0].alive():
            self.nats.servers[0].start()
        if not self.postgres.alive():
            self.postgres.start()
        type(self).databases += 1
        self.name = f"test{self.databases}"
        self.postgres.sql(f"CREATE DATABASE {self.name}")
        self.database = self.url_of(self.name)
        self.marks = {}
        self.home = self.folder / self.name
        self.home.mkdir(mode=0o711)

    def url_of(self, database):
        return self.postgres.url.rsplit("/", 1)[0] + "/" + database

    def administrator(self):
        return Administrator(self.nats.servers[0].port)

    def server(self, name="one", roles=(), environment=None, **settings):
        """One that is not started yet; its log counts from here on."""
        values = {"server_name": "localhost", "registration": "open", "rate_limits": "false", "database": self.database, "nats": self.nats.url,
                  "signing_key": self.signing_key, "database_lanes": 2, "database_readers": 2, "argon2_memory_kib": 8, "argon2_passes": 1, **settings}
        words = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
        login = {"MYELIN_NATS_USER": "every", "MYELIN_NATS_PASSWORD": self.nats.password_of("every")}
        server = Myelin(name, self.home, self.ports.take(), roles, words, {**login, **(environment or {})},
                        os.environ.get("MYELIN"))
        self.addCleanup(server.kill)
        self.marks[server] = 0
        return server

    def started(self, *words, **settings):
        server = self.server(*words, **settings)
        server.start()
        return server

    # ---- what is seen

    def log(self, server):
        """Since `forget`."""
        return server.log.read_text(errors="replace")[self.marks[server]:]

    def forget(self, server):
        self.marks[server] = len(server.log.read_text(errors="replace"))

    def expect(self, server, pattern, seconds=PATIENCE):
        """In its log."""
        return wait_for(lambda: f"{pattern!r} in the log:\n{self.log(server)}", lambda: re.search(pattern, self.log(server)), seconds)

    def expect_not_ready(self, server, pattern):
        wait_for(lambda: f"not ready for {pattern!r}: {server.health()}", lambda: server.health()[0] == 503 and re.search(pattern, server.health()[1]))

    def expect_refused(self, server, pattern, seconds=PATIENCE, is_launched=False):
        """The start, with these words."""
        if not is_launched:
            server.launch()
        self.assertTrue(server.wait(seconds), f"it goes on:\n{self.log(server)}")
        self.assertEqual(server.child.wait(5), 1, self.log(server))
        self.assertRegex(self.log(server), pattern)

    def expect_well(self, *people):
        """By itself: ready, messages are taken and seen, and nothing acknowledged is lost, doubled or in another order."""
        for person in people:
            wait_for(lambda person=person: f"ready: {person.server.health()}\n{self.log(person.server)}", person.server.ready)
            waiting, person.unanswered = person.unanswered, []
            person.late |= set(waiting)
            for text in waiting:
                person.says(text)
            person.says(f"{person.name}: all is well {len(person.said)}")
        for person in people:
            wait_for(lambda person=person: f"{set(person.said) - set(person.seen)} in /sync", person.has_read_all)
            self.assertEqual(len(person.seen), len(set(person.seen)), "twice in /sync")
            acknowledged = [text for text in person.said if text not in person.late]
            self.assertEqual([text for text in person.seen if text in acknowledged], acknowledged)
