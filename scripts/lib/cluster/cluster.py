"""A homeserver of several programs in one folder, on consecutive ports of loopback."""
import json
import tempfile
from collections import Counter
from pathlib import Path

from .myelin import Myelin
from .nats import Nats
from .places import Ports, is_free
from .postgres import Postgres
from .process import Trouble
from .proxy import Proxy

ROLES = ("client", "rooms", "sync", "background")

# What a homeserver can run as: arguments of Cluster.
WORLDS = {
    "sqlite": {"nats": 0, "postgres": False, "proxy": False},
    "postgres": {"nats": 0, "proxy": False},
    "nats": {"nats": 1, "proxy": False},
    "cluster": {"nats": 3, "processes": [(role,) for _ in range(2) for role in ROLES]},
}


class Cluster:
    """What runs: `nats` servers (0 = the embedded engine), PostgreSQL or SQLite, a process for each of `processes` (tuples of
    roles; () = all roles), and a proxy in front if wanted. `ports`: the first of those it takes. `settings`: keys of the
    configuration file that all processes share; `arguments`: more words of their command lines. `folder` keeps data and
    logs; the same folder again goes on with them, and finds what still runs there. None: one that is gone after close().

        with Cluster(processes=[(role,) for role in ROLES] * 2, ports=20000) as cluster:
            cluster.start()
            cluster.processes[0].kill()
    """

    def __init__(self, processes=((),), nats=3, postgres=True, proxy=True, folder=None, ports=20000, settings=None, arguments=(),
                 executable=None, postgres_settings=None):
        self.temporary = None
        if folder is None:
            self.temporary = tempfile.TemporaryDirectory(prefix="myelin-cluster-", ignore_cleanup_errors=True)
            folder = self.temporary.name
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)  # PostgreSQL's user goes through it
        ports = Ports(ports)
        port = ports.take() if proxy else None
        self.nats = Nats(self.folder, ports, nats) if nats else None
        self.postgres = Postgres(self.folder, ports.take(), postgres_settings) if postgres else None
        self.configuration = self.folder / "myelin.toml"
        self.values = self._values(len(processes) > 1, port) | (settings or {})
        arguments = ["--config", self.configuration, *arguments]
        self.processes, numbers = [], Counter()
        for roles in processes:
            kind = "-".join(roles) or "myelin"
            numbers[kind] += 1
            self.processes.append(Myelin(f"{kind}-{numbers[kind]}", self.folder, ports.take(), roles, arguments, self._login(roles),
                                         executable))
        self.proxy = None
        if proxy:
            backends = {role: self.with_role(role) or self.serving() for role in ("client", "sync")}
            self.proxy = Proxy(self.folder, port, backends)
        self.url = self.proxy.url if self.proxy else self.processes[0].url

    def _values(self, are_several, port):
        """Of the configuration file."""
        values = {"server_name": "localhost", "trusted_proxies": ["127.0.0.1"]}
        if self.nats:
            values["nats"] = self.nats.url
        if self.postgres:
            values["database"] = self.postgres.url
        if are_several:  # and share the machine
            values |= {"signing_key": str(self.folder / "signing.key"), "database_lanes": 2, "database_readers": 2}
        if port:
            values["public_base_url"] = f"http://localhost:{port}"
        return values

    def _login(self, roles):
        if not self.nats:
            return {}
        user = roles[0] if len(roles) == 1 else "every"
        return {"MYELIN_NATS_USER": user, "MYELIN_NATS_PASSWORD": self.nats.password_of(user)}

    def with_role(self, role):
        return [process for process in self.processes if not process.roles or role in process.roles]

    def serving(self):
        """The processes that answer clients."""
        return [process for process in self.processes if not process.roles or {"client", "sync"} & set(process.roles)]

    def programs(self):
        """Everything that runs, in the order of the start."""
        return [*(self.nats.servers if self.nats else ()), *([self.postgres] if self.postgres else ()), *self.processes,
                *([self.proxy] if self.proxy else ())]

    def configure(self):
        """Writes the configuration file. Its values are JSON, which for these is TOML."""
        self.configuration.touch(mode=0o600)
        self.configuration.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in self.values.items()))

    def check_ports(self):
        """Trouble when one of its ports has another's program."""
        for each in self.programs():
            for port in () if each.alive() else each.ports:
                if not is_free(port):
                    raise Trouble(f"port {port} of {each.name} is taken by another program: end that, or choose other ports")

    def start(self, say=lambda text: None):
        """What does not run yet; when one does not start, none of them goes on running."""
        self.check_ports()
        began = [each for each in self.programs() if not each.alive()]
        try:
            if self.nats:
                say(f"{len(self.nats.servers)} nats-server")
                self.nats.launch()
            if self.postgres and not self.postgres.alive():
                say("PostgreSQL")
                self.postgres.start()
            if self.nats:
                self.nats.wait_until_ready()
            self.configure()
            say(f"{len(self.processes)} myelin serve")
            for process in self.processes:
                if not process.alive():
                    process.launch()
            for process in self.processes:
                process.wait_until_ready()
            if self.proxy and not self.proxy.alive():
                say("HAProxy")
                self.proxy.start()
        except BaseException:
            for each in began:
                each.kill()
            raise

    def stop(self, say=lambda text: None):
        """As an administrator does: the clients' side first."""
        for each in reversed(self.programs()):
            if each.alive():
                say(each.name)
                each.resume()
                each.stop()

    def close(self):
        """Ends everything at once, and removes a folder of its own."""
        for each in reversed(self.programs()):
            each.stop_at_once()
        if self.temporary:
            self.temporary.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
