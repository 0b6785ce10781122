"""The load: writers, readers, and the gate at which they wait while the server is down."""
import base64
import random
import threading
import time
from urllib.parse import quote

from client import Connection, Gone, Refused
from pauses import Pauses
from seen import Seen

CLIENT = "/_matrix/client/v3"
USERS = ("alice", "bob", "carol")
ROOMS = 3


class Gate:
    """While it is closed its members wait in it: then none of them has a request under way or an answer unrecorded."""

    def __init__(self):
        self.changed = threading.Condition()
        self.members = self.waiting = 0
        self.is_closed = False

    def join(self):
        with self.changed:
            self.members += 1

    def leave(self):
        with self.changed:
            self.members -= 1
            self.changed.notify_all()

    def walk_through(self):
        with self.changed:
            if not self.is_closed:
                return
            self.waiting += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self.is_closed)
            self.waiting -= 1

    def close(self, seconds=60):
        with self.changed:
            self.is_closed = True
            if not self.changed.wait_for(lambda: self.waiting == self.members, seconds):
                raise AssertionError("a request is stuck: its worker does not come to rest")

    def open(self):
        with self.changed:
            self.is_closed = False
            self.changed.notify_all()


class World:
    """Users, rooms and workers on one server: what has an address, a port, and says whether it is alive. `rest`: seconds
    between two of a worker's steps. `doubt`: seconds for which a request without a transaction id that was not answered, and sent
    again, may still be done, after what came next."""

    def __init__(self, server, ledger, seed, rooms=ROOMS, rest=0.0, doubt=0.0):
        self.server, self.ledger, self.seed, self.room_count, self.rest, self.doubt = server, ledger, seed, rooms, rest, doubt
        self.pauses = Pauses()
        self.stopped = False
        self.writing, self.reading = Gate(), Gate()
        self.users, self.rooms = {}, []
        self.repeated = 0            # requests sent again
        self.claims_in_doubt = 0     # keys of which nobody knows whether they were handed out
        self.claimed_before = 0      # the database last went back in time

    def connection(self, user=None):
        token = self.users[user]["access_token"] if user else None
        return Connection(self.server.port, token, self.on_silence, self.server.address)

    def on_silence(self, what):
        if self.server.alive():
            self.ledger.problem("wrong", what)

    def must(self, answer):
        status, body = answer
        if status != 200:
            raise Refused(f"{status} {body}")
        return body

    def set_up(self, gateway_url):
        for name in USERS:
            self.users[name] = self.must(self.connection().call("POST", f"{CLIENT}/register", {
                "username": name, "password": "password-of-" + name, "device_id": "D" + name,
                "auth": {"type": "m.login.dummy"}}))
        for i in range(self.room_count):
            room = self.must(self.connection("alice").call("POST", f"{CLIENT}/createRoom", {
                "preset": "public_chat", "name": f"room {i}", "power_level_content_override": {"state_default": 0}}))["room_id"]
            self.rooms.append(room)
            for other in USERS[1:]:
                self.must(self.connection(other).call("POST", f"{CLIENT}/join/{quote(room)}", {}))
        self.gateway_url = gateway_url
        self.must(self.set_pusher())

    def set_pusher(self):
        return self.connection("carol").call("POST", f"{CLIENT}/pushers/set", {
            "kind": "http", "app_id": "org.example", "pushkey": "carol", "app_display_name": "x",
            "device_display_name": "x", "lang": "en", "data": {"url": self.gateway_url}})

    def unpark(self):
        """As the administrator; how many keys."""
        login = self.must(self.connection().call("POST", f"{CLIENT}/login", {
            "type": "m.login.password", "user": "root", "password": "password-of-root", "device_id": "Droot"}))
        if self.connection("alice").call("GET", "/_myelin/admin/parked")[0] != 403:
            raise Refused("a user who is no administrator is shown what is parked")
        root = Connection(self.server.port, login["access_token"], address=self.server.address)
        parked = self.must(root.call("GET", "/_myelin/admin/parked"))["parked"]
        for item in parked:
            self.must(root.call("POST", "/_myelin/admin/parked/retry", {"consumer": item["consumer"], "key": item["key"]}))
        return len(parked)

    def start_workers(self):
        self.readers = [Reader(self, user) for user in USERS]
        self.writers = [MessageWriter(self, user, room) for user in USERS[:2] for room in self.rooms]
        self.devices = DeviceWriter(self)
        self.writers += [self.devices, KeyWriter(self, "alice"), KeyWriter(self, "bob")]
        for worker in self.readers + self.writers:
            worker.start()

    def stop_workers(self):
        self.stopped = True
        self.writing.open()
        self.reading.open()
        for worker in self.readers + self.writers:
            worker.join(30)

    def in_flight(self):
        return [worker.in_flight for worker in self.writers if worker.in_flight]

    def database_went_back(self):
        """With everybody at rest."""
        self.ledger.write(kind="restored")
        for reader in self.readers:
            reader.seen.new_epoch()
        # What they were at is of the past that is gone. (Sent again, one-time keys that were already claimed in it would be
        # taken for new: nobody can know.)
        for writer in self.writers:
            writer.abandon, writer.acknowledged = True, []


