"""nats-servers: one, or a cluster with JetStream, with the users and permissions of deploy/nats."""
import json
import urllib.request
from pathlib import Path

from .places import ROOT, is_open, password, program
from .process import Process, Trouble

ACCOUNTS = ROOT / "deploy/nats/accounts.conf"
USERS = ("client", "rooms", "sync", "background", "every")

CONFIGURATION = """
server_name: {name}
listen: 127.0.0.1:{port}
http: 127.0.0.1:{monitor}
max_payload: 8MB
ping_interval: "2s"
jetstream {{ store_dir: "{store}" }}
{cluster}
include "{accounts}"
"""
CLUSTER = """cluster {{
  name: myelin
  listen: 127.0.0.1:{route}
  routes: [{routes}]
  authorization {{ user: route, password: {password} }}
}}"""


class NatsServer(Process):
    """`monitor`: its port for questions over HTTP; `route`: that for the other servers, None where there are none."""

    def __init__(self, name, folder, port, monitor, route, environment):
        super().__init__(name, folder, environment)
        self.port, self.monitor, self.route = port, monitor, route
        self.ports = tuple(each for each in (port, monitor, route) if each)
        self.configuration, self.store = self.folder / f"{name}.conf", self.folder / name

    def configure(self, cluster):
        # What is included is found from the folder of the configuration.
        (self.folder / "accounts.conf").write_text(ACCOUNTS.read_text())
        text = CONFIGURATION.format(name=self.name, port=self.port, monitor=self.monitor, store=self.store,
                                    cluster=cluster, accounts="accounts.conf")
        self.configuration.write_text(text)
        self.configuration.chmod(0o600)

    def command(self):
        return [program("nats-server"), "-config", self.configuration]

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/{path}", timeout=2) as answer:
            return json.load(answer)

    def leader(self):
        """The name of the server that leads JetStream, as this one knows; its own name where there is no cluster, "" for nobody."""
        try:
            answer = self.ask("jsz")
        except (OSError, ValueError):
            return ""
        return answer.get("meta_cluster", {}).get("leader", "") if self.route else self.name

    def ready(self):
        """It takes clients, and its JetStream has a leader."""
        return is_open(self.port) and self.leader() != ""

    def streams(self):
        """Stream -> (its configuration, the name of its leader), as this server knows."""
        accounts = self.ask("jsz?streams=1&accounts=1&config=1").get("account_details", [])
        return {stream["name"]: (stream["config"], stream.get("cluster", {}).get("leader"))
                for account in accounts for stream in account.get("stream_detail", [])}


class Nats:
    """`count` servers in one folder: 1, or a cluster."""

    def __init__(self, folder, ports, count):
        folder = Path(folder)
        self.passwords = {f"MYELIN_NATS_{user.upper()}": password(folder / f"password.{user}") for user in USERS}
        self.route_password = password(folder / "password.route")
        # Several share the machine with all others: Go's threads that look for work would take it from those that have some.
        environment = self.passwords | ({"GOMAXPROCS": "1"} if count > 1 else {})
        self.servers = [NatsServer(f"nats-{i + 1}", folder, ports.take(), ports.take(), ports.take() if count > 1 else None, environment)
                        for i in range(count)]
        self.url = ",".join(f"nats://127.0.0.1:{server.port}" for server in self.servers)

    def configure(self):
        routes = ", ".join(f"nats://route:{self.route_password}@127.0.0.1:{each.route}" for each in self.servers)
        for each in self.servers:
            each.configure(CLUSTER.format(route=each.route, routes=routes, password=self.route_password) if each.route else "")

    def launch(self):
        self.configure()
        for server in self.servers:
            if not server.alive():
                server.launch()

    def wait_until_ready(self, seconds=30):
        """A cluster takes 4 to 9 s to choose its first leader."""
        for server in self.servers:
            server.wait_until_ready(seconds)

    def password_of(self, user):
        return self.passwords[f"MYELIN_NATS_{user.upper()}"]

    def leader(self):
        for server in self.servers:
            if server.alive() and server.leader() == server.name:
                return server
        raise Trouble("the nats-servers have no leader now")

    def followers(self):
        leader = self.leader()
        return [server for server in self.servers if server is not leader]
