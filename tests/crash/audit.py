#!/usr/bin/env python3
"""Kills the server again and again under load and audits that nothing acknowledged is lost, doubled or reordered.

audit.py PROGRAM --cycles N [--seed S] [--points FILE]: writers (messages with transaction ids, state, receipts, account data,
messages to devices, one-time-key claims) and syncing readers run all the time; each cycle ends in a kill -9 at a random moment,
at a named crash point, or with the JetStream directory deleted, truncated or replaced by an older copy while the server
is down. Ends with one line of counts; exits 1 on any loss. The seed fixes the faults.
"""
import argparse
import base64
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

from ledger import Ledger, Seen
from server import Connection, Gone, Server

HERE = Path(__file__).resolve().parent


class World:
    """Users, rooms, keys; and the gate that stops the load while the server is down for good."""

    def __init__(self, server, ledger):
        self.server, self.ledger = server, ledger
        self.stop = threading.Event()
        self.pause = threading.Event()
        self.idle = threading.Semaphore(0)
        self.users, self.rooms, self.keys_uploaded = {}, [], 0
        self.attempts = self.retries = 0

    def connection(self, user):
        return Connection(self.server.port, self.users[user]["access_token"])

    def call(self, connection, method, path, body=None):
        """Until it is answered: a request without an answer is repeated as it was."""
        attempts = 0
        while not self.stop.is_set():
            attempts += 1
            self.attempts += 1
            try:
                return (*connection.call(method, path, body), attempts)
            except Gone:
                self.retries += 1
                time.sleep(0.03)
        raise Gone("stopped")

    def set_up(self):
        for name in ("alice", "bob", "carol"):
            status, body, _ = self.call(Connection(self.server.port), "POST", "/_matrix/client/v3/register",
                                        {"username": name, "password": "password-of-" + name, "device_id": "D" + name,
                                         "auth": {"type": "m.login.dummy"}})
            assert status == 200, body
            self.users[name] = body
        alice = self.connection("alice")
        for i in range(3):
            status, body, _ = self.call(alice, "POST", "/_matrix/client/v3/createRoom", {"preset": "public_chat", "name": f"room {i}",
                                           "power_level_content_override": {"state_default": 0}})
            assert status == 200, body
            self.rooms.append(body["room_id"])
            for other in ("bob", "carol"):
                status, body, _ = self.call(self.connection(other), "POST", f"/_matrix/client/v3/join/{quote(self.rooms[-1])}", {})
                assert status == 200, body


class Worker(threading.Thread):
    def __init__(self, world, name):
        super().__init__(name=name, daemon=True)
        self.world, self.failure = world, None

    def run(self):
        try:
            while not self.world.stop.is_set():
                if self.world.pause.is_set():
                    time.sleep(0.01)
                    continue
                self.step()
        except Gone:
            pass
        except Exception as error:  # an answer that makes no sense is a finding
            self.world.ledger.problem(f"{self.name}: {type(error).__name__}: {error}")

    def expect(self, answer, what):
        status, body, attempts = answer
        if status != 200:
            raise AssertionError(f"{what}: {status} {body}")
        return body, attempts


class MessageWriter(Worker):
    def __init__(self, world, user, room, seed):
        super().__init__(world, f"writer {user} in {world.rooms.index(room)}")
        self.user, self.room, self.rng, self.number = user, room, random.Random(seed), 0
        self.connection = world.connection(user)

    def step(self):
        self.number += 1
        content = {"msgtype": "m.text", "body": f"{self.name} {self.number}", "writer": self.name, "number": self.number}
        path = f"/_matrix/client/v3/rooms/{quote(self.room)}/send/m.room.message/{quote(self.name)}-{self.number}"
        body, attempts = self.expect(self.world.call(self.connection, "PUT", path, content), "send")
        self.world.ledger.message(self.room, body["event_id"], self.name, self.number, attempts)
        if attempts > 1 or self.rng.random() < 0.02:  # the same transaction again: the same event
            again, _ = self.expect(self.world.call(self.connection, "PUT", path, content), "send again")
            if again["event_id"] != body["event_id"]:
                self.world.ledger.problem(f"{self.name} {self.number}: a retry made a second event")
        if self.rng.random() < 0.1:
            user_id = self.world.users[self.user]["user_id"]
            self.expect(self.world.call(self.connection, "POST", f"/_matrix/client/v3/rooms/{quote(self.room)}/receipt/m.read/{quote(body['event_id'])}", {}), "receipt")
            value = {"number": self.number}
            key = (self.user, self.room)
            self.world.ledger.account_data.setdefault(key, [None, None])[1] = value
            self.expect(self.world.call(self.connection, "PUT", f"/_matrix/client/v3/user/{quote(user_id)}/rooms/{quote(self.room)}/account_data/org.example.mark", value), "account data")
            self.world.ledger.write(kind="account_data", key=key, value=value)
            self.world.ledger.account_data[key][0] = value
        if self.rng.random() < 0.05:
            body, _ = self.expect(self.world.call(self.connection, "PUT", f"/_matrix/client/v3/rooms/{quote(self.room)}/state/org.example.state/{quote(self.world.users[self.user]['user_id'])}", {"number": self.number}), "state")
            self.world.ledger.message(self.room, body["event_id"], self.name + " state", self.number, 1)


