#!/usr/bin/env python3
"""record.py PROGRAM NAME: what an earlier program leaves in its database, and what it says of it, for recorded_test.cc.

Two people use it; it is killed between the commit of a last message and its delivery; then the database is written down, as
NAME.sqlite.sql and NAME.postgres.sql. Started again, it is asked as bob's client asks: NAME.sqlite.json and NAME.postgres.json.
"""
import contextlib
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parents[2] / each) for each in ("scripts/lib", "tests/contract")]
from cluster import Myelin, Postgres  # noqa: E402
from scenarios.signing import Key, cross_signing, device_keys, one_time_key  # noqa: E402

SERVER, PASSWORD = "old.test", "a password"
PORT = 18190
SETTINGS = {"MYELIN_SERVER_NAME": SERVER, "MYELIN_REGISTRATION": "open", "MYELIN_ARGON2_MEMORY_KIB": "8", "MYELIN_ARGON2_PASSES": "1"}

ALL = "/sync?set_presence=offline&filter=" + quote('{"account_data":{"not_types":["m.push_rules"]},"room":{"timeline":{"limit":100}}}')


class Person:
    def __init__(self, server, name):
        self.server, self.user, self.device, self.token, self.since, self.count = server, f"@{name}:{SERVER}", name.upper(), None, None, 0
        self.token = self.post("/register", username=name, password=PASSWORD, device_id=self.device,
                               auth={"type": "m.login.dummy"})["access_token"]
        key, master = Key(name), Key(f"{name}'s master")
        self.post("/keys/upload", device_keys=device_keys(self, key),
                  one_time_keys={f"signed_curve25519:{each}": one_time_key(self, key, each) for each in "AB"},
                  fallback_keys={"signed_curve25519:F": one_time_key(self, key, "F", fallback=True)})
        self.post("/keys/device_signing/upload", master_key=cross_signing(self, "master", master),
                  self_signing_key=cross_signing(self, "self_signing", Key(f"{name}'s own"), master))

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"{self.server.url}/_matrix/client/v3{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {self.token}"} if self.token else {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise SystemExit(f"{method} {path}: {refusal.code} {refusal.read().decode()}") from refusal

    def post(self, path, **body):
        return self.ask("POST", path, body)

    def put(self, path, **body):
        return self.ask("PUT", path, body)

    def send(self, room, content, kind="m.room.message"):
        self.count += 1
        return self.put(f"/rooms/{quote(room)}/send/{kind}/{self.count}", **content)["event_id"]

    def says(self, room, text, **more):
        return self.send(room, {"msgtype": "m.text", "body": text, **more})

    def has_read(self, room, event, **thread):
        self.post(f"/rooms/{quote(room)}/receipt/m.read/{quote(event)}", **thread)

    def sync(self):
        return self.ask("GET", ALL)

    def has_seen(self, text):
        """Until everything before it has been applied."""
        end = time.monotonic() + 20
        while text not in json.dumps(self.sync()):
            assert time.monotonic() < end, text
            time.sleep(0.1)


def encrypted(text):
    return {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": text, "session_id": "s"}


def live(server):
    """Everything but the last message."""
    alice, bob = Person(server, "alice"), Person(server, "bob")
    room = alice.post("/createRoom", preset="private_chat", room_alias_name="room", invite=[bob.user], initial_state=[
        {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])["room_id"]
    bob.post(f"/join/{quote(room)}")
    backup = bob.post("/room_keys/version", algorithm="m.megolm_backup.v1", auth_data={"public_key": "p"})["version"]
    bob.put(f"/room_keys/keys/{quote(room)}/s?version={backup}", first_message_index=0, forwarded_count=0, is_verified=True, session_data={"a": "b"})
    bob.put(f"/user/{bob.user}/rooms/{quote(room)}/tags/m.favourite", order=0.5)
    bob.put("/pushrules/global/content/urgent", pattern="urgent", actions=["notify", {"set_tweak": "highlight"}])
    bob.post("/pushers/set", kind="http", app_id="app", pushkey="key", app_display_name="app", device_display_name="bob's", lang="en",
             data={"url": "https://push.old.test/_matrix/push/v1/notify", "format": "event_id_only"})

    root = alice.send(room, encrypted("read"), "m.room.encrypted")
    bob.has_read(room, root, thread_id="main")
    pushed = [root, alice.send(room, encrypted("not read"), "m.room.encrypted"),
              alice.says(room, "in a thread", **{"m.relates_to": {"rel_type": "m.thread", "event_id": root}})]
    taken_back = alice.says(room, "taken back")
    alice.put(f"/rooms/{quote(room)}/redact/{quote(taken_back)}/r")
    bob.has_seen(alice.send(room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": root, "key": "+"}}, "m.reaction"))
    bob.put(f"/pushrules/global/room/{quote(room)}", actions=[])
    alice.says(room, "muted")
    pushed.append(alice.says(room, "muted but urgent"))
    bob.has_seen("muted but urgent")
    bob.since = bob.sync()["next_batch"]
    alice.put("/sendToDevice/m.secret.request/t", messages={bob.user: {bob.device: {"name": "waiting"}}})
    return alice, bob, room, pushed


def say_last(server, alice, room):
    """Killed between commit and delivery."""
    server.start(MYELIN_CRASH_AT="publish.before", **SETTINGS)
    with contextlib.suppress(OSError):
        alice.says(room, "urgent and last")
    assert server.wait() and server.exit_status() == -signal.SIGKILL


def questions(alice, bob, room):
    yield "GET", ALL, None
    yield "GET", f"{ALL}&since={quote(bob.since)}", None
    yield "GET", "/pushrules/global/content/urgent", None
    yield "GET", f"/pushrules/global/room/{quote(room)}", None
    yield "GET", "/pushers", None
    yield "GET", f"/rooms/{quote(room)}/messages?dir=b&limit=3", None
    yield "GET", f"/directory/room/{quote(f'#room:{SERVER}')}", None
    yield "GET", "/room_keys/keys?version=1", None
    yield "POST", "/keys/query", {"device_keys": {alice.user: [], bob.user: []}}


def sqlite_dump(path):
    def text_of(blob):
        text = bytes.fromhex(blob[1]).decode("latin-1").replace("'", "''")
        return f"CAST('{text}' AS BLOB)" if text.isascii() and text.isprintable() else blob[0]
    with contextlib.closing(sqlite3.connect(path)) as database:
        return "\n".join(re.sub("X'([0-9A-F]+)'", text_of, line) for line in database.iterdump() if line not in ("BEGIN TRANSACTION;", "COMMIT;"))


def postgres_dump(url):
    done = subprocess.run(["pg_dump", "--no-owner", "--inserts", "-d", url], check=True, capture_output=True, text=True,
                          env={**os.environ, "PGOPTIONS": "-c bytea_output=escape"})
    lines = (line.replace("public.", "") if line.startswith(("CREATE", "ALTER", "INSERT")) else line for line in done.stdout.splitlines() if line)
    return "\n".join(line for line in lines if not re.match(r"--|\\|SET |SELECT pg_catalog.set_config", line))


def without_partition(row):
    """The row as a template, and the number that its partition stands for."""
    found = re.match(r"((?:'[^']*', ?)+)(\d+)(,.*)", row)
    return (found[1] + "n" + found[3], int(found[2])) if found else (row, 0)


def shorter(dump):
    """Each table in one INSERT, and one for all partitions that have the same in it. No text here has a line end."""
    out = ["CREATE TEMPORARY TABLE partition_no AS WITH RECURSIVE p(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM p WHERE n < 63) SELECT n FROM p;"]
    for insert, lines in itertools.groupby(dump.splitlines(), lambda line: re.match(r"INSERT INTO \S+ |", line)[0]):
        rows = [re.sub(r"^VALUES ?\((.*)\);$", r"\1", line.removeprefix(insert)) for line in lines]
        if not insert:
            out += rows
            continue
        single = []
        for (template, _), run in itertools.groupby(enumerate(map(without_partition, rows)), lambda each: (each[1][0], each[1][1] - each[0])):
            run = list(run)
            first, last = run[0][1][1], run[-1][1][1]
            if last > first:
                out.append(f"{insert}SELECT {template} FROM partition_no WHERE n BETWEEN {first} AND {last};")
            else:
                single.append(rows[run[0][0]])
        if single:
            out.append(f"{insert}VALUES\n(" + "),\n(".join(single) + ");")
    return "\n".join(out) + "\n"


def record(server, name, dump):
    server.start(**SETTINGS)
    alice, bob, room, pushed = live(server)
    time.sleep(8)  # until the outbox has been trimmed
    assert server.stop(), server.last_lines()
    say_last(server, alice, room)
    (FOLDER / f"{name}.sql").write_text(shorter(dump()))
    at = round(time.time() * 1000)
    server.start(**SETTINGS)
    bob.has_seen("urgent and last")
    asked = [{"method": method, "path": path, "body": body, "answer": bob.ask(method, path, body)}
             for method, path, body in questions(alice, bob, room)]
    pushed.append(asked[0]["answer"]["rooms"]["join"][room]["timeline"]["events"][-1]["event_id"])
    said = {"tokens": {"alice": alice.token, "bob": bob.token}, "room": room, "pushed": pushed, "at": at, "asked": asked}
    (FOLDER / f"{name}.json").write_text(json.dumps(said, separators=(",", ":")).replace('{"method"', '\n{"method"') + "\n")


def main():
    program, name = Path(sys.argv[1]).resolve(), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        folder = Path(folder)
        folder.chmod(0o711)  # the user postgres goes through it
        postgres = Postgres(folder, PORT + 1)
        on_sqlite = Myelin("on-sqlite", folder, PORT, executable=program)
        on_postgres = Myelin("on-postgres", folder, PORT, executable=program, arguments=["--database", postgres.url])
        for process in (postgres, on_sqlite, on_postgres):
            running.callback(process.stop)
        record(on_sqlite, f"{name}.sqlite", lambda: sqlite_dump(on_sqlite.data / "myelin.db"))
        on_sqlite.stop()
        postgres.start()
        record(on_postgres, f"{name}.postgres", lambda: postgres_dump(postgres.url))


main()
