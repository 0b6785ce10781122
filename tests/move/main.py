#!/usr/bin/env python3
"""The command `move` from outside: see the file run."""
import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "crash"), str(HERE.parent / "contract")]
from client import Gone  # noqa: E402  (tests/crash)
from database import Postgres  # noqa: E402  (tests/contract)
from people import Alice, Bob, Person  # noqa: E402
from server import Nats, Server  # noqa: E402  (tests/crash)
from streams import messages_in  # noqa: E402
import speed  # noqa: E402

OPTIONS = argparse.Namespace()
POINTS = ["move.begun", "move.before_schema", "migrate.between:9", "move.page_written:12", "move.page_committed:20",
          "move.copied", "move.before_switch"]


class Home:
    """A server that can be on SQLite or PostgreSQL, with the data directory and the NATS that it has at the moment."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.server = self.at("first")

    def at(self, name, database="sqlite", nats="embedded"):
        return Server(OPTIONS.program, self.folder / name, OPTIONS.port, settings=[f"nats={nats}"],
                      arguments=("--database", database), log_folder=self.folder)

    def stop(self):
        self.server.process.send_signal(signal.SIGTERM)
        assert self.server.process.wait(30) == 0, self.server.log_path.read_text()
        self.server.process.stdin.close()

    def move(self, *target, crash_at=None, data=None):
        """(exit status, what it printed). `data`: the directory of a machine on which the server does not run."""
        environment = {**os.environ, **({"MYELIN_CRASH_AT": crash_at} if crash_at else {})}
        done = subprocess.run([OPTIONS.program, "move", "--data", data or self.server.data, *self.server.arguments, *target],
                              env=environment, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def refuses_to_start(self):
        """What it says."""
        done = subprocess.run([OPTIONS.program, "serve", "--data", self.server.data, *self.server.arguments, "--listen",
                               f"127.0.0.1:{OPTIONS.port}"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1, done
        return done.stderr


class MoveTest(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="myelin-move-"))
        self.postgres = Postgres(None)
        self.stack.callback(self.postgres.close)
        self.nats = Nats(OPTIONS.nats_server, Path(self.folder) / "nats")
        self.stack.callback(self.nats.stop)
        self.home = Home(self.folder)
        self.stack.callback(lambda: self.home.server.process and self.home.server.kill())

    def live(self):
        """The server runs, and has users."""
        self.home.server.start()
        self.alice, self.bob = Alice(OPTIONS.port, "alice"), Bob(OPTIONS.port, "bob")
        return self.home, self.alice, self.bob

    def test_there_and_back(self):
        home, alice, bob = self.live()
        first, second = home.server, Path(self.folder) / "second" / "data"
        alice.settles_in(bob)
        bob.settles_in()
        self.assertIn("in use by another process", home.move("--to", self.postgres.option)[1])
        said = self.stops_while_alice_talks()
        self.killed_in_turn(POINTS, "--to", self.postgres.option)
        home.server.start()  # on the old side: that gives the move up
        alice.says("enough")
        heard = bob.reads_until("enough")
        self.assertIn(heard, ([*said, "enough"], [*said, f"talk {len(said)}", "enough"]))  # one may have been done and not said
        home.stop()

        waiting, before = self.dies_with_messages_on_the_way()
        self.killed_in_turn(["move.page_committed:5", "move.copied"], "--to", self.postgres.option)
        self.assertIn("each compared", self.moves_again_until_it_is_done("--to", self.postgres.option))
        home.server = home.at("first", self.postgres.option, self.nats.url)
        home.server.start()
        self.all_is_there(before, waiting)
        self.assertEqual([event["content"]["number"] for event in bob.to_device], [7])
        self.assertEqual(bob.claims(alice), 1)
        Person(OPTIONS.port, "carol", device="C").joins(alice.room)
        home.stop()

        waiting, before = self.dies_with_messages_on_the_way()
        self.assertGreaterEqual(messages_in(self.nats.port, "room_out"), len(waiting))
        self.waits_until_it_is_taken_for_dead("--to", "sqlite", "--to-data", second, crash_at=POINTS[0])
        self.killed_in_turn([*POINTS[1:], "move.switched"], "--to", "sqlite", "--to-data", second)
        self.assertIn("is finished", self.moves_again_until_it_is_done("--to", "sqlite", "--to-data", second))
        self.assertEqual((second / "signing.key").read_text(), (first.data / "signing.key").read_text())
        home.server = home.at("second")
        home.server.start()
        self.all_is_there(before, waiting)
        home.stop()

        self.to_the_same_nats_again()
        self.the_old_side_again(first)

    def test_a_process_that_was_suspended(self):
        """It ends a move that is not done, and is ended by one that is."""
        self.home.server = self.home.at("first", self.postgres.option, self.nats.url)
        home, alice, bob = self.live()
        alice.settles_in(bob)
        elsewhere, new = (Path(self.folder) / name / "data" for name in ("elsewhere", "second"))
        elsewhere.mkdir(parents=True)
        target, how = ("--to", "sqlite", "--to-data", new), {"data": elsewhere}
        process = home.server.process
        self.assertIn("signing key", home.move(*target, **how)[1])
        shutil.copy(home.server.data / "signing.key", elsewhere)
        process.send_signal(signal.SIGSTOP)
        self.waits_until_it_is_taken_for_dead(*target, crash_at="move.begun", **how)
        self.assertEqual(home.move(*target, crash_at="move.before_switch", **how)[0], -signal.SIGKILL)
        process.send_signal(signal.SIGCONT)
        alice.says_until_it_is_heard("awake")
        self.assertIn("stop it first", home.move(*target, **how)[1])
        process.send_signal(signal.SIGSTOP)
        self.assertIn("each compared", self.waits_until_it_is_taken_for_dead(*target, **how))
        process.send_signal(signal.SIGCONT)
        self.assertNotEqual(process.wait(30), 0)
        self.assertTrue(home.server.log_says("moved away from this database"))
        home.server = home.at("second")
        home.server.start()
        self.assertEqual(bob.reads_until("awake"), ["awake"])
        bob.reads_on(alice, "on SQLite")

    def killed_in_turn(self, points, *target):
        for point in points:
            status, text = self.home.move(*target, crash_at=point)
            self.assertEqual(status, -signal.SIGKILL, f"{point}: {text}")

    def waits_until_it_is_taken_for_dead(self, *target, **how):
        """On PostgreSQL a process could be alive on another machine."""
        refusals = 0
        while "counts for a few seconds more" in (text := self.home.move(*target, **how)[1]):
            refusals += 1
            self.assertLess(refusals, 50)
            time.sleep(0.2)
        self.assertGreater(refusals, 0)
        return text

    def moves_again_until_it_is_done(self, *target):
        """What it said. From then on the old side is closed, for a server and for a move."""
        status, text = self.home.move(*target)
        self.assertEqual(status, 0, text)
        self.assertIn("moved from here to", self.home.refuses_to_start())
        self.assertIn("moved from here to", self.home.move(*target)[1])
        return text

    def stops_while_alice_talks(self):
        """The bodies that were acknowledged before the server, told to stop, had stopped."""
        said, begun = [], threading.Event()

        def talk():
            with contextlib.suppress(Gone):
                while True:
                    self.alice.says(f"talk {len(said)}")
                    said.append(f"talk {len(said)}")
                    begun.set()

        talking = threading.Thread(target=talk)
        talking.start()
        self.assertTrue(begun.wait(20))
        self.home.stop()
        talking.join()
        return said

    def dies_with_messages_on_the_way(self):
        """The bodies that no consumer had seen when the server was killed, and what everybody saw."""
        home = self.home
        home.server.start(fail_at="consume.stalled:1")
        bodies = [f"waiting {next(self.alice.numbers)}" for _ in range(5)]
        for body in bodies:
            self.alice.says(body)
        before = self.alice.sees(), self.bob.sees()
        home.server.kill()
        return bodies, before

    def all_is_there(self, before, waiting):
        """What was seen is seen, what waited comes once and in order, and it all goes on with the same tokens."""
        alice, bob = self.alice, self.bob
        for who, seen in zip((alice, bob), before):
            now = who.sees()
            for path, answer in seen.items():
                self.assertEqual(now[path], answer, path)
        self.assertEqual(bob.reads_until(waiting[-1]), waiting)
        bob.reads_on(alice, "after the move")

    def to_the_same_nats_again(self):
        """It still holds what was published before the database moved from there: old news, which nobody is told again."""
        self.assertGreater(messages_in(self.nats.port, "room_out"), 0)
        self.postgres.change("CREATE DATABASE again")
        again = self.postgres.option.replace("/postgres?", "/again?")
        self.moves_again_until_it_is_done("--to", again)
        self.home.server = self.home.at("second", again, self.nats.url)
        self.home.server.start()
        self.bob.reads_on(self.alice, "on another generation")
        end = time.monotonic() + 60  # they come again 30 s after they had been given to a process that died
        while messages_in(self.nats.port, "room_out"):
            self.assertLess(time.monotonic(), end, "the streams keep what nobody wants")
            time.sleep(0.1)
        self.bob.reads_on(self.alice, "and on")
        self.assertEqual(self.alice.keys_left(), 3)
        self.home.stop()

    def the_old_side_again(self, old):
        """Its state from before, when somebody says so; keys that were given out since are not given out again."""
        self.home.server = old
        done = subprocess.run([OPTIONS.program, "restored", "--data", old.data], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertIn("goes on from what is here", done.stdout + done.stderr)
        old.start()
        self.assertEqual(self.alice.keys_left(), 0)
        self.assertEqual(self.bob.claims(self.alice), 0)
        self.bob.reads_on(self.alice, "as if nothing had been")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--nats-server", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rows", type=int, help="measure with so many, instead of the tests")
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.program = OPTIONS.program.resolve()
    if OPTIONS.rows:
        sys.exit(speed.measure(OPTIONS.program, OPTIONS.rows))
    unittest.main(argv=[sys.argv[0], "-v"], warnings="ignore")
