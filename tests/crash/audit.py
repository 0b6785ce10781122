#!/usr/bin/env python3
"""Kills the server again and again under load and audits that nothing acknowledged is lost, doubled or reordered.

audit.py PROGRAM --cycles N [--seed S] [--power] …: writers and syncing clients run all the time; each cycle ends in a kill
-9, at a named crash point (points.txt) or at a random moment, also while it starts. Before the next start the JetStream
directory may be deleted, truncated or put back, the database be backed up or restored. With --power the program is the one
whose disk forgets what was not synced. Ends with one line of counts; exits 1 on any loss. The seed fixes the faults.
"""
import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import checks
import tamper
from client import Gone
from gateway import Gateway
from ledger import Ledger
from load import World
from plan import Plan, read_points
from server import Nats, Server

CYCLES_IN_A_WORLD = 100   # then everything starts afresh
CYCLES_TO_AN_AUDIT = 10
TRIES = 4                 # of a point that must fire
# Where the streams of a world are: what is in them is gone with the process, outlives it, or is kept by another.
WORLDS = ("memory", "files", "nats")


class Totals:
    def __init__(self):
        self.fired, self.armed, self.done = Counter(), Counter(), Counter()
        self.ready, self.problems = [], []
        self.cycles = self.events = self.repeated = self.pushes = 0
        self.kinds = Counter()

    def quiet(self, plan):
        """The points that never fired."""
        return sorted({point.name for point in plan.points} - set(+self.fired))

    def add(self, world):
        self.problems += world.ledger.problems
        self.events += world.ledger.book.counts["event"]
        self.kinds += world.ledger.book.counts
        self.repeated += world.repeated


