"""Programs, ports and passwords on this machine."""
import errno
import os
import secrets
import shutil
import socket
from pathlib import Path

from .process import Trouble

ROOT = Path(__file__).resolve().parents[3]


def program(name):
    """Where a program is, or Trouble that says how to get it."""
    built = {"myelin": ROOT / "build/release/myelin", "nats-server": ROOT / "build/engine/nats-server"}
    if name in built:
        if not built[name].exists():
            raise Trouble(f"{built[name]} is not built: run `make build`")
        return built[name]
    if name in ("initdb", "postgres", "pg_isready"):
        found = Path("/usr/lib/postgresql/15/bin") / name
        if found.exists():
            return found
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Trouble(f"{name} is not installed: run `scripts/setup cluster`")
    return Path(found)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def is_open(port):
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Ports:
    """Port numbers one after the other."""

    def __init__(self, first):
        self.following = first

    def take(self):
        self.following += 1
        return self.following - 1


def password(path):
    """One line that only its owner can read; made at the first time."""
    path = Path(path)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, f"s{secrets.token_hex(16)}\n".encode())
        os.close(descriptor)
    return path.read_text().strip()
