"""How fast rows are moved: a server's data, and in it a table of so many events."""
import os
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

from database import Postgres  # tests/contract

JSON = 700  # bytes of an event, as one of a chat has


def fill(file, rows):
    db = sqlite3.connect(file)
    row = ("INSERT INTO event (ref, event_id, room_no, depth, order_no, type, ts, flags, replaces, txn, state_before, state_after, "
           "json) VALUES (?, ?, ?, ?, ?, 'm.room.message', ?, 0, NULL, NULL, ?, NULL, ?)")
    with db:
        db.executemany(row, ((n, "$" + os.urandom(32).hex()[:43], n % 500, n, n, 1_700_000_000_000 + n, os.urandom(20),
                              os.urandom(JSON // 2).hex().encode()) for n in range(1_000_000, 1_000_000 + rows)))
    db.close()


def measure(program, rows):
    with tempfile.TemporaryDirectory(prefix="myelin-move-") as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        first.mkdir()
        first_server = subprocess.Popen([program, "serve", "--data", first, "--listen", "127.0.0.1:0"],
                                        stderr=subprocess.PIPE, text=True)
        for line in first_server.stderr:
            if "Myelin serves" in line:
                break
        first_server.terminate()
        first_server.communicate()
        fill(first / "myelin.db", rows)
        postgres = Postgres(None)
        try:
            timed(f"{rows} events, SQLite to PostgreSQL", program, "--data", first, "--to", postgres.option)
            timed(f"{rows} events, PostgreSQL to SQLite", program, "--data", first, "--database", postgres.option, "--to",
                  "sqlite", "--to-data", second)
        finally:
            postgres.close()
    return 0


def timed(what, program, *arguments):
    begun = time.monotonic()
    subprocess.run([program, "move", *arguments], check=True)
    print(f"== {what}: {time.monotonic() - begun:.1f} s", flush=True)
