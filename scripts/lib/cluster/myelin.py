"""`myelin serve` with some roles."""
import json
import subprocess
import urllib.error
import urllib.request

from .places import program
from .process import Process, Trouble


class Myelin(Process):
    """`arguments`: what all processes of a homeserver have alike. `roles`: a tuple, () = all of them."""

    def __init__(self, name, folder, port, roles=(), arguments=(), environment=None, executable=None):
        super().__init__(name, folder, environment)
        self.port, self.roles, self.arguments, self.executable = port, tuple(roles), list(arguments), executable
        self.ports = (port,)
        self.url = f"http://127.0.0.1:{port}"
        self.data = self.folder / name
        self.data.mkdir(exist_ok=True)

    def command(self):
        roles = ["--roles", ",".join(self.roles)] if self.roles else []
        return [self.executable or program("myelin"), "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *roles,
                *self.arguments]

    def health(self, timeout=3):
        """(200, "ok"), (503, why not), or (0, why nothing was answered)."""
        try:
            with urllib.request.urlopen(self.url + "/_myelin/health/ready", timeout=timeout) as answer:
                return answer.status, json.load(answer)["status"]
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal).get("error", "")
        except (OSError, ValueError) as silence:
            return 0, str(silence)

    def ready(self):
        return self.health()[0] == 200

    def run(self, *command, text=""):
        """What another command of the program prints, over the same data."""
        words = [self.executable or program("myelin"), *command, "--data", self.data, *self.arguments]
        done = subprocess.run([str(word) for word in words], input=text, env={**self.environment, "PATH": "/usr/bin:/bin"},
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Trouble(f"myelin {' '.join(command)} failed: {done.stderr.strip()}")
        return done.stdout

    def new_token(self):
        """A registration token for one account."""
        return self.run("token", "new").split()[-1]
