"""On a cluster of three nats-servers, whose streams have three replicas: what one server is tested with, and what takes several."""
import contextlib
import shutil

import nats
from cluster import Nats
from world import Person, TroubleTest, wait_for


class ByHandTest(nats.ByHandTest):
    nats_servers = 3

    def test_replicas_taken_away(self):
        self.change(lambda admin: [admin.change(name, num_replicas=1) for name in nats.STREAMS], does_harm=False)


class FullTest(nats.FullTest):
    nats_servers = 3
    refusal = ""  # nobody answers: there is no room for the servers' own logs either

    def make_room(self):
        """Full, they take no command; what they store may be thrown away."""
        for each in self.nats.servers:
            each.kill()
            shutil.rmtree(each.store)
        self.surroundings.run(self.nats_servers)


class CredentialsTest(nats.CredentialsTest):
    nats_servers = 3


class MajorityTest(TroubleTest):
    """Without it JetStream does nothing, while words that may be lost still come."""

    nats_servers = 3

    def test_gone_later(self):
        servers = [self.started("one"), self.started("two")]
        alice = Person(servers[0], "alice")
        bob = Person(servers[1], "bob", alice.room)
        for person in (alice, bob):
            person.says(f"{person.name}: before")
        for each in self.nats.servers[1:]:
            each.kill()
        for number in range(3):
            for person in (alice, bob):
                person.says(f"{person.name}: one is left {number}")
            self.expect_all_seen(alice, bob)
        for each in self.nats.servers[1:]:
            each.start()
        self.expect_well(alice, bob)
        self.expect_all_seen(alice, bob)

    def test_down_at_the_start(self):
        first, *others = self.nats.servers
        for each in others:
            each.stop()
        server = self.server()
        server.launch()
        self.expect(server, "waiting: NATS: ")
        self.expect_not_ready(server, "waiting for NATS")
        others[0].start()
        self.expect_well(Person(server, "alice"))


class TwoServersTest(TroubleTest):
    """Not as deploy/README.md wants it."""

    def test_a_cluster_of_two(self):
        two = Nats(self.home / "two", self.ports, 2)
        with contextlib.ExitStack() as stack:
            for each in two.servers:
                stack.callback(each.kill)
            two.launch()
            two.wait_until_ready()
            server = self.server(environment={"MYELIN_NATS_PASSWORD": two.password_of("every")}, nats=two.url)
            server.launch()
            self.expect(server, "waiting: NATS: .*three")
            self.expect_not_ready(server, "waiting for NATS")