class Abandoned(Exception):
    """A request that must not be sent again."""


class Worker(threading.Thread):
    def __init__(self, world, gate, name, user):
        super().__init__(name=name, daemon=True)
        self.world, self.ledger, self.gate, self.user = world, world.ledger, gate, user
        self.user_id = world.users[user]["user_id"]
        self.connection = world.connection(user)
        self.rng = random.Random(f"{world.seed} {name}")
        self.acknowledged = []  # transactions that can be sent again: (number, event id)
        self.in_flight = None  # (writer, number) of a request that was sent and not answered
        self.abandon = False   # what is under way, rather than send it again
        gate.join()

    def run(self):
        try:
            while not self.world.stopped:
                try:
                    time.sleep(self.world.rest)
                    self.step()
                except Abandoned:
                    self.in_flight = None
        except Gone:
            pass
        except Exception as error:  # an answer that makes no sense is a finding
            self.ledger.problem("wrong", f"{self.name}: {type(error).__name__}: {error}")
        finally:
            self.gate.leave()

    def once(self, method, path, body=None):
        """The answer to one attempt; Gone without one."""
        self.gate.walk_through()
        if self.world.stopped:
            raise Gone("stopped")
        if self.abandon:
            self.abandon = False
            raise Abandoned
        try:
            answer = self.connection.call(method, path, body)
        except Gone:
            self.world.pauses.fails(self.name)
            raise
        self.world.pauses.works(self.name)
        return answer

    def until_answered(self, method, path, body=None, status=200):
        """The answer, and how many attempts it took: what is not answered is sent again as it was."""
        self.gate.walk_through()
        attempts, began = 0, time.monotonic()
        while True:
            attempts += 1
            try:
                got, answer = self.once(method, path, body)
            except Gone:
                if self.world.stopped:
                    raise
                self.world.repeated += 1
                time.sleep(0.02)
                continue
            if got != status:
                raise Refused(f"{method} {path}: {got} {answer}")
            if self.gate is self.world.writing:
                self.world.pauses.note(self.name, began)
            return answer, attempts


class MessageWriter(Worker):
    """One user's messages in one room, one after the other; and now and then a state event, a receipt, account data."""

    def __init__(self, world, user, room):
        index = world.rooms.index(room)
        super().__init__(world, world.writing, f"{user} in room {index}", user)
        self.room, self.number = room, 0
        self.base = f"{CLIENT}/rooms/{quote(room)}"
        self.data_type = f"org.example.mark{index}"

    def transaction(self, number):
        content = {"msgtype": "m.text", "body": f"{self.name}: {number}", "writer": self.name, "number": number}
        return f"{self.base}/send/m.room.message/{quote(self.name)}-{number}", content

    def step(self):
        self.number += 1
        event = self.send(self.number)
        chance = self.rng.random()
        if chance < 0.1:
            self.write_value(("receipt", self.room, self.user_id), "POST", f"{self.base}/receipt/m.read/{quote(event)}", {})
        elif chance < 0.2:
            where = f"{CLIENT}/user/{quote(self.user_id)}/rooms/{quote(self.room)}/account_data/org.example.mark"
            self.write_value(("room data", self.room, self.user_id), "PUT", where, {"number": self.number})
        elif chance < 0.25:
            where = f"{CLIENT}/user/{quote(self.user_id)}/account_data/{self.data_type}"
            self.write_value(("data", self.data_type, self.user_id), "PUT", where, {"number": self.number})
        elif chance < 0.3:
            self.write_state()
        elif chance < 0.33:  # refused inside the transaction: those behind it in the same commit must not care
            self.until_answered("POST", f"{self.base}/forget", {}, status=400)

    def send(self, number):
        path, content = self.transaction(number)
        self.in_flight = (self.name, number)
        answer, attempts = self.until_answered("PUT", path, content)
        event = answer["event_id"]
        self.ledger.write(kind="event", room=self.room, event=event, writer=self.name, number=number)
        self.in_flight = None
        self.acknowledged = self.acknowledged[-50:] + [(number, event)]
        if attempts > 1 or self.rng.random() < 0.02:
            self.send_again(number, event)
        return event

    def send_again(self, number, event):
        answer, _ = self.until_answered("PUT", *self.transaction(number))
        if answer["event_id"] != event:
            self.ledger.problem("doubled", f"{self.name} {number}: the same transaction made {event} and {answer['event_id']}")

    def write_value(self, key, method, path, body, note=lambda answer: None):
        """By a request without a transaction id."""
        answer, attempts = self.until_answered(method, path, body)
        if attempts > 1 and self.world.doubt:
            self.ledger.doubt(key, self.number, self.world.doubt)
        note(answer)
        self.ledger.write(kind="value", key=key, number=self.number)

    def write_state(self):
        writer, number = self.name + " state", self.number
        self.in_flight = (writer, number)

        def note(answer):
            self.ledger.write(kind="event", room=self.room, event=answer["event_id"], writer=writer, number=number)
            self.in_flight = None

        path = f"{self.base}/state/org.example.state/{quote(self.user_id)}"
        self.write_value(("state", self.room, self.user_id), "PUT", path, {"number": number}, note)


