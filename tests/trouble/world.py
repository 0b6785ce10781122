"""One PostgreSQL for all tests, one nats-server or a cluster of three; a database and servers for each; and who uses them."""
import http.client
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from urllib.parse import quote

from administrator import ADMINISTRATOR, Administrator
from cluster import Myelin, Nats, Postgres
from cluster.places import Ports, program

CLIENT = "/_matrix/client/v3"
FILTER = quote('{"room":{"timeline":{"limit":1000}}}')
PORT = int(os.environ.get("PORT", "18200"))
NATS_MB = 300  # that JetStream may keep; the server's three streams reserve 192 of them
PATIENCE = 20  # seconds, for what takes a few on a quiet machine


def wait_for(what, test, seconds=PATIENCE):
    """What the test answers, once it is true."""
    end = time.monotonic() + seconds
    while not (found := test()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)
    return found


def end(postgres):
    """Killed, it would leave its shared memory behind."""
    postgres.stop_at_once()
    postgres.kill()


def accounts_of(nats):
    """The file with its users and what they may do."""
    return nats.servers[0].folder / "accounts.conf"


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


class Surroundings:
    """What all servers of a run stand on, one after the other. `database()` makes one with tables and nothing in them."""

    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="myelin-trouble-", ignore_cleanup_errors=True)
        self.folder = Path(self.temporary.name)
        self.folder.chmod(0o711)  # PostgreSQL's user goes through it
        self.ports = Ports(PORT)
        self.postgres = Postgres(self.folder, self.ports.take(), {"max_connections": "30", "shared_buffers": "16MB"})
        self.nats = {}  # by how many servers it has
        self.databases = 0

    def run(self, nats_servers):
        """The NATS with so many servers, and PostgreSQL. The former."""
        nats = self.nats[nats_servers] = self.nats.get(nats_servers) or self.make_nats(nats_servers, self.folder / f"nats-{nats_servers}")
        down = [each for each in (*nats.servers, self.postgres) if not each.alive()]
        for each in down:
            each.launch()
        for each in down:
            each.wait_until_ready()
        return nats

    def make_nats(self, count, folder):
        nats = Nats(folder, self.ports, count)
        nats.configure()
        accounts = accounts_of(nats)
        accounts.write_text(accounts.read_text().replace("users: [", f"users: [ {ADMINISTRATOR}", 1))
        for each in nats.servers:
            text = each.configuration.read_text()
            each.configuration.write_text(text.replace("jetstream {", f"jetstream {{ max_file_store: {NATS_MB}MB,", 1))
        return nats

    def database(self, nats):
        """Its name."""
        if self.databases == 0:
            self.make_template(nats)
        self.databases += 1
        name = f"test{self.databases}"
        self.postgres.sql(f"CREATE DATABASE {name} TEMPLATE with_tables")
        return name

    def make_template(self, nats):
        self.postgres.sql("CREATE DATABASE with_tables")
        server = self.server("template", self.folder, nats, database=self.url_of("with_tables"))
        server.start()
        server.stop()
        self.sql("with_tables", "DELETE FROM database_identity; DELETE FROM process")  # each gets its own

    def url_of(self, database):
        return self.postgres.url.rsplit("/", 1)[0] + "/" + database

    def sql(self, database, statement):
        return subprocess.run([program("psql"), "-qAtX", "-d", self.url_of(database), "-c", statement], check=True, capture_output=True,
                              text=True, timeout=30).stdout.strip()

    def server(self, name, folder, its_nats, roles=(), environment=None, **settings):
        values = {"server_name": "localhost", "registration": "open", "rate_limits": "false", "nats": its_nats.url,
                  "signing_key": self.folder / "signing.key", "database_lanes": 2, "database_readers": 2, "argon2_memory_kib": 8,
                  "argon2_passes": 1, **settings}
        words = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
        login = {"MYELIN_NATS_USER": "every", "MYELIN_NATS_PASSWORD": its_nats.password_of("every")}
        return Myelin(name, folder, self.ports.take(), roles, words, {**login, **(environment or {})}, os.environ.get("MYELIN"))

    def close(self):
        end(self.postgres)
        for nats in self.nats.values():
            for each in nats.servers:
                each.kill()
        self.temporary.cleanup()


class TroubleTest(unittest.TestCase):
    """Each test finds `postgres` and `nats` running."""

    surroundings = None  # of the run
    nats_servers = 1     # or 3

    def setUp(self):
        self.nats = self.surroundings.run(self.nats_servers)
        self.postgres, self.folder, self.ports = self.surroundings.postgres, self.surroundings.folder, self.surroundings.ports
        self.accounts = accounts_of(self.nats)
        self.name = self.surroundings.database(self.nats)
        self.database = self.url_of(self.name)
        self.marks = {}
        self.home = self.folder / self.name
        self.home.mkdir(mode=0o711)

    def url_of(self, database):
        return self.surroundings.url_of(database)

    def sql(self, statement):
        """In this test's database."""
        return self.surroundings.sql(self.name, statement)

    def administrator(self):
        return Administrator(self.nats.servers[0].port)

    def server(self, name="one", roles=(), environment=None, **settings):
        """One that is not started yet; its log counts from here on."""
        server = self.surroundings.server(name, self.home, self.nats, roles, environment, **{"database": self.database, **settings})
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

    def expect_all_seen(self, *people):
        """By everybody in a room, what all of them said there, in one order."""
        said = sum(len(person.said) for person in people)
        for person in people:
            wait_for(lambda person=person: f"all in /sync: {person.seen}", lambda person=person: person.reads() or len(person.seen) == said)
            self.assertEqual(person.seen, people[0].seen)
