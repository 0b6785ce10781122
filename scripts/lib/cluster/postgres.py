"""A PostgreSQL of our own, on loopback."""
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from .places import password, program
from .process import Process, Trouble

SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200", "shared_buffers": "64MB"}


class Postgres(Process):
    """stop() disconnects everybody; stop_at_once() is its immediate shutdown, as a crash."""

    stop_signal = signal.SIGINT

    def __init__(self, folder, port, settings=None):
        is_root = os.geteuid() == 0
        super().__init__("postgres", folder, user="postgres" if is_root else None)
        self.port, self.settings = port, {**SETTINGS, **(settings or {})}
        self.ports = (port,)
        self.home = self.folder / "postgres"  # of its user: data and password
        self.data = self.home / "data"
        self.password = password(self.folder / "password.postgres")
        self.url = f"postgresql://myelin:{self.password}@127.0.0.1:{port}/postgres"

    def command(self):
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", self.data, "-p", self.port, *options]

    def make(self):
        """The data directory, when there is none."""
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(mode=0o700)
        secret = self.home / "password"
        secret.write_text(self.password + "\n")
        if self.user:
            owner = pwd.getpwnam(self.user)
            for path in (self.home, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        command = [program("initdb"), "-D", self.data, "-U", "myelin", "-A", "scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8",
                   "--locale=C", "--no-instructions"]
        done = subprocess.run([str(word) for word in command], user=self.user, group=self.user,
                              extra_groups=[] if self.user else None, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            why = "" if not self.user else f" (is {self.folder} open to the user postgres?)"
            raise Trouble(f"initdb failed{why}: {done.stderr.strip()}")

    def launch(self, **more_environment):
        self.make()
        super().launch(**more_environment)

    def ready(self):
        asked = [str(program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def stop_at_once(self):
        """Killed, it would leave its shared memory behind."""
        self.resume()
        self.send(signal.SIGQUIT)
        if not self.wait():
            self.kill()

    def sql(self, statement):
        """What psql prints, unaligned, a line for each row."""
        return subprocess.run([str(program("psql")), "-qAtX", "-d", self.url, "-c", statement], check=True, capture_output=True,
                              text=True, timeout=30).stdout.strip()
