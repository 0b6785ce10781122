"""A homeserver of many processes on a network of its own: started, killed, paused, cut off. HAProxy and NATS's users are as
deploy/ has them."""
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

from network import Network
from tamper import ROOT

HERE = Path(__file__).resolve().parent
POSTGRES = Path("/usr/lib/postgresql/15/bin")
ROLES = ("client", "rooms", "sync", "background")
START_SECONDS = 60
RESTART_SECONDS = 0.5  # before what ended by itself is started again; half of what deploy/systemd waits
HTTP, NATS, PUSH, FIRST_PROXY = 8008, 4222, 9000, 6001


def wait_for(what, test, seconds=START_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := test()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return found


def answers(address, port, path):
    try:
        with urllib.request.urlopen(f"http://{address}:{port}{path}", timeout=3) as answer:
            return answer.read()
    except (OSError, ValueError):
        return None


def accepts(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class Process:
    """One that is started again on its node. `is_wanted`: it ends by itself otherwise than somebody ended it."""

    def __init__(self, network, name, folder, command, environment=None):
        self.environment = {**os.environ, **(environment or {})}
        self.name, self.folder, self.command = name, folder, network.command(name) + [str(word) for word in command]
        self.address = network.addresses[name]
        self.log_path = folder / f"{name}.log"
        self.process, self.is_wanted, self.is_paused = None, False, False

    def launch(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        self.is_wanted = True

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how=signal.SIGKILL, seconds=40):
        """Its exit status. One that was killed because it did not end in time says None."""
        self.is_wanted = False
        if not self.alive():
            return self.process.returncode if self.process else 0
        self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def pause(self):
        self.is_paused = True
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def last_words(self):
        lines = self.log_path.read_text(errors="replace").splitlines()
        return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "")


class Role(Process):
    def is_ready(self):
        return self.alive() and answers(self.address, HTTP, "/_myelin/health/ready") is not None


class Nats(Process):
    def is_ready(self):
        return self.alive() and answers(self.address, 8222, "/healthz") is not None

    def is_leader(self):
        """Of the cluster's JetStream."""
        found = json.loads(answers(self.address, 8222, "/jsz") or b"{}")
        return found.get("meta_cluster", {}).get("leader") == self.name


class Postgres:
    """With the proxy that loses connections at COMMIT: the only way to it."""

    def __init__(self, network, folder, clients):
        self.address = network.add("postgres")
        self.name, self.folder, self.network = "postgres", folder / "postgres", network
        self.folder.mkdir()
        self.user = pwd.getpwnam("postgres")
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.as_user(POSTGRES / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "--encoding=UTF8",
                     "--locale=C", "--no-instructions")
        self.process = None
        self.start()
        for statement in ("CREATE ROLE myelin LOGIN", "CREATE DATABASE myelin OWNER myelin"):  # as deploy/README.md says
            self.sql(statement, "postgres")
        self.ports = {name: FIRST_PROXY + i for i, name in enumerate(clients)}
        words = [word for name, port in self.ports.items() for word in (str(port), name)]
        self.proxy = subprocess.Popen(network.command("postgres") + ["python3", HERE / "commit_proxy.py", self.folder / ".s.PGSQL.5432",
                                      self.address, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.proxy.stdout.readline() != "ready\n":
            raise AssertionError("the proxy before PostgreSQL does not start")
        self.cuts = self.cuts_of_events = 0  # that were done; that hit a transaction with an event
        threading.Thread(target=self.count_cuts, daemon=True).start()

    def as_user(self, *command):
        done = subprocess.run([str(word) for word in command], user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[],
                              cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"{Path(command[0]).name}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self):
        with open(self.folder.parent / "postgres.log", "ab") as log:
            self.process = subprocess.Popen(
                [POSTGRES / "postgres", "-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses=",
                 "-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "recovery_init_sync_method=syncfs"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[], cwd="/")
        wait_for("PostgreSQL", self.is_ready)

    def is_ready(self):
        return subprocess.run([POSTGRES / "pg_isready", "-q", "-h", self.folder, "-U", "postgres"], check=False).returncode == 0

    def stop_at_once(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def pause(self):
        """All of it."""
        for process in self.processes():
            os.kill(process, signal.SIGSTOP)

    def go_on(self):
        for process in self.processes():
            os.kill(process, signal.SIGCONT)

    def processes(self):
        """The first one is the parent of all others."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout
        return [self.process.pid, *map(int, found.split())]

    def sql(self, text, database="myelin"):
        return self.as_user(POSTGRES / "psql", "-h", self.folder, "-U", "postgres", "-d", database, "-Atqc", text)

    def url(self, name):
        return f"postgres://myelin@{self.address}:{self.ports[name]}/myelin?sslmode=disable"

    def cut(self, name, how):
        self.proxy.stdin.write(f"{name} {how}\n")
        self.proxy.stdin.flush()

    def count_cuts(self):
        for line in self.proxy.stdout:
            self.cuts_of_events += line.endswith(" event\n")
            self.cuts += 1


NATS_CONFIG = """server_name: {name}
host: "{address}"
port: {port}
http: "{address}:8222"
max_payload: 8MB
ping_interval: "2s"
jetstream {{ store_dir: "{store}" }}
cluster {{ name: crash, host: "{address}", port: 6222, routes: [{routes}] }}
include "accounts.conf"
"""
PASSWORDS = {f"MYELIN_NATS_{user.upper()}": "secret" for user in (*ROLES, "every")}

class Cluster:
    """3 nats-servers, PostgreSQL, `copies` of each role, and HAProxy, each a machine of its own."""

    def __init__(self, program, nats_server, folder, copies=2):
        self.program, self.folder, self.network = program, folder, Network()
        folder.chmod(0o755)  # PostgreSQL has a user of its own
        self.role_names = {f"{role}{i}": role for role in ROLES for i in range(1, copies + 1)}
        self.nats = self.make_nats(nats_server)
        self.postgres = Postgres(self.network, folder, self.role_names)
        self.roles = {name: self.make_role(name, role) for name, role in self.role_names.items()}
        self.haproxy = self.make_haproxy()
        self.address, self.port = self.haproxy.address, HTTP
        self.gateways = [self.make_gateway(name) for name, role in self.role_names.items() if role == "background"]
        self.pushes = 0
        self.ended = []  # (name, status, last words) of what ended by itself
        self.is_over = False

    def make_nats(self, program):
        names = [f"nats{i}" for i in (1, 2, 3)]
        addresses = {name: self.network.add(name) for name in names}
        routes = ", ".join(f'"nats://{address}:6222"' for address in addresses.values())
        shutil.copy(ROOT / "deploy/nats/accounts.conf", self.folder)
        out = {}
        for name, address in addresses.items():
            file = self.folder / f"{name}.conf"
            file.write_text(NATS_CONFIG.format(name=name, address=address, port=NATS, store=self.folder / name, routes=routes))
            out[name] = Nats(self.network, name, self.folder, [program, "-config", file], PASSWORDS)
        return out

    def make_role(self, name, role):
        address = self.network.add(name)
        nats = ",".join(f"nats://{server.address}:{NATS}" for server in self.nats.values())
        command = [self.program, "serve", "--data", self.folder / name, "--roles", role, "--server-name", "localhost",
                   "--listen", f"{address}:{HTTP}", "--registration", "open", "--rate-limits", "off", "--nats", nats,
                   "--database", self.postgres.url(name), "--set", f"signing_key={self.folder / 'signing.key'}",
                   "--set", "push_allow_private_addresses=true"]
        return Role(self.network, name, self.folder, command, {"MYELIN_NATS_USER": role, "MYELIN_NATS_PASSWORD": "secret"})

    def make_haproxy(self):
        self.network.add("haproxy")
        text, file = (ROOT / "deploy/haproxy/haproxy.cfg").read_text(), self.folder / "haproxy.cfg"
        for role in ("client", "sync"):
            servers = "".join(f"  server {name} {self.roles[name].address}:{HTTP}\n" for name, has in self.role_names.items() if has == role)
            text = re.sub(rf"(?ms)(^backend {role}$.*?)(^  server .*?\n)+", lambda match, of=servers: match[1] + of, text)
        file.write_text(text)
        return Process(self.network, "haproxy", self.folder, ["haproxy", "-db", "-f", file])

    def make_gateway(self, node):
        """Where the processes on that node deliver pushes: gateways without TLS must be on their own machine."""
        gateway = subprocess.Popen(self.network.command(node) + ["python3", HERE / "gateway.py", str(PUSH)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE)
        threading.Thread(target=self.count_pushes, args=(gateway.stdout,), daemon=True).start()
        return gateway

    def count_pushes(self, lines):
        for _ in lines:
            self.pushes += 1

    # ---- as a whole

    def use(self, program):
        """From its next start on, every process with a role is another release."""
        for role in self.roles.values():
            role.command[role.command.index(self.program)] = program
        self.program = program

    def start(self):
        for server in self.nats.values():
            server.launch()
        wait_for("the nats-servers", lambda: all(server.is_ready() for server in self.nats.values()))
        first, *others = self.roles.values()
        first.launch()
        wait_for(first.name, first.is_ready)
        for role in others:
            role.launch()
        self.haproxy.launch()
        self.wait_until_well()
        threading.Thread(target=self.keep, daemon=True).start()

    def keep(self):
        """What ends by itself is started again, and remembered."""
        while not self.is_over:
            for each in self.all():
                if each.is_wanted and not each.alive() and not self.is_over:
                    self.ended.append((each.name, each.process.returncode, each.last_words()))
                    time.sleep(RESTART_SECONDS)
                    if each.is_wanted:
                        each.launch()
            time.sleep(0.05)

    def all(self):
        return [*self.nats.values(), *self.roles.values(), self.haproxy]

    def not_well(self):
        return [each.name for each in [*self.nats.values(), *self.roles.values()] if not each.is_ready()]

    def wait_until_well(self, seconds=START_SECONDS):
        """Every process says that it is ready, and clients are served by every one that should."""
        wait_for("the processes are not all ready", lambda: not self.not_well(), seconds)
        wait_for("the proxy", lambda: answers(self.address, self.port, "/_matrix/client/versions"), seconds)

    def stop(self):
        self.is_over = True
        for each in self.all():
            each.end()
        self.postgres.stop_at_once()
        for each in (self.postgres.proxy, *self.gateways):
            each.kill()
            each.wait()
