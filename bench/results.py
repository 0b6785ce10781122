#!/usr/bin/env python3
"""Completes what the load driver wrote: results.py FILE WORLD [OUTPUT of engine_bench]. Says on what, when and from which commit; the bus is a row."""
import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

BUS = re.compile(r"^\| embedded, in memory \| 1 \| (\d+) \| (\d+) \|", re.M)


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return f"{os.cpu_count()} cores, {model[1] if model else 'unknown'}, load {os.getloadavg()[0]:.1f} at the end"


def commit():
    said = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def bus_row(printed):
    """The second table of engine_bench: one message at a time."""
    p50, p99 = (int(text) / 1000 for text in BUS.search(printed.partition("The bus on SQLite")[2]).groups())
    return {"work": "bus: committed, until apply is called", "bar": "p50 < 300 us", "p50_ms": p50, "p99_ms": p99}


def main(file, world, engine_output=None):
    rows = json.loads(Path(file).read_text(encoding="utf-8"))
    if engine_output:
        rows.append(bus_row(Path(engine_output).read_text(encoding="utf-8")))
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    result = {"machine": machine(), "date": date, "commit": commit(), "world": world, "rows": rows}
    Path(file).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
