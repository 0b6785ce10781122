#!/usr/bin/env python3
"""The command `move` from outside: see the file run."""
import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "crash"), str(HERE.parent / "contract")]
from database import Postgres  # noqa: E402  (tests/contract)
from people import Alice, Bob, Person  # noqa: E402
from server import Server  # noqa: E402  (tests/crash)
import speed  # noqa: E402

OPTIONS = argparse.Namespace()
POINTS = ["move.begun", "move.before_schema", "migrate.between:9", "move.page_written:12", "move.page_committed:20",
          "move.copied", "move.before_switch"]


class Home:
    """A server that can be on SQLite or PostgreSQL, with the data directory that it has at the moment."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.server = self.at("first")

    def at(self, name, database="sqlite"):
        return Server(OPTIONS.program, self.folder / name, OPTIONS.port, arguments=("--database", database),
                      log_folder=self.folder)

    def stop(self):
        self.server.process.send_signal(signal.SIGTERM)
        assert self.server.process.wait(30) == 0, self.server.log_path.read_text()
        self.server.process.stdin.close()

    def move(self, *target, crash_at=None, data=None):
        """(exit status, what it printed)."""
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
        self.home = Home(self.folder)
        self.stack.callback(lambda: self.home.server.process and self.home.server.kill())
        self.home.server.start()
        self.alice, self.bob = Alice(OPTIONS.port, "alice"), Bob(OPTIONS.port, "bob")

    def moved(self, *target, **how):
        status, text = self.home.move(*target, **how)
        self.assertEqual(status, 0, text)
        return text

    def test_there_and_back(self):
        home, alice, bob = self.home, self.alice, self.bob
        alice.settles_in(bob)
        bob.settles_in()
        self.assertIn("in use by another process", home.move("--to", self.postgres.option)[1])
        waiting = self.kill_with_messages_in_the_outbox()
        before = self.killed_on_the_way()

        text = self.moved("--to", self.postgres.option)
        self.assertIn("each compared", text)
        self.assertIn("moved from here to postgresql:", home.refuses_to_start())
        self.assertIn("moved from here to postgresql:", home.move("--to", self.postgres.option)[1])
        old, home.server = home.server, home.at("first", self.postgres.option)
        home.server.start()
        self.all_is_there(before, waiting)

        home.stop()
        new = Path(self.folder) / "second" / "data"
        status, text = home.move("--to", "sqlite", "--to-data", new, crash_at="move.switched")
        self.assertEqual(status, -signal.SIGKILL, text)
        self.assertIn("moved from here to", home.refuses_to_start())
        self.assertIn("is finished", self.moved("--to", "sqlite", "--to-data", new))
        self.assertEqual((new / "signing.key").read_text(), (old.data / "signing.key").read_text())
        home.server = home.at("second")
        home.server.start()
        bob.reads_on(alice, "back home")
        self.assertEqual(self.alice.keys_left(), 3)

        home.stop()
        self.the_old_side_again(old)

    def kill_with_messages_in_the_outbox(self):
        """Bodies that nobody has seen in /sync when the server dies."""
        home = self.home
        home.stop()
        home.server.start(fail_at="consume.stalled:1")
        bodies = [f"waiting {n}" for n in range(5)]
        for body in bodies:
            self.alice.says(body)
        home.server.kill()
        return bodies

    def killed_on_the_way(self):
        """What everybody sees after the server was started on the old side between attempts."""
        home = self.home
        for point in POINTS:
            status, text = home.move("--to", self.postgres.option, crash_at=point)
            self.assertEqual(status, -signal.SIGKILL, f"{point}: {text}")
        home.server.start(fail_at="consume.stalled:1")
        before = self.alice.sees(), self.bob.sees()
        home.server.kill()
        for point in ("move.page_committed:5", "move.copied"):
            status, text = home.move("--to", self.postgres.option, crash_at=point)
            self.assertEqual(status, -signal.SIGKILL, f"{point}: {text}")
        return before

    def all_is_there(self, before, waiting):
        alice, bob = self.alice, self.bob
        for who, seen in zip((alice, bob), before):
            now = who.sees()
            for path, answer in seen.items():
                self.assertEqual(now[path], answer, path)
        self.assertEqual(bob.reads_until(waiting[-1]), waiting)
        self.assertEqual([event["content"]["number"] for event in bob.to_device], [7])
        self.assertEqual(bob.claims(alice), 1)
        self.assertEqual(alice.keys_left(), 3)
        bob.reads_on(alice, "after the move")
        Person(OPTIONS.port, "carol", device="C").joins(alice.room)

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
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rows", type=int, help="measure with so many, instead of the tests")
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.program = OPTIONS.program.resolve()
    if OPTIONS.rows:
        sys.exit(speed.measure(OPTIONS.program, OPTIONS.rows))
    unittest.main(argv=[sys.argv[0], "-v"], warnings="ignore")
