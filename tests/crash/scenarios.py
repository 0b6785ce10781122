#!/usr/bin/env python3
"""A disk that runs full, fails, or lies, under the whole server. Each ends with an audit of everything acknowledged.

scenarios.py PROGRAM POWER_CUT_PROGRAM [--seed S]. Exits 1 when one fails.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import checks
from gateway import Gateway
from ledger import Ledger
from load import CLIENT, World
from server import Server


class Failed(Exception):
    pass


def expect(truth, what):
    if not truth:
        raise Failed(what)


class Stage:
    """A server with load on it, in a folder that goes away."""

    def __init__(self, program, port, seed, folder=None, settings=(), power=True, power_percent=None):
        self.made = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="myelin-disk-"))
        self.outside = Path(tempfile.mkdtemp(prefix="myelin-disk-log-"))  # the log and the ledger, on another disk
        self.server = Server(program, self.folder, port, settings, power_seed=seed if power else None,
                             power_percent=power_percent, log_folder=self.outside)
        self.ledger, self.gateway = Ledger(self.outside / "ledger.jsonl"), Gateway()
        self.world = World(self.server, self.ledger, seed)

    def __enter__(self):
        expect(self.server.start() is not None, "the server starts")
        self.world.set_up(self.gateway.url)
        self.world.start_workers()
        time.sleep(0.5)
        return self

    def __exit__(self, kind, *_):
        self.world.stop_workers()
        self.server.kill()
        self.gateway.stop()
        self.ledger.close()
        if kind:
            print(f"  kept: {self.outside}/server.log")
        else:
            shutil.rmtree(self.outside)
        if self.made:
            shutil.rmtree(self.folder)

    def writes(self):
        """One request of every kind that writes."""
        room, user = quote(self.world.rooms[0]), quote(self.world.users["alice"]["user_id"])
        carol = self.world.users["carol"]["user_id"]
        n = time.monotonic_ns()
        return [("PUT", f"/rooms/{room}/send/m.room.message/full{n}", {"msgtype": "m.text", "body": "x"}),
                ("PUT", f"/rooms/{room}/state/org.example.full/", {"n": n}),
                ("PUT", f"/user/{user}/account_data/org.example.full", {"n": n}),
                ("PUT", f"/profile/{user}/displayname", {"displayname": f"Alice {n}"}),
                ("PUT", f"/sendToDevice/org.example.full/{n}", {"messages": {carol: {"*": {"n": n}}}}),
                ("POST", "/keys/claim", {"one_time_keys": {carol: {"Dcarol": "signed_curve25519"}}}),
                ("POST", "/createRoom", {}),
                ("POST", "/login", {"type": "m.login.password", "user": "alice", "password": "password-of-alice"})]

    def nothing_is_acknowledged(self):
        """Every write is answered 503, and the log says why."""
        connection = self.world.connection("alice")
        for method, path, body in self.writes():
            status, answer = connection.answer(method, CLIENT + path, body)
            expect(status == 503 and "errcode" in answer, f"{method} {path} on a full disk: {status} {answer}")
        expect(self.server.log_says("the disk is full"), "the log says that the disk is full")
        expect(connection.answer("GET", "/_matrix/client/versions")[0] == 200, "questions are answered")

    def everything_works(self):
        connection = self.world.connection("alice")
        for method, path, body in self.writes():
            status, answer = connection.answer(method, CLIENT + path, body)
            expect(status == 200, f"{method} {path} with space again: {status} {answer}")

    def audited(self):
        self.world.writing.close()
        checks.final_audit(self.world)
        expect(not self.ledger.problems, self.ledger.problems[:5])
        return len(self.ledger.book.events)

    def restarted_and_audited(self):
        self.world.writing.close()
        self.world.reading.close()
        self.server.kill()
        expect(self.server.start() is not None, "the server starts again")
        self.world.reading.open()
        return self.audited()


def full_and_not(stage, fill, free):
    process = stage.server.process.pid
    for _ in range(2):
        before = len(stage.ledger.book.events)
        fill()
        stage.nothing_is_acknowledged()
        free()
        stage.everything_works()
        deadline = time.monotonic() + 20
        while len(stage.ledger.book.events) < before + 20:
            expect(time.monotonic() < deadline, "the writers go on")
            time.sleep(0.05)
    expect(stage.server.process.pid == process and stage.server.alive(), "the same process goes on")
    stage.audited()
    stage.world.writing.open()
    return stage.restarted_and_audited()


def disk_full(options):
    """As the file layer says it, at every write."""
    with Stage(options.power_cut, options.port, options.seed) as stage:
        def fill():
            stage.server.order("full")
            time.sleep(0.5)
        return full_and_not(stage, fill, lambda: stage.server.order("heal") or time.sleep(0.2))


def small_disk(options, settings=()):
    """A real one: a file system of its own, with a ballast that takes the rest of it."""
    folder = Path(tempfile.mkdtemp(prefix="myelin-small-disk-"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "myelin-crash", folder], capture_output=True, check=False).returncode:
        os.rmdir(folder)
        return None
    try:
        with Stage(options.program, options.port, options.seed, folder, settings, power=False) as stage:
            ballast = folder / "ballast"

            def fill():
                """Until every write is refused: the server's own files have, and give back, some space of theirs."""
                deadline = time.monotonic() + 20
                while True:
                    with open(ballast, "ab", buffering=0) as file:
                        try:
                            while file.write(b"x" * 65_536):
                                pass
                        except OSError:
                            pass
                    try:
                        return stage.nothing_is_acknowledged()
                    except Failed:
                        if time.monotonic() > deadline:
                            raise

            return full_and_not(stage, fill, lambda: ballast.unlink() or time.sleep(0.2))
    finally:
        subprocess.run(["umount", folder], check=True)
        os.rmdir(folder)


