"""NATS away, full, changed by hand, and closed to us. Clients are served from the database all the while."""
import contextlib
import re
import signal
import time

from administrator import Administrator
from world import NATS_MB, Person, TroubleTest, wait_for

STREAMS = ("room_out", "user_out", "notify_out")


class AwayTest(TroubleTest):
    def test_down_at_the_start(self):
        nats, server = self.nats.servers[0], self.server()
        nats.stop()
        server.launch()
        self.expect(server, r"waiting: NATS: nats://127.0.0.1:\d+: .*no servers available")
        self.expect_not_ready(server, "waiting for NATS")
        nats.start()
        self.expect_well(Person(server, "alice"))

    def test_gone_later(self):
        nats, server = self.nats.servers[0], self.started()
        alice = Person(server, "alice")
        alice.says("before")
        nats.kill()
        self.expect_not_ready(server, "NATS does not answer")
        time.sleep(3)  # so that leases would be let go for others
        for text in ("without NATS", "and again"):
            self.assertEqual(alice.tries(text)[0], 200)
        wait_for("it is in /sync", alice.has_read_all)
        nats.start()
        self.expect(server, "NATS: connected again")
        self.expect_well(alice)

    def test_a_wrong_password(self):
        self.expect_refused(self.server(environment={"MYELIN_NATS_PASSWORD": "wrong"}), "NATS: .*[Aa]uthorization [Vv]iolation")


class TogetherTest(TroubleTest):
    """Two processes: each room has one of them as its owner, which is another one's to ask over NATS."""

    def test_gone_later(self):
        nats, servers = self.nats.servers[0], [self.started("one"), self.started("two")]
        alice = Person(servers[0], "alice")
        bob = Person(servers[1], "bob", alice.room)
        for person in (alice, bob):
            person.says(f"{person.name}: before")
        nats.kill()
        for server in servers:
            self.expect(server, "leases: they are left to the others while NATS does not answer")
            self.expect_not_ready(server, "NATS does not answer")
        wait_for("neither wants the other's", lambda: self.sql("SELECT count(*) FROM process WHERE wants = ''") == "2")
        time.sleep(1)  # so that the room stays with whom it has come to
        answers = [person.tries(f"{person.name}: without NATS") for person in (alice, bob)]
        self.assertEqual(sorted(status for status, _ in answers), [200, 503], answers)
        self.assertEqual([answer["errcode"] for status, answer in answers if status == 503], ["M_UNKNOWN"])
        self.expect_all_seen(alice, bob)
        self.assertNotIn("outbound buffer", str(answers) + "".join(self.log(server) for server in servers))
        nats.start()
        for server in servers:
            self.expect(server, "NATS: connected again")
        self.expect_well(alice, bob)
        self.expect_all_seen(alice, bob)


