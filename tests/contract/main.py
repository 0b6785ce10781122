"""Runs the parts against servers of their own, and ends with counts; exits with 1 when there is a problem."""
import argparse
import sys
import time
import traceback

from client import Report
from server import Server
from spec import Spec
from world import World

import answers
import bad_input
import coverage
import settings
import stop
from scenarios import ALL as SCENARIOS


def run_part(report, name, part, *arguments):
    report.part = name
    begin, before = time.monotonic(), len(report.problems)
    try:
        part(*arguments)
    except Exception:  # pylint: disable=broad-except
        report.problem("stopped: " + traceback.format_exc(limit=-3))
    state = "ok" if len(report.problems) == before else f"{len(report.problems) - before} problems"
    print(f"  {name}: {state}, {time.monotonic() - begin:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--spec", required=True)
    parser.add_argument("parts", nargs="*", help="names of parts; all by default")
    arguments = parser.parse_args()
    spec = Spec(arguments.spec)
    if not spec.present:
        print(f"no specification in {arguments.spec}: the answers' schemas are NOT checked, only what the tests state")
    report = Report(spec)
    wanted = [part for part in SCENARIOS if not arguments.parts or part.__name__ in arguments.parts]
    others = [part for part in (answers, bad_input) if not arguments.parts or part.__name__ in arguments.parts]
    with Server(arguments.program, arguments.port, "--set", "push_allow_private_addresses=true") as server:
        world = World(server, report)
        for part in wanted:
            run_part(report, part.__name__, part, world)
        for module in others:
            run_part(report, module.__name__, module.run, world)
        if not arguments.parts:
            run_part(report, "coverage", coverage.run, world)
        report.part = "log"
        for line in server.complaints():
            report.problem(line)
    if not arguments.parts or "settings" in arguments.parts:
        run_part(report, "settings", settings.run, arguments.program, arguments.port + 1, report)
    if not arguments.parts or "stop" in arguments.parts:
        run_part(report, "stop", stop.run, arguments.program, arguments.port + 1, report)
    print(coverage.summary(report))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
