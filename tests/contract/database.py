"""The server's database from outside: a SQLite file, or a PostgreSQL of the test's own (DATABASE=postgres)."""
import contextlib
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
END = "-- end of the answer --"


class Sqlite:
    option = "sqlite"

    def __init__(self, data):
        self.file, self.connection = data / "myelin.db", None

    def rows(self, statement):
        if self.connection is None:
            self.connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        return self.connection.execute(statement).fetchall()

    def change(self, statement):
        with contextlib.closing(sqlite3.connect(self.file)) as db, db:
            db.execute(statement)

    def version(self):
        """Another whenever something was committed."""
        return self.rows("PRAGMA data_version")

    def tables(self):
        return [row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def columns(self, table):
        return [row[1] for row in self.rows(f"PRAGMA table_info({table})")]

    def close(self):
        if self.connection is not None:
            self.connection.close()


class Postgres:
    """A cluster of its own in a temporary directory, reached by a socket there; statements go through psql."""

    def __init__(self, _data):
        self.directory = tempfile.mkdtemp(prefix="myelin-pg-")
        self.switch = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            self.switch = {"user": "postgres", "group": "postgres"}
        cluster = self.directory + "/data"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **self.switch}
        subprocess.run([PROGRAMS / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "--encoding=UTF8",
                        "--locale=C", "--no-sync"], check=True, **quiet)
        self.process = subprocess.Popen([PROGRAMS / "postgres", "-D", cluster, "-k", self.directory, "-c",
                                         "listen_addresses=", "-c", "max_connections=60"], **quiet)
        while subprocess.run([PROGRAMS / "pg_isready", "-h", self.directory], check=False, **quiet).returncode:
            time.sleep(0.05)
        self.option = f"postgresql:///postgres?host={self.directory}&user=postgres"

        self.psql = subprocess.Popen([PROGRAMS / "psql", self.option, "-qAtX", "-F", "\x1f"], text=True, cwd="/",
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def rows(self, statement):
        self.psql.stdin.write(f"{statement};\n\\echo {END}\n")
        self.psql.stdin.flush()
        lines = iter(lambda: self.psql.stdout.readline().rstrip("\n"), END)
        return [tuple(line.split("\x1f")) for line in lines]

    def version(self):
        return self.rows("SELECT pg_current_snapshot()")

    change = rows

    def tables(self):
        return [row[0] for row in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    def columns(self, table):
        return [row[0] for row in self.rows("SELECT column_name FROM information_schema.columns "
                                            f"WHERE table_name = '{table}' ORDER BY ordinal_position")]

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def make(data):
    return Postgres(data) if os.environ.get("DATABASE") == "postgres" else Sqlite(data)
