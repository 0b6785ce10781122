#!/usr/bin/env python3
"""Faults of one process after the other in a cluster under load, and an audit that nothing acknowledged is lost, doubled,
reordered or skipped.

cluster_audit.py PROGRAM --faults N [--seed S] …: 3 nats-servers, PostgreSQL, two processes of each role, HAProxy. Writers and
syncing clients, behind the proxy, repeat what failed as real clients do. A line says what each fault was, how long writes stood
still, and how soon after its end everything was well. Ends with one line of counts; exits 1 on any loss, and when writes stood still too
long. Needs root (network namespaces); without, it says so and exits 77. The seed fixes the faults.
"""
import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import checks
import network
from audit import percentile
from client import Gone, Refused
from machines import PUSH, Cluster, wait_for
from faults import Injector, Plan, Rolling
from gateway import url_of
from ledger import Ledger
from load import World
from tamper import ROOT

FAULTS_TO_AN_AUDIT = 10
RECOVERY_SECONDS = 60   # later, somebody would have to help
MOST_ENDS = 5           # of a process by itself, for one fault
DOUBT_SECONDS = 10      # docs/spine.md, rule A17, and the time until a client has seen it
PAUSE_SECONDS = 5       # for which writes may stand still, p99,
ENOUGH_FAULTS = 100     # of so many
CURE_SECONDS = 5        # of a rolling restart: repeating what failed helps by then,
ANSWER_SECONDS = 10     # and no write takes longer
ROOMS, REST = 4, 0.1   # seconds between a worker's steps: the cluster shall be busy, not drowned


class Server:
    """What clients see of the cluster."""

    def __init__(self, cluster):
        self.address, self.port = cluster.address, cluster.port

    def alive(self):
        return True


class Run:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.cluster = Cluster(options.former or options.program, options.nats_server, folder)
        self.injector = Injector(self.cluster)
        self.plan = Rolling(self.cluster, options.rolling) if options.rolling else Plan(options.seed, options.only)
        self.wanted = len(self.plan.names) if options.rolling else options.faults
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.world = World(Server(self.cluster), self.ledger, options.seed, ROOMS, REST, DOUBT_SECONDS)
        self.pauses, self.recoveries = defaultdict(list), []  # by kind; all
        self.cures = []
        self.kinds = Counter()
        self.faults, self.planted = 0, ["nothing was planted"]

    def run(self):
        self.cluster.start()
        if self.options.former:
            self.cluster.use(self.options.program)
        self.world.set_up(url_of(PUSH))
        self.world.start_workers()
        self.everybody_writes(time.monotonic())
        end = time.monotonic() + self.options.seconds
        for number in range(self.wanted):
            self.fault(number)
            last = number == self.wanted - 1 or time.monotonic() > end
            if last or number % FAULTS_TO_AN_AUDIT == FAULTS_TO_AN_AUDIT - 1:
                if last and self.options.plant:
                    self.plant()
                self.audit(checks.final_audit if last else checks.audit)
            if last or self.ledger.problems and not self.options.go_on:
                break

    def fault(self, number):
        fault = self.plan.fault(number)
        target = self.injector.target_of(fault)
        self.world.pauses.forget()
        ended, began = len(self.cluster.ended), time.monotonic()
        self.injector.inflict(fault, target)
        over = time.monotonic()
        well = self.recover(over)
        pause, recovery, cure = self.world.pauses.longest(began), time.monotonic() - over, self.world.pauses.longest_cure()
        self.faults += 1
        self.kinds[f"{fault.kind} {fault.target}"] += 1
        self.pauses[fault.kind].append(pause)
        self.recoveries.append(recovery)
        self.cures.append(cure)
        if self.options.rolling and (cure > CURE_SECONDS or pause > ANSWER_SECONDS):
            self.ledger.problem("wrong", f"while {target.name} was restarted a request failed for {cure:.1f} s, or took {pause:.1f} s")
        by_themselves = self.cluster.ended[ended:]
        for name in {name for name, _, _ in by_themselves}:
            if sum(name == other for other, _, _ in by_themselves) > MOST_ENDS:
                self.ledger.problem("wrong", f"{name} ends again and again after fault {number}: {by_themselves[-1][2]}")
        said = f"well {recovery:.2f} s after" if well else f"NOT WELL {recovery:.0f} s after"
        ends = "; ended by themselves: " + ", ".join(f"{n} ({status})" for n, status, _ in by_themselves) if by_themselves else ""
        at = time.strftime("%H:%M:%S", time.gmtime(time.time() - (time.monotonic() - began)))
        print(f"  {number:3} {at} {target.name}: {fault}: writes stood still {pause:.2f} s, what failed was cured within {cure:.2f} s, {said}{ends}", flush=True)

    def recover(self, since):
        """Everybody is served, by processes that are all ready."""
        try:
            self.cluster.wait_until_well(RECOVERY_SECONDS)
            self.everybody_writes(since)
            return True
        except AssertionError as error:
            self.ledger.problem("wrong", f"{error}; not ready: {self.cluster.not_well()}")
            return False

    def everybody_writes(self, since):
        writers = [writer.name for writer in self.world.writers if hasattr(writer, "room")]
        wait_for("writes do not go on", lambda: self.world.pauses.have_all(writers, since), RECOVERY_SECONDS)

    def audit(self, what):
        self.world.writing.close()
        what(self.world)
        parked = self.cluster.postgres.sql("SELECT count(*) FROM parked")
        if parked != "0":
            self.ledger.problem("wrong", f"{parked} messages are parked: somebody would have to help")
        deadlocks = self.cluster.postgres.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = 'myelin'")
        if deadlocks != "0":  # since PostgreSQL last recovered
            self.ledger.problem("wrong", f"{deadlocks} deadlocks: rule A2 says in which order locks are taken")
        self.world.writing.open()

    def plant(self):
        """The control: an event that was never stored, and one that is no more."""
        self.world.writing.close()
        checks.settle(self.world)
        checks.SETTLE_SECONDS = 1
        event = next(reversed(self.ledger.book.events))
        self.ledger.book.events["$never-stored"] = self.ledger.book.events[event]
        self.cluster.postgres.sql(f"DELETE FROM event WHERE event_id = '{event}'")
        self.planted = ["never got $never-stored", f"/messages of {self.ledger.book.events[event][0]} does not have {event}"]

    def found_what_was_planted(self):
        return all(any(words in problem for problem in self.ledger.problems) for words in self.planted)

    def check_pauses(self):
        pause = percentile([pause for some in self.pauses.values() for pause in some], 0.99)
        if ENOUGH_FAULTS <= self.faults and pause > PAUSE_SECONDS:
            self.ledger.problem("wrong", f"writes stood still for {pause:.2f} s (p99), more than {PAUSE_SECONDS}")

    def end(self):
        if hasattr(self.world, "readers"):
            self.world.stop_workers()
        self.cluster.stop()
        self.ledger.close()


