"""A server under test: started, killed, tampered with while it is down."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path


class Gone(Exception):
    """The request may or may not have happened: the server went away."""


class Connection:
    """One keep-alive connection. Requests raise Gone when no whole answer came."""

    def __init__(self, port, token=None):
        self.port, self.token, self.http = port, token, None

    def call(self, method, path, body=None, timeout=20):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        try:
            if self.http is None:
                self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            self.http.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self.http.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Gone(str(error)) from error
        if answer.status >= 500:
            raise Gone(f"{answer.status} {text[:200]!r}")
        return answer.status, json.loads(text)

    def close(self):
        if self.http is not None:
            self.http.close()
            self.http = None


class Server:
    def __init__(self, program, data, port, database=None):
        self.program, self.data, self.port, self.database = program, Path(data), port, database
        self.process = None
        self.log = open(self.data.parent / "server.log", "ab")
        self.exits = []

    def start(self, crash_at=None, extra=()):
        """Starts it; with a crash point it may die before it is ready. Returns seconds to the first answer, or None."""
        command = [self.program, "serve", "--data", self.data, "--server-name", "localhost", "--registration", "open",
                   "--rate-limits", "off", "--listen", f"127.0.0.1:{self.port}", *extra]
        if self.database:
            command += ["--database", self.database]
        environment = dict(os.environ)
        if crash_at:
            environment["MYELIN_CRASH_AT"] = crash_at
        self.log.write(f"---- start, crash point {crash_at}\n".encode())
        self.log.flush()
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)
        while time.monotonic() - begin < 20:
            if self.process.poll() is not None:
                return None
            try:
                if Connection(self.port).call("GET", "/_matrix/client/versions", timeout=2)[0] == 200:
                    return time.monotonic() - begin
            except Gone:
                time.sleep(0.005)
        raise AssertionError("not ready within 20 s")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def wait_for_death(self, seconds):
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    # ---- while it is down
    @property
    def stream(self):
        return self.data / "jetstream"

    def tamper(self, how, rng):
        """Hurts the JetStream directory, which holds nothing that is not in the database."""
        saved = self.data.parent / "older-jetstream"
        if how == "delete":
            shutil.rmtree(self.stream, ignore_errors=True)
        elif how == "truncate":
            files = [f for f in self.stream.rglob("*") if f.is_file() and f.stat().st_size]
            for file in rng.sample(files, min(3, len(files))):
                os.truncate(file, rng.randrange(file.stat().st_size))
        elif how == "save":
            shutil.rmtree(saved, ignore_errors=True)
            if self.stream.exists():
                shutil.copytree(self.stream, saved)
        elif how == "older" and saved.exists():
            shutil.rmtree(self.stream, ignore_errors=True)
            shutil.copytree(saved, self.stream)

    def database_files(self):
        return sorted(self.data.glob("myelin.db*"))
