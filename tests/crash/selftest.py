#!/usr/bin/env python3
"""The auditor audited: it finds what it is there to find."""
import struct
import tempfile
import time
import unittest
from pathlib import Path

import faults
from commit_proxy import Commits
from ledger import Book, Ledger
from pauses import Pauses
from plan import Plan, read_points
from seen import Seen


class FakeLedger:
    def __init__(self):
        self.book, self.problems = Book(), []

    def problem(self, kind, text):
        self.problems.append(f"{kind}: {text}")

    def may_come_late(self, key, number):
        return number == 7


def message(event_id, number, writer="w"):
    return {"event_id": event_id, "type": "m.room.message", "content": {"writer": writer, "number": number}}


class SeenTest(unittest.TestCase):
    def setUp(self):
        self.ledger = FakeLedger()
        self.seen = Seen("c", self.ledger)

    def expect(self, *words):
        self.assertEqual(len(self.ledger.problems), len(words), self.ledger.problems)
        for word, problem in zip(words, self.ledger.problems):
            self.assertIn(word, problem)

    def see(self, *messages):
        for event in messages:
            self.seen.event("!r", event)

    def test_all_is_well(self):
        self.see(message("$1", 1), message("$2", 2), message("$3", 5), message("$4", 1, "other"))
        self.expect()

    def test_an_event_twice(self):
        self.see(message("$1", 1), message("$1", 1))
        self.expect("doubled: c: $1 came twice")

    def test_a_message_stored_twice(self):
        self.see(message("$1", 1), message("$2", 1))
        self.expect("doubled: ")

    def test_out_of_order(self):
        self.see(message("$2", 2), message("$1", 1))
        self.expect("reordered: ")

    def test_after_a_restore_events_may_come_once_more(self):
        self.see(message("$1", 1), message("$2", 2))
        self.seen.new_epoch()
        self.see(message("$2", 2))
        self.expect()
        self.see(message("$2", 2))
        self.expect("came twice")

    def test_an_event_of_a_past_that_is_gone(self):
        self.ledger.book.gone.add("$9")
        self.see(message("$9", 9))
        self.expect("past")

    def test_values_that_go_back(self):
        self.see(message("$1", 1), message("$2", 2))
        self.seen.receipts("!r", {"$2": {"m.read": {"@a:x": {}}}})
        self.seen.receipts("!r", {"$1": {"m.read": {"@a:x": {}}}})
        self.expect("went back")

    def test_a_value_that_may_come_late(self):
        for number in (8, 7, 9):
            self.seen.value(("state", "!r", "@a:x"), number)
        self.expect()
        self.seen.value(("state", "!r", "@a:x"), 8)
        self.expect("went back from 9 to 8")

    def test_messages_to_a_device(self):
        for number in (1, 2, 2, 1):
            self.seen.note(number)
        self.expect("came 2 times", "came 2 times", "came after")


class BookTest(unittest.TestCase):
    def test_a_restore_takes_back_what_came_after_the_backup(self):
        book = Book()
        for entry in ({"kind": "event", "room": "!r", "event": "$1", "writer": "w", "number": 1},
                      {"kind": "backup", "in_flight": [["w", 2]]},
                      {"kind": "event", "room": "!r", "event": "$2", "writer": "w", "number": 2},
                      {"kind": "event", "room": "!r", "event": "$3", "writer": "w", "number": 3},
                      {"kind": "claim", "key": "K1"}, {"kind": "restored"}):
            book.apply(entry)
        self.assertEqual(set(book.events), {"$1"})
        self.assertEqual(book.gone, {"$3"})  # $2 was under way: the backup may have it
        self.assertEqual(book.claimed["K1"], 1)

    def test_a_doubt_ends(self):
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder) / "ledger")
            ledger.doubt(("state", "!r"), 7, 60)
            ledger.doubt(("state", "!r"), 8, 0)
            self.assertEqual([ledger.may_come_late(("state", "!r"), number) for number in (6, 7, 8)], [False, True, False])
            self.assertEqual(ledger.late, {(("state", "!r"), 7)})
            ledger.close()

    def test_the_file_has_what_was_written(self):
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder) / "ledger")
            for key in ("K1", "K2", "K1"):
                ledger.write(kind="claim", key=key)
            self.assertTrue(Book.read(ledger.path).same_as(ledger.book))
            self.assertEqual(ledger.problems, ["doubled: one-time key K1 handed out twice"])
            ledger.close()