def a_key(number):
    """32 bytes as unpadded base64, as a curve25519 key has them."""
    return base64.b64encode(number.to_bytes(32, "big")).decode().rstrip("=")


class DeviceWriter(Worker):
    """Messages to carol's device, and one-time keys uploaded and claimed."""

    def __init__(self, world):
        super().__init__(world, "device writer")
        self.number = self.batch = 0
        self.bob, self.carol = world.connection("bob"), world.connection("carol")

    def step(self):
        self.number += 1
        target = self.world.users["carol"]["user_id"]
        self.expect(self.world.call(self.bob, "PUT", f"/_matrix/client/v3/sendToDevice/org.example.note/n{self.number}",
                                    {"messages": {target: {"Dcarol": {"number": self.number}}}}), "to device")
        self.world.ledger.write(kind="to_device", number=self.number)
        self.world.ledger.to_device[self.number] = True
        if self.number % 10 == 1:
            self.batch += 1
            keys = {f"signed_curve25519:K{self.batch}x{i}": {"key": a_key(self.batch * 100 + i), "signatures": {target: {"ed25519:Dcarol": "c2ln"}}} for i in range(10)}
            self.expect(self.world.call(self.carol, "POST", "/_matrix/client/v3/keys/upload", {"one_time_keys": keys}), "upload")
        try:
            status, body = self.bob.call("POST", "/_matrix/client/v3/keys/claim", {"one_time_keys": {target: {"Dcarol": "signed_curve25519"}}})
        except Gone:
            return  # a key may be gone unseen: never handed out twice is the promise
        if status == 200:
            for key_id in body["one_time_keys"].get(target, {}).get("Dcarol", {}):
                self.world.ledger.claim(key_id)


class Reader(Worker):
    """Syncs with its own token, which it keeps like a client does: only after the answer is used."""

    def __init__(self, world, user, batch):
        super().__init__(world, f"reader {user}")
        self.user, self.seen, self.since, self.batch = user, Seen(f"reader {user}"), None, batch
        self.connection = world.connection(user)

    def step(self):
        path = "/_matrix/client/v3/sync?timeout=300" + (f"&since={quote(self.since)}" if self.since else "")
        path += "&filter=" + quote('{"room":{"timeline":{"limit":1000}}}')
        try:
            status, body = self.connection.call("GET", path)
        except Gone:
            time.sleep(0.03)
            return
        if status != 200:
            raise AssertionError(f"sync: {status} {body}")
        for room, data in body.get("rooms", {}).get("join", {}).items():
            timeline = data.get("timeline", {})
            if timeline.get("limited") and self.since:
                self.world.ledger.problem(f"{self.name}: a gap in {room}")
            for event in timeline.get("events", []):
                self.seen.event(self.world.ledger, room, event)
        for event in body.get("to_device", {}).get("events", []):
            number = event["content"]["number"]
            self.seen.to_device[number] += 1
            self.seen.to_device_order.append(number)
        self.since = body["next_batch"]


def settle(world, readers, seconds=20):
    """Waits until every reader has seen every acknowledged event; what is missing then is lost."""
    deadline = time.monotonic() + seconds
    missing = []
    while time.monotonic() < deadline:
        with world.ledger.lock:
            acked = set(world.ledger.messages)
            notes = set(world.ledger.to_device)
        missing = [(r.name, e) for r in readers for e in acked - r.seen.known]
        carol = next(r for r in readers if r.user == "carol")
        missing += [("carol's device", n) for n in notes - set(carol.seen.to_device)]
        if not missing:
            return 0
        time.sleep(0.02)
    for name, what in missing[:5]:
        world.ledger.problem(f"{name} never got {what}")
    return len(missing)


