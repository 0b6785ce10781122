"""What the server has stored, to see that a refused request stored nothing. (Its clients' view is compared too.)"""
import contextlib
import hashlib
import sqlite3

# Not what a request asked for: leases, cursors, when a device was last seen, sessions of authentication.
PASSING = {"lease", "cursor", "outbox", "uia_session", "schema_version"}
PASSING_COLUMNS = {"last_seen_ip", "last_seen_ts"}


def tables(database):
    """{table: hash of its rows}"""
    out = {}
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if name in PASSING:
                continue
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})") if row[1] not in PASSING_COLUMNS]
            digest = hashlib.sha256()
            for row in db.execute(f"SELECT {', '.join(columns)} FROM {name}"):
                digest.update(repr(row).encode())
            out[name] = digest.digest()
    return out


def differences(before, after):
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
