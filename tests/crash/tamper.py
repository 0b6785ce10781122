"""What is done to the data directory while the server is down."""
import os
import re
import shutil
import sqlite3
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE = ("myelin.db", "myelin.db-wal")
WITNESS = "witness"  # what the machine knows of the database


def hurt_streams(data, how, rng):
    """The JetStream directory holds nothing that is not in the database. Returns what was done."""
    streams, saved = data / "jetstream", data.parent / "older-jetstream"
    if not streams.exists():
        return "nothing"
    if how == "delete":
        shutil.rmtree(streams)
    elif how == "truncate":
        files = sorted(f for f in streams.rglob("*") if f.is_file() and f.stat().st_size)
        for file in rng.sample(files, min(3, len(files))):
            os.truncate(file, rng.randrange(file.stat().st_size))
    elif how == "save":
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(streams, saved)
    elif how == "older" and saved.exists():
        shutil.rmtree(streams)
        shutil.copytree(saved, streams)
    elif how == "consumer":
        consumers = sorted(f for f in streams.rglob("obs/*") if f.is_dir())
        if not consumers:
            return "nothing"
        shutil.rmtree(rng.choice(consumers))
    else:
        return "nothing"
    return how


def back_up(data):
    for name in (*DATABASE, WITNESS):
        (data.parent / ("backup-" + name)).unlink(missing_ok=True)
        if (data / name).exists():
            shutil.copy(data / name, data.parent / ("backup-" + name))


def put_back(data, witness):
    """The database; with its witness, as when the whole machine goes back."""
    (data / "myelin.db-shm").unlink(missing_ok=True)
    for name in (*DATABASE, WITNESS) if witness else DATABASE:
        (data / name).unlink(missing_ok=True)
        if (data.parent / ("backup-" + name)).exists():
            shutil.copy(data.parent / ("backup-" + name), data / name)


def older_schema(data, components=("directory", "push")):
    """A database from before these components: no tables, migrations or cursors of theirs. (The pusher goes with them.)"""
    with sqlite3.connect(data / "myelin.db") as database:
        for component in components:
            for file in (ROOT / "src/components" / component / "migrations").glob("*.sql"):
                for table in re.findall(r"CREATE TABLE (\w+)", file.read_text(encoding="utf-8")):
                    database.execute(f"DROP TABLE IF EXISTS {table}")
            for versions in ("schema_version", "schema_step"):
                database.execute(f"DELETE FROM {versions} WHERE component = ?", (component,))
            database.execute("DELETE FROM cursor WHERE consumer = ?", (component,))
    database.close()