def io_error(options, order):
    """At COMMIT: no answer is 200, the process ends with 74 and a message; what was acknowledged is there afterwards."""
    events = 0
    with Stage(options.power_cut, options.port, options.seed) as stage:
        for _ in range(3):
            stage.server.order(order)
            expect(stage.server.wait_for_death(20) == 74, "the process ends with status 74")
            expect(stage.server.log_says("COMMIT failed with an I/O error"), "the log says why")
            events = stage.restarted_and_audited()
            stage.world.writing.open()
            time.sleep(0.5)
    return events


def lying_disk(options):
    """The control: a disk that says that it has synced and has not. The auditor must notice what that loses."""
    with Stage(options.power_cut, options.port, options.seed, power_percent=0) as stage:
        stage.server.order("sync-ignored")
        time.sleep(1.0)
        stage.world.writing.close()
        stage.world.reading.close()
        stage.server.kill()
        checks.SETTLE_SECONDS, usual = 1, checks.SETTLE_SECONDS
        expect(stage.server.start() is not None, "the server starts again")
        stage.world.reading.open()
        checks.final_audit(stage.world)
        checks.SETTLE_SECONDS = usual
        expect(any("/messages of" in p and "does not have" in p for p in stage.ledger.problems), "lost messages are noticed")
        return len(stage.ledger.problems)  # of which only the first of a kind are written out


SCENARIOS = {
    "disk full, by the file layer": disk_full,
    "disk full, a small file system": small_disk,
    "disk full, a small file system, streams in files": lambda options: small_disk(options, ["streams_in_files=true"]),
    "I/O error at COMMIT: sync": lambda options: io_error(options, "sync-error"),
    "I/O error at COMMIT: write": lambda options: io_error(options, "write-error"),
    "control: a disk that lies loses, and it is noticed": lying_disk,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("power_cut")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--port", type=int, default=18128)
    parser.add_argument("--only", help="those whose name contains this")
    options = parser.parse_args()
    chosen = {name: scenario for name, scenario in SCENARIOS.items() if not options.only or options.only in name}
    failed = 0
    for name, scenario in chosen.items():
        begin = time.monotonic()
        try:
            count = scenario(options)
            said = f"passed, {count} acknowledged events or findings" if count is not None else "left out: no file system can be mounted here"
        except (Failed, AssertionError) as error:
            failed += 1
            said = f"FAILED: {error}"
        print(f"  {name}: {said} ({time.monotonic() - begin:.1f} s)", flush=True)
    print(f"disk: {len(chosen)} scenarios, {failed} failed, seed {options.seed}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
