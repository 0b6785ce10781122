"""The processes under test: started, killed, given orders."""
import os
import signal
import subprocess
import time
from pathlib import Path

from client import Connection, Gone

READY_SECONDS = 60


class Server:
    """A Myelin with a data directory. `settings`: key=value, as --set takes them."""

    address = "127.0.0.1"

    def __init__(self, program, folder, port, settings=(), arguments=(), power_seed=None, power_percent=None, log_folder=None):
        self.program, self.folder, self.port = program, Path(folder), port
        self.settings, self.arguments = list(settings), list(arguments)
        self.power_seed, self.power_percent = power_seed, power_percent
        self.data = self.folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.log_path = Path(log_folder or self.folder) / "server.log"
        self.log = open(self.log_path, "ab")
        self.process = None
        self.lives = 0

    def launch(self, crash_at=None, fail_at=None):
        self.lives += 1
        command = [self.program, "serve", "--data", self.data, "--server-name", "localhost", "--registration", "open",
                   "--rate-limits", "off", "--listen", f"127.0.0.1:{self.port}", *self.arguments]
        for setting in ["push_allow_private_addresses=true", *self.settings]:
            command += ["--set", setting]
        environment = dict(os.environ)
        if crash_at:
            environment["MYELIN_CRASH_AT"] = crash_at
        if fail_at:
            environment["MYELIN_FAIL_AT"] = fail_at
        if self.power_seed is not None:  # how much un-synced data reaches the disk all the same
            percent = (0, 10, 50, 90)[self.lives % 4] if self.power_percent is None else self.power_percent
            environment["MYELIN_POWER_CUT"] = f"{self.power_seed * 10_000 + self.lives} {percent}"
        self.log.write(f"---- life {self.lives}: {crash_at or 'no crash point'} {fail_at or ''}\n".encode())
        self.log.flush()
        self.launched = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, env=environment)

    def run(self, *command, text=""):
        """Another command of the program, on the same data."""
        done = subprocess.run([self.program, *command, "--data", self.data, *self.arguments], stdout=self.log, stderr=self.log,
                              input=text.encode(), timeout=60, check=False)
        if done.returncode:
            raise AssertionError(f"myelin {' '.join(command)} failed; see {self.log_path}")

    def wait_until_ready(self):
        """Seconds from the launch to the first answer; None when it died before."""
        while time.monotonic() - self.launched < READY_SECONDS:
            if self.process.poll() is not None:
                return None
            try:
                if Connection(self.port).call("GET", "/_matrix/client/versions", timeout=5)[0] == 200:
                    return time.monotonic() - self.launched
            except Gone:
                time.sleep(0.004)
        raise AssertionError(f"not ready within {READY_SECONDS} s")

    def start(self, crash_at=None, fail_at=None):
        self.launch(crash_at, fail_at)
        return self.wait_until_ready()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def order(self, text):
        """For the program with the faulty disk (power_cut_main.cc)."""
        self.process.stdin.write((text + "\n").encode())
        self.process.stdin.flush()

    def wait_for_death(self, seconds):
        """Its exit status (negative: the signal), or None."""
        try:
            return self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()

    def log_says(self, text):
        return text.encode() in self.log_path.read_bytes().rpartition(b"---- life ")[2]


class Nats:
    """A NATS server that goes on while ours dies: what was published before is delivered to the next life."""

    def __init__(self, program, folder):
        self.program, self.folder, self.port = program, Path(folder), "-1"
        self.start()

    def start(self):
        """On the port that it had before."""
        self.process = subprocess.Popen([self.program, "-store", self.folder, "-port", self.port], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        line = self.process.stdout.readline().split()
        if line[:1] != [b"ready"]:
            raise AssertionError("nats-server did not start")
        self.port = line[1].decode()

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