class PlanTest(unittest.TestCase):
    def test_a_seed_repeats_the_faults(self):
        first, second = (Plan(7, read_points()) for _ in range(2))
        for number in range(50):
            a, b = first.cycle(number), second.cycle(number)
            self.assertEqual((a.point, a.nth, a.early, a.life, a.streams, a.database), (b.point, b.nth, b.early, b.life, b.streams, b.database))

    def test_a_short_run_has_every_point(self):
        points = read_points()
        plan = Plan(7, points, each_first=True)
        drawn = [plan.cycle(number) for number in range(len(points))]
        self.assertEqual(sorted(cycle.point.name for cycle in drawn), sorted(point.name for point in points))
        self.assertEqual({cycle.nth for cycle in drawn}, {1})
        plan.ask_again(points[3])
        self.assertEqual(plan.cycle(len(points)).point, points[3])

    def test_a_seed_repeats_the_faults_of_a_cluster(self):
        first, second = (faults.Plan(7) for _ in range(2))
        drawn = [str(first.fault(number)) for number in range(len(faults.CARDS))]
        self.assertEqual(drawn, [str(second.fault(number)) for number in range(len(faults.CARDS))])


class CommitsTest(unittest.TestCase):
    """As libpq says it in pipeline mode."""

    STARTUP = struct.pack(">II", 8, 196608)

    @staticmethod
    def message(kind, body=b""):
        return kind + struct.pack(">I", len(body) + 4) + body

    def found(self, data, piece):
        commits = Commits()
        out = [each for i in range(0, len(data), piece) for each in commits.feed(data[i:i + piece])]
        self.assertEqual(b"".join(message for message, _ in out), data)
        return [(message[:1], what) for message, what in out if what]

    def test_a_prepared_commit_is_found_however_it_arrives(self):
        data = (self.STARTUP + self.message(b"P", b"s1\0UPDATE x\0\0\0") + self.message(b"P", b"s2\0COMMIT\0\0\0") + self.message(b"B", b"\0s1\0COMMIT")
                + self.message(b"B", b"\0s2\0") + self.message(b"S"))
        for piece in (1, 7, len(data)):
            self.assertEqual(self.found(data, piece), [(b"B", "other")])

    def test_what_is_committed(self):
        data = (self.STARTUP + self.message(b"P", b"s1\0INSERT INTO event (\0\0\0") + self.message(b"P", b"s2\0COMMIT\0\0\0")
                + self.message(b"B", b"\0s1\0") + self.message(b"B", b"\0s2\0") + self.message(b"B", b"\0s2\0"))
        self.assertEqual(self.found(data, len(data)), [(b"B", "event"), (b"B", "other")])

    def test_a_name_that_means_something_else_now(self):
        data = (self.STARTUP + self.message(b"P", b"s2\0COMMIT\0\0\0") + self.message(b"P", b"s2\0ROLLBACK\0\0\0")
                + self.message(b"B", b"\0s2\0") + self.message(b"Q", b"COMMIT\0"))
        self.assertEqual(self.found(data, len(data)), [(b"Q", "other")])


class PausesTest(unittest.TestCase):
    def test_the_longest_wait_of_those_under_way_since(self):
        pauses = Pauses()
        pauses.answered = [(0.0, 9.0, "early"), (8.0, 11.0, "a"), (10.5, 12.0, "b")]
        self.assertEqual(pauses.longest(10.0), 3.0)
        self.assertTrue(pauses.have_all(["b"], 10.0))
        self.assertFalse(pauses.have_all(["a", "b"], 10.0))

    def test_the_longest_time_that_repeating_took(self):
        pauses = Pauses()
        pauses.works("a")
        self.assertEqual(pauses.longest_cure(), 0.0)
        pauses.failing = {"a": time.monotonic() - 7, "b": time.monotonic() - 3}
        pauses.fails("a")  # again
        pauses.works("b")
        self.assertAlmostEqual(pauses.longest_cure(), 7, delta=1)
        pauses.works("a")
        self.assertAlmostEqual(pauses.longest_cure(), 7, delta=1)
        pauses.forget()
        self.assertEqual(pauses.longest_cure(), 0.0)


if __name__ == "__main__":
    unittest.main(verbosity=0)
