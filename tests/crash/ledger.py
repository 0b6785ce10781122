"""What was acknowledged: in a file before it counts, and in memory as the audit compares it."""
import copy
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Book:
    """What the ledger's lines add up to. Values (state, receipts, account data) are numbers that only grow per key."""

    def __init__(self):
        self.events = {}         # event id -> (room, writer, number)
        self.values = {}         # (kind, ...) -> number
        self.recent = {}         # those of them that were written since the database last went back in time
        self.to_device = set()   # numbers
        self.claimed = Counter()  # one-time key -> times handed out; never taken back
        self.keys_uploaded = 0
        self.counts = Counter()  # kind -> lines
        self.gone = set()        # event ids that a restored backup cannot hold
        self.backup = None

    def apply(self, entry):
        kind = entry["kind"]
        self.counts[kind] += 1
        if kind == "event":
            self.events[entry["event"]] = (entry["room"], entry["writer"], entry["number"])
        elif kind == "value":
            key = tuple(entry["key"])
            self.values[key] = self.recent[key] = max(self.values.get(key, 0), entry["number"])
        elif kind == "to_device":
            self.to_device.add(entry["number"])
        elif kind == "claim":
            self.claimed[entry["key"]] += 1
        elif kind == "keys":
            self.keys_uploaded += entry["count"]
        elif kind == "backup":
            self.backup = {name: copy.copy(getattr(self, name)) for name in ("events", "values", "to_device")}
            self.backup["in_flight"] = {tuple(item) for item in entry["in_flight"]}
        elif kind == "restored":
            self.restore()

    def restore(self):
        """The database is what it was at the backup; an event in flight at that time may be in it though acknowledged later."""
        lost = {event: what for event, what in self.events.items() if event not in self.backup["events"]}
        self.gone |= {event for event, what in lost.items() if what[1:] not in self.backup["in_flight"]}
        for name in ("events", "values", "to_device"):
            setattr(self, name, copy.copy(self.backup[name]))
        self.recent = {}
        self.keys_uploaded = 0   # the server forgets those nobody claimed

    @staticmethod
    def read(path):
        book = Book()
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            book.apply(json.loads(line))
        return book

    def same_as(self, other):
        return all(getattr(self, name) == getattr(other, name)
                   for name in ("events", "values", "to_device", "claimed", "counts", "gone"))


class Ledger:
    """The pipe to the ledger's process. write() returns once the line is on disk."""

    def __init__(self, path):
        self.path = Path(path)
        self.process = subprocess.Popen([sys.executable, HERE / "ledger_writer.py", path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.changed = threading.Condition()
        self.sent = self.synced = 0
        self.ended = False
        self.book = Book()
        self.problems = []       # "KIND: what"; kinds are lost, doubled, reordered, wrong
        self.doubts = {}         # (key, number) -> until when a first attempt at this value may still be done
        self.late = set()        # those of them that were
        threading.Thread(target=self.read_answers, daemon=True).start()

    def read_answers(self):
        for line in self.process.stdout:
            with self.changed:
                self.synced = int(line)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def write(self, **entry):
        line = (json.dumps(entry) + "\n").encode()
        with self.changed:
            self.process.stdin.write(line)
            self.process.stdin.flush()
            self.sent += 1
            mine = self.sent
            self.changed.wait_for(lambda: self.synced >= mine or self.ended)
            if self.synced < mine:
                raise RuntimeError("the ledger's process has ended")
            self.note(entry)

    def note(self, entry):
        if entry["kind"] == "event":
            known = self.book.events.get(entry["event"])
            if known and known != (entry["room"], entry["writer"], entry["number"]):
                self.problems.append(f"doubled: event id {entry['event']} acknowledged for two messages")
        self.book.apply(entry)
        if entry["kind"] == "claim" and self.book.claimed[entry["key"]] > 1:
            self.problems.append(f"doubled: one-time key {entry['key']} handed out twice")

    def doubt(self, key, number, seconds):
        with self.changed:
            self.doubts[key, number] = time.monotonic() + seconds

    def may_come_late(self, key, number):
        """Behind a later value of its key."""
        with self.changed:
            if self.doubts.get((key, number), 0) > time.monotonic():
                self.late.add((key, number))
            return (key, number) in self.late

    def problem(self, kind, text):
        with self.changed:
            self.problems.append(f"{kind}: {text}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
