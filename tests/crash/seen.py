"""What one syncing client was given, in its order."""
from collections import Counter, defaultdict


class Seen:
    """An epoch ends when the database goes back in time: what was seen before may come once more, and values start over."""

    def __init__(self, name, ledger):
        self.name, self.ledger = name, ledger
        self.earlier = set()     # event ids, and numbers of messages to the device, of former epochs
        self.numbers = {}        # event id -> number of a message
        self.new_epoch()

    def new_epoch(self):
        self.earlier |= getattr(self, "known", set()) | set(getattr(self, "to_device", ()))
        self.known = set()
        self.order = defaultdict(list)  # room -> event ids
        self.last_number = {}           # (room, writer) -> number
        self.values = {}                # as Book.values
        self.to_device = Counter()      # number -> times
        self.to_device_order = []

    def problem(self, kind, text):
        self.ledger.problem(kind, f"{self.name}: {text}")

    def event(self, room, event):
        event_id, content = event["event_id"], event.get("content", {})
        if event_id in self.ledger.book.gone:
            self.problem("wrong", f"{event_id} is of a past that the database does not have")
        if event_id in self.known:
            self.problem("doubled", f"{event_id} came twice")
            return
        self.known.add(event_id)
        self.order[room].append(event_id)
        if event["type"] == "org.example.state":
            self.value(("state", room, event["state_key"]), content["number"])
        elif event["type"] == "m.room.message" and "writer" in content:
            self.numbers[event_id] = content["number"]
            key = (room, content["writer"])
            if content["number"] <= self.last_number.get(key, 0):
                kind = "doubled" if content["number"] == self.last_number[key] else "reordered"
                self.problem(kind, f"number {content['number']} of {key} came after {self.last_number[key]}")
            self.last_number[key] = max(content["number"], self.last_number.get(key, 0))

    def value(self, key, number):
        before = self.values.get(key, 0)
        if number < before and self.ledger.may_come_late(key, number):
            return
        if number < before:
            self.problem("reordered", f"{key} went back from {before} to {number}")
        self.values[key] = number

    def receipts(self, room, content):
        for event_id, types in content.items():
            for user in types.get("m.read", {}):
                if event_id in self.numbers:
                    self.value(("receipt", room, user), self.numbers[event_id])

    def note(self, number):
        """A message to this device."""
        self.to_device[number] += 1
        if self.to_device[number] > 1:
            self.problem("doubled", f"message to the device {number} came {self.to_device[number]} times")
        if self.to_device_order and number < self.to_device_order[-1]:
            self.problem("reordered", f"message to the device {number} came after {self.to_device_order[-1]}")
        self.to_device_order.append(number)

    def has(self, what):
        return what in self.known or what in self.to_device or what in self.earlier
