"""A cluster on one machine, for `make cluster` and the tests: nats-servers, PostgreSQL, `myelin serve` with roles, HAProxy.

Put scripts/lib on sys.path, then `from cluster import Cluster`. Each program is a Process: start(), stop() (SIGTERM), kill(), pause(),
resume(), alive(), ready(), and `log`; Myelin has health(), Nats leader() and followers(), Postgres stop_at_once() and sql().
Only what was started here is ever ended: by its id, and only while that is still the same process.
"""
from .cluster import ROLES, WORLDS, Cluster
from .myelin import Myelin
from .nats import Nats, NatsServer
from .postgres import Postgres
from .process import Process, Trouble
from .proxy import Proxy

__all__ = ["ROLES", "WORLDS", "Cluster", "Myelin", "Nats", "NatsServer", "Postgres", "Process", "Proxy", "Trouble"]