def audit(world, readers):
    """The readers agree on the order of every room; nothing came twice; stored values are the acknowledged ones."""
    first = readers[0].seen
    for other in readers[1:]:
        for room in world.rooms:
            if other.seen.order[room] != first.order[room]:
                world.ledger.problem(f"{other.name} and {first.name} saw {room} in different orders")
    for reader in readers:
        for number, times in reader.seen.to_device.items():
            if times > 1:
                world.ledger.problem(f"{reader.name}: message to device {number} came {times} times")
        if reader.seen.to_device_order != sorted(reader.seen.to_device_order):
            world.ledger.problem(f"{reader.name}: messages to device out of order")
    for (user, room), (acknowledged, tried) in list(world.ledger.account_data.items()):
        if acknowledged is None:
            continue
        connection = world.connection(user)
        user_id = world.users[user]["user_id"]
        status, body, _ = world.call(connection, "GET", f"/_matrix/client/v3/user/{quote(user_id)}/rooms/{quote(room)}/account_data/org.example.mark")
        if status != 200 or body not in (acknowledged, tried):
            world.ledger.problem(f"account data of {user}: {status} {body}, acknowledged {acknowledged}")


def crash_points(path):
    return [line.split("#")[0].strip() for line in open(path, encoding="utf-8") if line.split("#")[0].strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--port", type=int, default=18128)
    parser.add_argument("--points", default=HERE / "points.txt")
    parser.add_argument("--only", help="one crash point, every cycle")
    parser.add_argument("--database")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    points = crash_points(options.points)
    print(f"crash: {options.cycles} cycles, seed {options.seed}, {len(points)} crash points", flush=True)

    with tempfile.TemporaryDirectory(prefix="myelin-crash-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        server = Server(options.program, data, options.port, options.database)
        ledger = Ledger(Path(folder) / "ledger.jsonl")
        assert server.start() is not None, "the server did not start"
        world = World(server, ledger)
        world.set_up()
        readers = [Reader(world, user, 0) for user in ("alice", "bob", "carol")]
        writers = [MessageWriter(world, user, room, f"{options.seed}{user}{room}") for user in ("alice", "bob") for room in world.rooms]
        writers.append(DeviceWriter(world))
        for worker in readers + writers:
            worker.start()

        ready, fired = [], set()
        for cycle in range(options.cycles):
            at = options.only or (rng.choice(points) if rng.random() < 0.6 else None)
            nth = rng.choice((1, 1, 2, 5, 20))
            time.sleep(rng.uniform(0.05, 0.6))
            server.kill()
            tamper = rng.choice(("none", "none", "none", "delete", "truncate", "save", "older"))
            server.tamper(tamper, rng)
            took = server.start(f"{at}:{nth}" if at else None)
            if at and server.wait_for_death(rng.uniform(0.3, 1.5)):
                fired.add(at)
            if not server.alive():
                took = server.start()
            if took is not None:
                ready.append(took)
            if cycle % 10 == 9 or cycle == options.cycles - 1:
                world.pause.set()
                lost = settle_with_readers(world, readers)
                audit(world, readers)
                world.pause.clear()
                print(f"  cycle {cycle + 1}: {len(ledger.messages)} events acknowledged, {world.retries} requests repeated, "
                      f"{lost} lost, {len(ledger.problems)} problems", flush=True)
                if ledger.problems:
                    break
        world.stop.set()
        server.kill()
        for problem in ledger.problems[:20]:
            print(f"  PROBLEM {problem}")
        ready.sort()
        p99 = ready[min(len(ready) - 1, int(len(ready) * 0.99))] if ready else 0
        print(f"crash: {options.cycles} cycles, {len(fired)} of {len(points)} points fired, {len(ledger.messages)} events, "
              f"{len(ledger.to_device)} to-device, {len(ledger.claimed)} keys claimed, {len(ledger.problems)} problems, "
              f"restart to ready median {statistics.median(ready) if ready else 0:.3f} s p99 {p99:.3f} s, seed {options.seed}")
        if ledger.problems:
            import shutil
            keep = Path(tempfile.gettempdir()) / f"myelin-crash-failed-{options.seed}"
            shutil.copytree(folder, keep, dirs_exist_ok=True)
            print(f"  kept: {keep}")
        return 1 if ledger.problems else 0


def settle_with_readers(world, readers):
    """Writers pause; readers go on until nothing is missing."""
    for reader in readers:
        reader.world = ReaderView(world)
    time.sleep(0.3)  # requests in flight end
    lost = settle(world, readers)
    for reader in readers:
        reader.world = world
    return lost


class ReaderView:
    """The world as readers see it while the writers pause."""

    def __init__(self, world):
        self.world = world
        self.pause = threading.Event()

    def __getattr__(self, name):
        return getattr(self.world, name)


if __name__ == "__main__":
    sys.exit(main())
