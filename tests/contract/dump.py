"""What the server has stored, to see that a refused request stored nothing."""
import hashlib

# Not what a request asked for: leases, who is alive until when, cursors, when a device was last seen, sessions of authentication, probes.
PASSING = {"lease", "cursor", "outbox", "uia_session", "schema_version"}
FORGOTTEN = {"spent_nonce"}  # when they are too old, at any time: only what is added is a difference
PASSING_COLUMNS = {"last_seen_ip", "last_seen_ts", "probed_at", "alive_until"}
SECOND_RUNS = "queue LIKE '% again'"  # of work that is not waited for; there with the first one, done at any time


class Dump:
    def __init__(self, database):
        self.database, self.version, self.hashes = database, None, {}
        self.columns = {name: ", ".join(each for each in database.columns(name) if each not in PASSING_COLUMNS)
                        for name in database.tables() if name not in PASSING}

    def tables(self):
        """{table: hash of its rows, or the rows of those that are forgotten}"""
        version = self.database.version()
        if version != self.version:
            self.version = version
            self.hashes = {name: self._hash(name, columns) for name, columns in self.columns.items()}
        return self.hashes

    def _hash(self, name, columns):
        where = f"WHERE queue <> 'push' AND NOT {SECOND_RUNS}" if name == "work" else ""
        rows = self.database.rows(f"SELECT {columns} FROM {name} {where} ORDER BY {columns}")
        if name in FORGOTTEN:
            return frozenset(map(repr, rows))
        return hashlib.sha256(repr(rows).encode()).digest()


def differences(before, after):
    return sorted(name for name in before.keys() | after.keys()
                  if (after[name] - before[name] if name in FORGOTTEN else before.get(name) != after.get(name)))
