"""On a cluster of three nats-servers, whose streams have three replicas: what one server is tested with, and what takes several."""
import re
import shutil

import nats
from world import Person, TroubleTest


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


class GrowingTest(TroubleTest):
    """A cluster that has had two servers so far: each stream is one's."""

    def setUp(self):
        super().setUp()
        self.nats = self.surroundings.make_nats(3, self.home / "growing")
        *two, third = self.nats.servers
        for each in two:  # they do not know of it
            text = each.configuration.read_text()
            each.configuration.write_text(text.replace(f", nats://route:{self.nats.route_password}@127.0.0.1:{third.route}", ""))
            self.addCleanup(each.kill)
        self.addCleanup(third.kill)
        self.begin(two)

    @staticmethod
    def begin(servers):
        for each in servers:
            each.launch()
        for each in servers:
            each.wait_until_ready()

    def replicas(self):
        with self.administrator() as admin:
            return [admin.stream(name)["config"]["num_replicas"] for name in nats.STREAMS]

    def test_two_servers_and_then_three(self):
        server = self.server()
        server.launch()
        self.expect(server, "the cluster has fewer than three servers")
        alice = Person(server, "alice")
        self.expect_well(alice)
        self.assertEqual(self.replicas(), [1, 1, 1])
        self.forget(server)
        self.begin(self.nats.servers[2:])
        self.expect(server, "streams are held by three servers now")
        self.assertEqual(self.replicas(), [3, 3, 3])
        self.nats.leader().kill()
        self.expect_well(alice)
        self.assertEqual(len(re.findall("fewer than three", self.log(server))), 0)