class CredentialsTest(TroubleTest):
    def setUp(self):
        super().setUp()
        self.right = self.accounts.read_text()
        self.addCleanup(self.reload, self.right)

    def reload(self, text):
        def times(nats):
            return nats.log.read_text().count("Reloaded server configuration")
        before = {nats: times(nats) for nats in self.nats.servers}
        self.accounts.write_text(text)
        for nats in self.nats.servers:
            nats.send(signal.SIGHUP)
        wait_for("every nats-server has read it", lambda: all(times(nats) > before[nats] for nats in self.nats.servers))

    def change(self, what, to):
        """Of the user that we are."""
        others, user = self.right.split("user: every,")
        self.assertIn(what, user)
        self.reload(f"{others}user: every,{user.replace(what, to, 1)}")

    def test_revoked_and_given_back(self):
        server = self.started()
        alice = Person(server, "alice")
        self.change("password: $MYELIN_NATS_EVERY", "password: revoked")
        self.expect(server, "NATS: .*[Aa]uthorization [Vv]iolation")
        self.expect_not_ready(server, "NATS does not answer")
        self.assertEqual(alice.tries("without NATS")[0], 200)
        wait_for("it is in /sync", alice.has_read_all)
        lines = len(self.log(server).splitlines())
        self.assertLess(lines, 20, self.log(server))
        self.reload(self.right)
        self.expect(server, "NATS: connected again")
        self.expect_well(alice)

    def expect_no_harm(self, server, alice):
        """Without the permission to publish what happens in rooms, and by itself when it is there."""
        for number in range(3):
            self.assertEqual(alice.tries(f"by the database {number}")[0], 200)
            wait_for("it is in /sync", alice.has_read_all)
        self.expect(server, r'NATS: permissions violation: .*Publish to "room\.out\.')
        self.expect(server, "NATS does not take messages")
        wait_for("ready", server.ready)
        self.reload(self.right)
        self.expect_well(alice)
        wait_for("it goes by NATS again", lambda: re.findall("NATS (takes|does not take) messages", self.log(server))[-1] == "takes")

    def test_a_permission_missing_at_the_start(self):
        self.change('"room.out.*", ', "")
        server = self.started()
        self.expect_no_harm(server, Person(server, "alice"))

    def test_a_permission_missing_later(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        self.change('"room.out.*", ', "")
        self.expect_no_harm(server, alice)

    def count(self, server, text):
        return len(re.findall(text, self.log(server)))

    def test_a_missing_permission_is_told_now_and_then(self):
        self.change('"room.out.*", ', "")
        server = self.started()
        people = [Person(server, name) for name in ("alice", "bob", "carol")]
        for number in range(10):
            for person in people:
                self.assertEqual(person.tries(f"{person.name} {number}")[0], 200)
        for person in people:
            wait_for("it is in /sync", person.has_read_all)
        self.assertLess(self.count(server, r"warning .*NATS"), 10, self.log(server))
        self.assertEqual(self.count(server, r"NATS takes messages of room\.out again"), 0, self.log(server))

    def test_a_consumer_that_may_not_pull(self):
        self.change('"$JS.API.CONSUMER.MSG.NEXT.room_out.sync", ', "")
        server = self.started()
        alice = Person(server, "alice")
        self.assertEqual(alice.tries("by the database")[0], 200)
        wait_for("it is in /sync", alice.has_read_all)
        self.expect(server, "the subscription of sync to room_out is made again")
        before = self.count(server, "NATS")
        time.sleep(15)
        self.assertLess(self.count(server, "NATS") - before, 3, self.log(server))
        self.reload(self.right)
        self.expect_well(alice)

    def test_a_permission_without_which_it_cannot_start(self):
        self.change('"$JS.API.STREAM.INFO.*", ', "")
        server = self.server()
        server.launch()
        self.expect(server, r'waiting: NATS: .*Publish to "\$JS\.API\.STREAM\.INFO')
        self.reload(self.right)
        self.expect_well(Person(server, "alice"))


class ByHandTest(TroubleTest):
    """Each changed while the server runs, and while it is stopped."""

    def change(self, by_hand, is_right_again=lambda admin: True, does_harm=True):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        with self.administrator() as admin:
            by_hand(admin)
            self.assertEqual(alice.tries("at once")[0], 200)
            self.expect_well(alice)
            if does_harm:  # else the next start is soon enough
                wait_for("what was changed is right again", lambda: self.is_right(admin) and is_right_again(admin))
            self.expect_well(alice)
            server.stop()
            by_hand(admin)
            server.start()
            self.expect_well(alice)
            wait_for("what was changed is right again", lambda: self.is_right(admin) and is_right_again(admin))
        return server

    def is_right(self, admin):
        """The streams are as they are declared, and take what is published."""
        for name in STREAMS:
            try:
                found = admin.stream(name)
            except AssertionError:
                return False
            config = found["config"]
            right = ([name.replace("_", ".") + ".*"], "interest", "old", self.nats_servers)
            if (config["subjects"], config["retention"], config["discard"], config["num_replicas"]) != right:
                return False
        return all(self.consumers(admin, name) for name in STREAMS)

    @staticmethod
    def consumers(admin, name):
        return set(admin.api(f"CONSUMER.NAMES.{name}")["consumers"] or ())

    def test_streams_deleted(self):
        self.change(lambda admin: [admin.api(f"STREAM.DELETE.{name}") for name in STREAMS])

    def test_streams_purged(self):
        self.change(lambda admin: [admin.api(f"STREAM.PURGE.{name}") for name in STREAMS])

    def test_subjects_changed(self):
        self.change(lambda admin: [admin.change(name, subjects=[f"elsewhere.{name}"]) for name in STREAMS])

    def test_retention_changed(self):
        self.change(lambda admin: [admin.change(name, retention="limits") for name in STREAMS], does_harm=False)

    def test_told_to_take_no_more(self):
        self.change(lambda admin: [admin.change(name, max_msg_size=10, discard="new", max_bytes=1000) for name in STREAMS])

    @contextlib.contextmanager
    def work_queue(self, admin):
        """In the place of a stream, which cannot be made of it."""
        with contextlib.suppress(AssertionError):
            admin.api("STREAM.DELETE.room_out")
        admin.api("STREAM.CREATE.room_out", {"name": "room_out", "subjects": ["room.out.*"], "retention": "workqueue", "storage": "file"})
        try:
            yield
        finally:
            admin.api("STREAM.DELETE.room_out")

    def test_a_work_queue(self):
        """There before the first start, and later."""
        refusal = "NATS: .*stream room_out is there with File storage and WorkQueue retention, .*never deleted by itself: .*remove it"
        server = self.server()
        with self.administrator() as admin:
            with self.work_queue(admin):
                self.expect_refused(server, refusal)
            server.start()
            self.forget(server)
            alice = Person(server, "alice")
            with self.work_queue(admin):
                self.assertEqual(alice.tries("at once")[0], 200)
                wait_for("it is in /sync", alice.has_read_all)
                self.expect(server, refusal)
            wait_for("the stream is there again", lambda: self.is_right(admin))
        self.expect_well(alice)

    def test_consumers_deleted(self):
        def by_hand(admin):
            for name in STREAMS:
                for consumer in self.consumers(admin, name):
                    admin.api(f"CONSUMER.DELETE.{name}.{consumer}")
        self.change(by_hand, lambda admin: self.consumers(admin, "user_out") == {"sync", "keys", "push"})


class FullTest(TroubleTest):
    refusal = "insufficient"

    def create(self, admin, name, **limits):
        """On every server."""
        return admin.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": [name], "retention": "limits", "storage": "file",
                                                   "num_replicas": self.nats_servers, **limits})

    def fill(self, admin):
        """With another's messages, to the last byte."""
        self.addCleanup(self.make_room)
        self.create(admin, "other")
        for piece in (bytes(7 << 20), bytes(1000)):
            while self.is_taken(admin, piece):
                pass

    @staticmethod
    def is_taken(admin, piece):
        with contextlib.suppress(AssertionError, TimeoutError):
            return "error" not in admin.ask("other", piece)

    def make_room(self):
        with self.administrator() as admin, contextlib.suppress(AssertionError):
            admin.api("STREAM.DELETE.other")

    def test_full_later(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        with self.administrator() as admin:
            self.fill(admin)
        self.assertEqual(alice.tries("full")[0], 200)
        wait_for("it is in /sync", alice.has_read_all)
        self.expect(server, f"NATS does not take messages of room.out .*{self.refusal}")
        self.forget(server)
        self.make_room()

        def is_taken_again():
            alice.says(f"and now {len(alice.said)}")
            return "NATS takes messages of room.out again" in self.log(server)

        wait_for(lambda: f"taken again:\n{self.log(server)}", is_taken_again)
        self.expect_well(alice)

    def has_space(self, admin, name, megabytes):
        """For a stream, which takes it then. A cluster finds out only after a while what is gone and what is new."""
        with contextlib.suppress(AssertionError):
            return self.create(admin, name, max_bytes=megabytes << 20)

    def test_full_at_the_start(self):
        self.addCleanup(self.make_room)
        with self.administrator() as admin:
            for name in admin.api("STREAM.NAMES")["streams"] or ():
                admin.api(f"STREAM.DELETE.{name}")
            wait_for("there is space", lambda: self.has_space(admin, "other", NATS_MB - 20))
            while self.has_space(admin, "another", 64):
                admin.api("STREAM.DELETE.another")
        server = self.server()
        server.launch()
        self.expect(server, "waiting: NATS: .*insufficient")
        self.expect_not_ready(server, "waiting for NATS")
        with self.administrator() as admin:
            admin.api("STREAM.DELETE.other")
        self.expect_well(Person(server, "alice"))


class RolesTest(TroubleTest):
    """deploy/nats/accounts.conf: what a process that was taken over cannot do."""

    PULLS = {"sync": ["room_out.sync", "user_out.sync"], "background": ["user_out.keys", "user_out.push", "notify_out.push"]}

    def test_each_may_do_what_it_must_and_no_more(self):
        self.started().stop()  # makes the streams
        pulls = [f"$JS.API.CONSUMER.MSG.NEXT.{each}" for some in self.PULLS.values() for each in some]
        for role in ("client", "rooms", "sync", "background", "every"):
            mine = {f"$JS.API.CONSUMER.MSG.NEXT.{each}" for name, some in self.PULLS.items() for each in some if role in (name, "every")}
            with Administrator(self.nats.servers[0].port, role, self.nats.password_of(role)) as connection:
                for subject, is_allowed in [("$JS.API.STREAM.INFO.room_out", True), ("hint.nothing", True),
                                            ("notify.out.0", role in ("sync", "every")),
                                            ("$JS.API.STREAM.DELETE.room_out", False), ("$JS.API.STREAM.PURGE.room_out", False),
                                            ("$JS.API.CONSUMER.DELETE.room_out.sync", False), ("elsewhere", False),
                                            *((pull, pull in mine) for pull in pulls)]:
                    self.assertEqual(connection.may_publish(subject), is_allowed, f"{role}: {subject}")
