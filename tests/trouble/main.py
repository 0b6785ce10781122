#!/usr/bin/env python3
"""See the file run."""
import signal
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts/lib")]
from world import Surroundings, TroubleTest  # noqa: E402

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = sys.argv[1:] or ["postgres", "nats", "nats_cluster", "login", "mistakes"]  # PostgreSQL is restarted while it has few databases
    TroubleTest.surroundings = Surroundings()
    try:
        result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromNames(names))
    finally:
        TroubleTest.surroundings.close()
    print(f"trouble: {result.testsRun} tests, {len(result.failures) + len(result.errors)} failed")
    sys.exit(not result.wasSuccessful())
