"""One process on this machine that outlives whoever started it: known by its id and the time of its start."""
import os
import signal
import subprocess
import time
from pathlib import Path


class Trouble(Exception):
    """What a person must put right; the message says how."""


def state_of(pid):
    """(state letter, start in ticks since boot) of a process; None when there is none, or only its exit status is left.

    While other threads of a killed process still go, its first one is a zombie already, and files are open and locked.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    only_status_is_left = fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)
    return None if only_status_is_left else (fields[0], int(fields[19]))


def start_time(pid):
    state = state_of(pid)
    return state and state[1]


class Process:
    """`folder` holds NAME.log and NAME.pid; from the latter another run of the library finds the process again."""

    stop_signal = signal.SIGTERM
    ports = ()  # on which it listens

    def __init__(self, name, folder, environment=None, user=None):
        self.name, self.folder, self.user = name, Path(folder), user
        self.environment = dict(environment or {})
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{name}.log"
        self.pid_file = self.folder / f"{name}.pid"
        self.child = None
        self.pid = self.started = None
        self.launched = self.took = None  # when (monotonic), and seconds until it was ready
        if self.pid_file.exists():
            self.pid, self.started = map(int, self.pid_file.read_text().split())

    def command(self):
        """The command line, as a list."""
        raise NotImplementedError

    def ready(self):
        """Whether it can be used now."""
        raise NotImplementedError

    def launch(self, **more_environment):
        if self.alive():
            raise Trouble(f"{self.name} runs already, as process {self.pid}")
        with open(self.log, "ab") as log:
            log.write(f"---- {time.strftime('%H:%M:%S')} starts\n".encode())
            log.flush()
            # A process group of its own: Ctrl-C at the terminal is not for it.
            self.child = subprocess.Popen([str(word) for word in self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env={**os.environ, **self.environment, **more_environment}, cwd="/", user=self.user,
                                          group=self.user, extra_groups=None if self.user is None else [], start_new_session=True)
        self.launched = time.monotonic()
        self.pid, self.started = self.child.pid, start_time(self.child.pid)
        self.pid_file.write_text(f"{self.pid} {self.started}\n")

    def start(self, seconds=30, **more_environment):
        """Seconds until it was ready. Trouble, with the end of its log, when it ends before or takes too long."""
        self.launch(**more_environment)
        self.wait_until_ready(seconds)
        return self.took

    def wait_until_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while not self.ready():
            if not self.alive():
                raise Trouble(f"{self.name} ended; its log {self.log} ends with:\n{self.last_lines()}")
            if time.monotonic() > end:
                raise Trouble(f"{self.name} is not ready after {seconds} s; its log {self.log} ends with:\n{self.last_lines()}")
            time.sleep(0.01)
        if self.launched:
            self.took = time.monotonic() - self.launched

    def alive(self):
        if self.child is not None and self.child.poll() is not None:
            return False
        return self.pid is not None and self.started is not None and start_time(self.pid) == self.started

    def exit_status(self):
        """Of a child that ended; negative: the signal. None while it lives, and when another run started it."""
        return None if self.child is None else self.child.poll()

    def send(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, seconds=30):
        """Whether it has ended."""
        end = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        self.pid_file.unlink(missing_ok=True)
        return True

    def stop(self, seconds=20):
        """As an administrator stops it; killed when that takes too long, and then False."""
        self.send(self.stop_signal)
        if self.wait(seconds):
            return True
        self.kill()
        return False

    def kill(self):
        self.send(signal.SIGKILL)
        self.wait()

    def stop_at_once(self):
        """Whatever becomes of its data."""
        self.kill()

    def pause(self):
        """It does nothing more when this returns."""
        self.send(signal.SIGSTOP)
        while self.alive() and state_of(self.pid)[0] != "T":
            time.sleep(0.001)

    def resume(self):
        self.send(signal.SIGCONT)

    def last_lines(self, count=8):
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join("    " + line for line in lines[-count:])
