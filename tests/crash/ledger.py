"""What was acknowledged, on disk before it counts; and what the readers saw."""
import json
import os
import threading
from collections import defaultdict


class Ledger:
    """Every acknowledged request, fsynced, one JSON line each."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.messages = {}                       # event id -> (room, writer, number)
        self.by_room = defaultdict(dict)         # room -> event id -> None, in the order of acknowledgement
        self.account_data = {}                   # (user, type) -> [acknowledged value, last tried value]
        self.to_device = {}                      # (target, number) -> acknowledged
        self.claimed = []                        # key ids handed out
        self.problems = []

    def write(self, **entry):
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())

    def message(self, room, event_id, writer, number, attempts):
        self.write(kind="message", room=room, event=event_id, writer=writer, number=number, attempts=attempts)
        with self.lock:
            if event_id in self.messages and self.messages[event_id] != (room, writer, number):
                self.problems.append(f"event id {event_id} acknowledged for two messages")
            self.messages[event_id] = (room, writer, number)
            self.by_room[room][event_id] = None

    def claim(self, key_id):
        self.write(kind="claim", key=key_id)
        with self.lock:
            if key_id in self.claimed:
                self.problems.append(f"one-time key {key_id} handed out twice")
            self.claimed.append(key_id)

    def problem(self, text):
        with self.lock:
            self.problems.append(text)


class Seen:
    """What one syncing reader was given, in its order."""

    def __init__(self, name):
        self.name = name
        self.order = defaultdict(list)           # room -> event ids
        self.known = set()
        self.last_number = {}                    # (room, writer) -> number
        self.to_device = defaultdict(int)        # number -> times
        self.to_device_order = []

    def event(self, ledger, room, event):
        event_id = event["event_id"]
        if event_id in self.known:
            ledger.problem(f"{self.name} was given {event_id} twice")
            return
        self.known.add(event_id)
        self.order[room].append(event_id)
        number = event.get("content", {}).get("number")
        if event["type"] == "m.room.message" and number is not None:
            key = (room, event["content"]["writer"])
            if number <= self.last_number.get(key, 0):
                ledger.problem(f"{self.name}: {key} number {number} came after {self.last_number[key]}")
            self.last_number[key] = max(number, self.last_number.get(key, 0))
