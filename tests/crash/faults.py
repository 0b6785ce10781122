"""What befalls the processes of a cluster. Everything follows from the seed and the fault's number, but which nats-server leads."""
import random
import time
from dataclasses import dataclass

from machines import ROLES, wait_for

PAUSES = (3.5, 4.5)           # seconds, longer than a lease
ABSENCES = (0.2, 1.5, 4.0)    # until what was killed is started again: before and after its lease is over
SPLITS = (1.5, 3.5, 5.0)
CUTS = ("before", "after", "late")
CUT_SECONDS = 10              # to see a COMMIT


@dataclass
class Fault:
    number: int
    kind: str
    target: str       # a role, "nats leader", "nats follower", "postgres"; a process by its name
    seconds: float
    how: str          # of a cut; from what a split is
    rng: random.Random

    def __str__(self):
        return " ".join(word for word in (self.kind, self.target, self.how, f"for {self.seconds} s" if self.seconds else "") if word)


NATS_SERVERS = ("nats leader", "nats follower")
CARDS = ([("kill", target) for target in (*ROLES, *NATS_SERVERS)] + [("pause", target) for target in (*ROLES, *NATS_SERVERS)]
         + [("stop", role) for role in ROLES] + [("restart", "postgres")] * 2 + [("pause", "postgres")]
         + [("split", role) for role in ROLES for _ in range(2)] + [("split", target) for target in NATS_SERVERS]
         + [("cut", role) for role in ROLES for _ in range(2)])


class Plan:
    """Cards are dealt, so that every fault comes up as often."""

    def __init__(self, seed, only=None):
        self.seed, self.deck = seed, []
        self.cards = [card for card in CARDS if not only or " ".join(card).startswith(only)]

    def fault(self, number):
        rng = random.Random(f"{self.seed} {number}")
        if not self.deck:
            self.deck = self.cards.copy()
            random.Random(f"{self.seed} deck {number}").shuffle(self.deck)
        kind, target = self.deck.pop()
        seconds = {"kill": ABSENCES, "stop": ABSENCES, "pause": PAUSES, "split": SPLITS, "restart": (0.1, 1.0), "cut": (0.0,)}[kind]
        how = ""
        if kind == "cut":
            how = rng.choice(CUTS)
        elif kind == "split":
            how = "from " + ("the other nats-servers" if target in NATS_SERVERS else rng.choice(("postgres", "nats", "all")))
        return Fault(number, kind, target, rng.choice(seconds), how, rng)


class Rolling:
    """Every process is stopped in order and started again, one after the other, `rounds` times."""

    def __init__(self, cluster, rounds):
        self.names = [*cluster.nats, *cluster.roles] * rounds

    def fault(self, number):
        return Fault(number, "stop", self.names[number], 0.0, "", random.Random(number))


class Injector:
    def __init__(self, cluster):
        self.cluster = cluster

    def target_of(self, fault):
        """The process that it is about: one of two, or who leads now."""
        if fault.target == "postgres":
            return self.cluster.postgres
        if by_name := {**self.cluster.nats, **self.cluster.roles}.get(fault.target):
            return by_name
        if fault.target in NATS_SERVERS:
            servers = list(self.cluster.nats.values())
            leader = wait_for("a leader of JetStream", lambda: next((s for s in servers if s.is_leader()), None))
            return leader if fault.target == "nats leader" else fault.rng.choice([s for s in servers if s is not leader])
        return self.cluster.roles[f"{fault.target}{fault.rng.randint(1, 2)}"]

    def inflict(self, fault, target):
        """From its beginning until everything may work again."""
        getattr(self, fault.kind)(fault, target)

    def kill(self, fault, target):
        target.end()
        time.sleep(fault.seconds)
        target.launch()

    def stop(self, fault, target):
        status = target.end(how=15)
        if status != 0:
            raise AssertionError(f"{target.name} does not stop in order: {status}")
        time.sleep(fault.seconds)
        target.launch()

    def pause(self, fault, target):
        target.pause()
        time.sleep(fault.seconds)
        target.go_on()

    def restart(self, fault, target):
        target.stop_at_once()
        time.sleep(fault.seconds)
        target.start()

    def split(self, fault, target):
        nodes, nats = self.cluster.network.addresses, list(self.cluster.nats)
        others = {"from postgres": ["postgres"], "from nats": nats, "from all": nodes, "from the other nats-servers": nats}[fault.how]
        self.cluster.network.split([target.name], list(others))
        time.sleep(fault.seconds)
        self.cluster.network.heal()

    def cut(self, fault, target):
        postgres = self.cluster.postgres
        for _ in range(fault.rng.choice((1, 1, 3))):
            done = postgres.cuts
            postgres.cut(target.name, fault.how)
            wait_for(f"a COMMIT of {target.name}", lambda done=done: postgres.cuts > done, CUT_SECONDS)