class Run:
    """Cycles on one world."""

    def __init__(self, options, plan, totals, streams, folder):
        self.options, self.plan, self.totals, self.streams, self.folder = options, plan, totals, streams, folder
        self.gateway, self.nats = Gateway(), None
        settings, arguments = [], []
        if streams == "files":
            settings.append("streams_in_files=true")
        elif streams == "nats":
            self.nats = Nats(options.nats_server, folder / "nats")
            arguments += ["--nats", self.nats.url]
        if options.database:
            arguments += ["--database", options.database]
        self.server = Server(options.program, folder, options.port, settings, arguments, options.seed if options.power else None)
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.world = World(self.server, self.ledger, f"{options.seed} {folder.name}")
        self.has_backup = self.was_restored = self.needs_pusher = self.has_parked = False

    def start(self):
        if self.server.start() is None:
            raise AssertionError("the server does not start; see " + str(self.server.log_path))

    def run(self, first, count):
        self.start()
        self.server.kill()
        self.server.run("user", "add", "--admin", "root", text="password-of-root")
        self.start()
        self.world.set_up(self.gateway.url)
        self.world.start_workers()
        for number in range(first, first + count):
            self.rest()
            cycle = self.plan.cycle(number)
            self.cycle(cycle)
            if cycle.point and not self.totals.fired[cycle.point.name] and self.totals.armed[cycle.point.name] < TRIES:
                self.plan.ask_again(cycle.point)
            self.totals.cycles += 1
            if number % CYCLES_TO_AN_AUDIT == CYCLES_TO_AN_AUDIT - 1 or number == first + count - 1:
                self.audit(checks.final_audit if number == first + count - 1 else checks.audit)
                print(f"  cycle {number + 1}: streams in {self.streams}, {len(self.ledger.book.events)} events, "
                      f"{self.world.repeated} requests repeated, {len(self.ledger.problems)} problems", flush=True)
            if self.ledger.problems:
                break

    def rest(self):
        """The server is killed; nobody has a request under way."""
        self.server.kill()
        self.world.writing.close()
        self.world.reading.close()

    def resume(self):
        """The server is ready again."""
        if self.was_restored:
            checks.no_key_survives_a_restore(self.world)
            self.was_restored = False
        if self.needs_pusher:
            self.needs_pusher = self.world.set_pusher()[0] != 200
        if self.has_parked:
            self.totals.done["keys unparked"] += self.world.unpark()
            self.has_parked = False
        self.world.reading.open()
        self.world.writing.open()

    def live(self, fail_at):
        """A life in which consumers fail."""
        self.server.launch(fail_at=fail_at)
        if self.server.wait_until_ready() is not None:
            self.resume()
            time.sleep(0.5)
        self.rest()

    def cycle(self, cycle):
        self.while_it_is_down(cycle)
        if cycle.point and cycle.point.needs == "parked":
            self.live("consume.refused:5")
            self.has_parked = True
        point = cycle.point
        self.server.launch(f"{point.name}:{cycle.nth}" if point else None, point.fail if point else None)
        if point:
            self.totals.armed[point.name] += 1
        if cycle.early is not None:
            self.totals.done["killed while starting"] += 1
            time.sleep(cycle.early)
            return
        ready = self.server.wait_until_ready()
        if ready is None:
            return self.died(cycle)
        self.totals.ready.append(ready)
        try:
            self.resume()
        except Gone:  # died at its point meanwhile
            return self.died(cycle)
        if cycle.disk:
            return self.disk_fails(cycle)
        if self.nats and cycle.nats_dies:
            self.totals.done["nats-server killed"] += 1
            time.sleep(cycle.life / 2)
            self.nats.kill()
            self.nats.start()
        if point:
            if self.server.wait_for_death(point.patience) is not None:
                self.died(cycle)
        else:
            time.sleep(cycle.life)
            self.totals.done["killed at random"] += 1

    def died(self, cycle):
        status = self.server.wait_for_death(5)
        if cycle.point and status == -9:
            self.totals.fired[cycle.point.name] += 1
        elif not (cycle.point and cycle.point.fail and status == 1):  # a failure point can keep it from starting
            self.ledger.problem("wrong", f"the server ended by itself with status {status}; see {self.server.log_path}")

    def while_it_is_down(self, cycle):
        data, done = self.server.data, self.totals.done
        needs_restore = cycle.point is not None and cycle.point.needs == "restored" and not self.options.database
        if needs_restore:  # of now: an old copy may have no keys that could be forgotten
            self.back_up()
        restore = needs_restore or cycle.database == "restore" and self.has_backup
        needs_gap = cycle.point is not None and cycle.point.needs == "gap"
        if restore or needs_gap:  # what is acknowledged in this life stays in the streams; a restored database does not know of it
            self.live("consume.stalled:1")
        streams = "delete" if needs_gap else cycle.streams
        if self.nats and streams != "nothing":
            self.nats.stop()
            done[f"streams: {tamper.hurt_streams(self.nats.folder, streams, cycle.rng)}"] += 1
            self.nats.start()
        elif self.nats is None:
            done[f"streams: {tamper.hurt_streams(data, streams, cycle.rng)}"] += 1
        if self.options.database:
            return
        if restore:
            tamper.put_back(data, cycle.witness_too)
            if cycle.witness_too:  # then only the administrator can know
                self.server.run("restored")
            self.world.database_went_back()
            self.was_restored = self.needs_pusher = self.has_parked = True  # the copy may have been made at such a time
            done["machine restored" if cycle.witness_too else "database restored"] += 1
        elif cycle.database == "backup":
            self.back_up()
        if cycle.point and cycle.point.needs == "older_schema":
            tamper.older_schema(data)
            self.needs_pusher = True

    def back_up(self):
        tamper.back_up(self.server.data)
        self.ledger.write(kind="backup", in_flight=self.world.in_flight())
        self.has_backup = True
        self.totals.done["database backed up"] += 1

    def disk_fails(self, cycle):
        """A full disk gets space again, and the server goes on; after an I/O error at COMMIT it ends and says why."""
        time.sleep(cycle.life)
        self.server.order(cycle.disk)
        self.totals.done["disk: " + cycle.disk] += 1
        if cycle.disk == "full":
            time.sleep(0.3)
            self.server.order("heal")
            time.sleep(0.3)
            if not self.server.alive():
                self.ledger.problem("wrong", "the server did not survive a full disk")
        elif self.server.wait_for_death(20) != 74 or not self.server.log_says("COMMIT failed with an I/O error"):
            self.ledger.problem("wrong", f"after {cycle.disk} the server did not end as it should")

    def audit(self, what):
        self.rest()
        ready = self.server.start()
        if ready is None:
            raise AssertionError("the server does not start; see " + str(self.server.log_path))
        self.totals.ready.append(ready)
        if self.was_restored or self.needs_pusher or self.has_parked:
            self.resume()
            self.world.writing.close()
        self.world.reading.open()
        what(self.world)

    def end(self):
        if hasattr(self.world, "readers"):
            self.world.stop_workers()
        if self.server.process:
            self.server.kill()
        self.gateway.stop()
        if self.nats:
            self.nats.stop()
        self.ledger.close()
        self.totals.pushes += self.gateway.pushes
        self.totals.add(self.world)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def report(options, plan, totals):
    for problem in totals.problems[:30]:
        print(f"  PROBLEM {problem}")
    names = sorted({point.name for point in plan.points})
    print("  points fired (of times armed): " + ", ".join(f"{n} {totals.fired[n]}/{totals.armed[n]}" for n in names))
    print("  done: " + ", ".join(f"{what} {n}" for what, n in sorted(totals.done.items())))
    print(f"  acknowledged: {dict(sorted(totals.kinds.items()))}, {totals.repeated} requests repeated, {totals.pushes} pushes")
    quiet = totals.quiet(plan)
    print(f"  points that did not fire: {', '.join(quiet) or 'none'}")
    findings = Counter(problem.split(":")[0] for problem in totals.problems)
    counts = ", ".join(f"{findings[kind]} {kind}" for kind in ("lost", "doubled", "reordered", "wrong"))
    print(f"{'power' if options.power else 'crash'}: {totals.cycles} cycles, {totals.events} events, {counts}, "
          f"{len(names) - len(quiet)} of {len(names)} points fired, restart to ready p50 {percentile(totals.ready, 0.5):.3f} s "
          f"p99 {percentile(totals.ready, 0.99):.3f} s, seed {options.seed}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--port", type=int, default=18128)
    parser.add_argument("--power", action="store_true", help="PROGRAM is myelin_power_cut")
    parser.add_argument("--only", help="one crash point, every cycle")
    parser.add_argument("--each-first", action="store_true", help="the first cycles end at each point once, so that a short run has all")
    parser.add_argument("--streams", choices=WORLDS, help="instead of all in turn")
    parser.add_argument("--world", type=int, default=CYCLES_IN_A_WORLD, help="cycles before everything starts afresh")
    parser.add_argument("--database", help="a PostgreSQL instead of SQLite")
    parser.add_argument("--nats-server", default=str(tamper.ROOT / "build/engine/nats-server"))
    options = parser.parse_args()
    plan, totals = Plan(options.seed, read_points(), options.only, options.power, options.each_first), Totals()
    print(f"{'power' if options.power else 'crash'}: {options.cycles} cycles, seed {options.seed}", flush=True)
    done = 0
    while done < options.cycles and not totals.problems:
        streams = options.streams or WORLDS[done // options.world % len(WORLDS)]
        folder = Path(tempfile.mkdtemp(prefix=f"myelin-crash-{options.seed}-{done}-"))
        run = Run(options, plan, totals, streams, folder)
        count = min(options.world, options.cycles - done)
        try:
            run.run(done, count)
        except (AssertionError, Gone) as error:
            run.ledger.problem("wrong", str(error))
        finally:
            run.end()
        done += count
        if totals.problems:
            print(f"  kept: {folder}")
        else:
            shutil.rmtree(folder)
    if options.each_first and not totals.problems:
        totals.problems += [f"wrong: {name} did not fire" for name in totals.quiet(plan)]
    report(options, plan, totals)
    return 1 if totals.problems else 0


if __name__ == "__main__":
    sys.exit(main())