def report(run):
    for problem in run.ledger.problems[:30]:
        print(f"  PROBLEM {problem}")
    for name, status, words in run.cluster.ended:
        print(f"  ended by itself: {name} ({status}): {words}")
    for kind, pauses in sorted(run.pauses.items()):
        print(f"  {kind}: {len(pauses)} faults, writes stood still p50 {percentile(pauses, 0.5):.2f} s, "
              f"p99 {percentile(pauses, 0.99):.2f} s, at most {max(pauses):.2f} s")
    print(f"  what failed was cured within {max(run.cures, default=0.0):.2f} s at most")
    if run.cluster.postgres.cuts:
        print(f"  {run.cluster.postgres.cuts} COMMITs were cut, {run.cluster.postgres.cuts_of_events} of them of events")
    print("  faults: " + ", ".join(f"{what} {n}" for what, n in sorted(run.kinds.items())))
    print(f"  acknowledged: {dict(sorted(run.ledger.book.counts.items()))}, {run.world.repeated} requests repeated, "
          f"{run.cluster.pushes} pushes; {len(run.ledger.late)} of {len(run.ledger.doubts)} unanswered requests without a "
          f"transaction id that were sent again were done after what came next")
    found = Counter("skipped" if " never got " in problem else problem.split(":")[0] for problem in run.ledger.problems)
    counts = ", ".join(f"{found[kind]} {kind}" for kind in ("lost", "doubled", "reordered", "skipped", "wrong"))
    pauses = [pause for some in run.pauses.values() for pause in some]
    print(f"cluster: {run.faults} faults, {run.ledger.book.counts['event']} events, {counts}, writes stood still "
          f"p50 {percentile(pauses, 0.5):.2f} s p99 {percentile(pauses, 0.99):.2f} s, well again p99 "
          f"{percentile(run.recoveries, 0.99):.2f} s after, {len(run.cluster.ended)} ended by themselves, seed {run.options.seed}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after which no other fault begins")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rolling", type=int, default=0, metavar="ROUNDS",
                        help="instead of faults: every process is stopped in order and started again, one after the other")
    parser.add_argument("--former", metavar="PROGRAM", help="of the release before: what all begin with, until they are started again")
    parser.add_argument("--only", help="faults whose name begins so: 'kill', 'pause rooms'")
    parser.add_argument("--plant", action="store_true", help="the control: losses are planted, and must be found")
    parser.add_argument("--nats-server", default=str(ROOT / "build/engine/nats-server"))
    parser.add_argument("--go-on", action="store_true", help="after a loss, to see what else there is")
    parser.add_argument("--keep", action="store_true", help="the folder with the logs")
    options = parser.parse_args()
    if not network.can_enter():
        print("cluster: left out: network namespaces need root")
        return 77
    network.enter()
    what = f"{options.rolling} rounds of restarts" if options.rolling else f"{options.faults} faults"
    print(f"cluster: {what}, seed {options.seed}", flush=True)
    run = Run(options, Path(tempfile.mkdtemp(prefix=f"myelin-crash-cluster-{options.seed}-")))
    try:
        run.run()
    except (AssertionError, Gone, Refused) as error:
        run.ledger.problem("wrong", str(error))
    finally:
        run.end()
    run.check_pauses()
    failed = not run.found_what_was_planted() if options.plant else bool(run.ledger.problems)
    if failed or not options.plant:
        report(run)
    if options.plant:
        print("cluster: the control: the losses that were planted were " + ("NOT FOUND" if failed else "found"))
    if failed or options.keep:
        print(f"  kept: {run.folder}")
    else:
        shutil.rmtree(run.folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