class DeviceWriter(Worker):
    """Messages to carol's device; and carol's one-time keys, new ones when few are left."""

    def __init__(self, world):
        super().__init__(world, world.writing, "bob's messages to a device", "bob")
        self.number = self.batch = 0
        self.carol = world.users["carol"]["user_id"]
        self.carol_connection = world.connection("carol")

    def step(self):
        self.number += 1
        self.send(self.number)
        if self.rng.random() < 0.05:
            self.send(self.number)  # the same transaction: one message
        if self.number % 8 == 1:
            self.upload()

    def send(self, number):
        body = {"messages": {self.carol: {"Dcarol": {"number": number}}}}
        self.until_answered("PUT", f"{CLIENT}/sendToDevice/org.example.note/n{number}", body)
        self.ledger.write(kind="to_device", number=number)

    def upload(self):
        counts = self.as_carol({})
        if counts["one_time_key_counts"].get("signed_curve25519", 0) > 20:
            return
        self.batch += 1
        numbers = range(self.batch * 100, self.batch * 100 + 20)
        keys = {f"signed_curve25519:K{n}": {"key": key_of(n), "signatures": {self.carol: {"ed25519:Dcarol": "c2ln"}}}
                for n in numbers}
        self.in_flight = ("keys", len(numbers))
        self.as_carol({"one_time_keys": keys})
        self.ledger.write(kind="keys", count=len(numbers))
        self.in_flight = None

    def as_carol(self, body):
        mine, self.connection = self.connection, self.carol_connection
        try:
            return self.until_answered("POST", f"{CLIENT}/keys/upload", body)[0]
        finally:
            self.connection = mine


def key_of(number):
    """32 bytes as unpadded base64, as a curve25519 key has them."""
    return base64.b64encode(number.to_bytes(32, "big")).decode().rstrip("=")


class KeyWriter(Worker):
    """Claims carol's one-time keys, against the other one who does."""

    def __init__(self, world, user):
        super().__init__(world, world.writing, f"{user}'s claims", user)
        self.carol = world.users["carol"]["user_id"]

    def step(self):
        time.sleep(self.rng.uniform(0, 0.05))
        self.in_flight = ("claim", self.user)
        try:
            status, body = self.once("POST", f"{CLIENT}/keys/claim", {"one_time_keys": {self.carol: {"Dcarol": "signed_curve25519"}}})
        except Gone:
            if self.world.stopped:
                raise
            self.world.claims_in_doubt += 1  # not repeated: the key may be gone unseen
            return
        if status != 200:
            raise Refused(f"claim: {status} {body}")
        for key in body["one_time_keys"].get(self.carol, {}).get("Dcarol", {}):
            self.ledger.write(kind="claim", key=key)
        self.in_flight = None


class Reader(Worker):
    """Syncs with its own token, which it keeps like a client does: once the answer is used."""

    FILTER = quote('{"room":{"timeline":{"limit":500}}}')

    def __init__(self, world, user):
        super().__init__(world, world.reading, f"{user}'s client", user)
        self.seen, self.since = Seen(self.name, world.ledger), None

    def step(self):
        path = f"{CLIENT}/sync?timeout=200&filter={self.FILTER}" + (f"&since={quote(self.since)}" if self.since else "")
        try:
            status, body = self.once("GET", path)
        except Gone:
            if self.world.stopped:
                raise
            time.sleep(0.02)
            return
        if status != 200:
            raise Refused(f"sync: {status} {body}")
        self.take(body)

    def take(self, body):
        for room, data in body.get("rooms", {}).get("join", {}).items():
            timeline = data.get("timeline", {})
            if timeline.get("limited") and self.since:
                for event in self.gap(room, timeline["prev_batch"]):
                    self.seen.event(room, event)
            for event in timeline.get("events", []):
                self.seen.event(room, event)
            for event in data.get("ephemeral", {}).get("events", []):
                if event["type"] == "m.receipt":
                    self.seen.receipts(room, event["content"])
            for event in data.get("account_data", {}).get("events", []):
                if event["type"] == "org.example.mark":
                    self.seen.value(("room data", room, self.user_id), event["content"]["number"])
        for event in body.get("account_data", {}).get("events", []):
            if event["type"].startswith("org.example.mark"):
                self.seen.value(("data", event["type"], self.user_id), event["content"]["number"])
        for event in body.get("to_device", {}).get("events", []):
            if event["type"] == "org.example.note":
                self.seen.note(event["content"]["number"])
        self.since = body["next_batch"]

    def gap(self, room, token):
        """What lies between the last answer and this one, oldest first."""
        events = []
        while token:
            page, _ = self.until_answered("GET", f"{CLIENT}/rooms/{quote(room)}/messages?dir=b&limit=500&from={quote(token)}")
            for event in page["chunk"]:
                if self.seen.has(event["event_id"]):
                    return reversed(events)
                events.append(event)
            token = page.get("end")
        return reversed(events)
