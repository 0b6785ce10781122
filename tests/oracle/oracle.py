"""The foreign oracle: what Myelin says to random rooms, auth decisions and PDUs, beside what Synapse says.

oracle.py GENERATOR [--dags N] [--auth N] [--pdus N] [--seed S]. Ends with one line of counts; exits with 1 on a difference that
docs/decisions/0006-differences-from-synapse.md does not explain.
"""
import argparse
import collections
import json
import logging
import random
import subprocess
import sys

import auth
import pdus
import rooms

SHOWN = 5  # differences of a mode that are printed whole


class Oracle:
    def __init__(self, generator, seed):
        self.generator, self.seed = generator, seed
        self.counts = collections.Counter()
        self.explained = collections.Counter()
        self.unexplained = 0

    def run(self, mode, count, compare):
        """One process makes the cases of a mode; each is compared as it comes."""
        shown = 0
        with subprocess.Popen([self.generator, mode, str(count), str(self.seed)], stdout=subprocess.PIPE) as process:
            for text in process.stdout:
                line = json.loads(text)
                for difference in compare(line, self.counts):
                    if difference.explained:
                        self.explained[difference.explained] += 1
                        continue
                    self.unexplained += 1
                    shown += 1
                    if shown <= SHOWN:
                        print(f"DIFFERENCE, {mode} seed {line['seed']}: {difference.text}\n", flush=True)
        if process.returncode not in (0, 1):
            raise SystemExit(f"oracle: {self.generator} {mode} failed with {process.returncode}")
        made = self.counts[{"rooms": "rooms", "auth": "decisions", "pdus": "pdus"}[mode]]
        if made != count:
            raise SystemExit(f"oracle: {self.generator} {mode} made {made} of {count}")

    def closing_line(self):
        counts = self.counts
        explained = sum(self.explained.values())
        return (
            f"oracle: seed {self.seed}: {counts['rooms']} dags with {counts['resolutions']} resolutions"
            f" ({counts['conflicted']} conflicted), {counts['decisions']} auth decisions ({counts['allowed']} allowed),"
            f" {counts['pdus']} pdus ({counts['refused']} refused);"
            f" {self.unexplained} differences, {explained} explained"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generator")
    parser.add_argument("--dags", type=int, default=0)
    parser.add_argument("--auth", type=int, default=0)
    parser.add_argument("--pdus", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.getrandbits(40))
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    oracle = Oracle(arguments.generator, arguments.seed)
    oracle.run("rooms", arguments.dags, rooms.compare)
    oracle.run("auth", arguments.auth, auth.compare)
    oracle.run("pdus", arguments.pdus, pdus.Comparison())
    for name, count in sorted(oracle.explained.items()):
        print(f"explained: {count} of \"{name}\"")
    print(oracle.closing_line())
    return 1 if oracle.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
