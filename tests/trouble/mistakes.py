"""Two clusters on one database, other releases beside each other, and clocks apart by minutes."""
import re
import threading
from datetime import datetime
from pathlib import Path

from cluster import Nats
from world import Person, TroubleTest, wait_for

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


class TwoClustersTest(TroubleTest):
    def setUp(self):
        super().setUp()
        self.first = self.started("first")
        self.alice = Person(self.first, "alice")
        self.alice.says("before")

    def tearDown(self):
        self.expect_well(self.alice)
        self.assertNotRegex(self.log(self.first), "error")

    def test_another_server_name(self):
        self.expect_refused(self.server("second", server_name="other.example"), "of the server localhost, not of other.example: .*Leave server_name out")

    def test_another_nats_or_an_engine_of_its_own(self):
        other = Nats(self.home / "other", self.ports, 1)
        self.addCleanup(other.servers[0].kill)
        other.configure()
        other.servers[0].start()
        both = [self.server("second", nats=other.url, environment={"MYELIN_NATS_PASSWORD": other.password_of("every")}),
                self.server("third", nats="embedded", environment={"MYELIN_NATS_USER": "", "MYELIN_NATS_PASSWORD": ""})]
        for each in both:
            each.launch()
        for each in both:
            self.expect_refused(each, "alive in this database, but is not heard over this NATS: are two clusters", 40, is_launched=True)

    def test_another_signing_key(self):
        second = self.server("second", signing_key=self.home / "another.key")
        self.expect_refused(second, "has the signing key ed25519:.*, and this one the signing key ed25519:.*: give all processes the same")


class TwoClustersAtOnceTest(TroubleTest):
    def test_started_together(self):
        """Neither is in the database before both have looked: one goes on at the most."""
        other = Nats(self.home / "other", self.ports, 1)
        self.addCleanup(other.servers[0].kill)
        other.configure()
        other.servers[0].start()
        both = [self.server("first"), self.server("second", nats=other.url, environment={"MYELIN_NATS_PASSWORD": other.password_of("every")})]
        door = threading.Thread(target=self.sql, args=("BEGIN; LOCK TABLE process IN EXCLUSIVE MODE; SELECT pg_sleep(2.5); COMMIT",))
        door.start()
        for each in both:
            each.launch()
        door.join()
        wait_for("one of them ends", lambda: any(each.wait(0.1) for each in both), 40)
        for each in both:
            if each.wait(1):
                self.assertRegex(self.log(each), "alive in this database, but is not heard over this NATS: are two clusters")
            else:
                self.expect_well(Person(each, "alice"))


class ReleasesTest(TroubleTest):
    """`newer` is what the next release's migration of the rooms' tables would leave behind."""

    def newer(self, runs_with=None):
        version = int(self.sql("SELECT max(version) FROM schema_version WHERE component = 'rooms'")) + 1
        step = f"INSERT INTO schema_step VALUES ('rooms', {version}, {runs_with(version)});" if runs_with else ""
        self.sql("BEGIN; SELECT pg_advisory_xact_lock(5270465); ALTER TABLE event ADD COLUMN of_the_next_release TEXT; CREATE TABLE next_release (id BIGINT); "
                 f"INSERT INTO schema_version VALUES ('rooms', {version}, 0); {step} COMMIT")

    def test_an_old_process_with_new_tables(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        server.stop()
        self.newer()
        before = self.sql("SELECT * FROM schema_version ORDER BY 1, 2")
        self.expect_refused(server, "written by a newer program: its schema of 'rooms' is version .* Start the newer program, or restore a backup")
        self.assertEqual(self.sql("SELECT * FROM schema_version ORDER BY 1, 2"), before)
        self.sql("DELETE FROM schema_version WHERE component = 'rooms' AND version = (SELECT max(version) FROM schema_version WHERE component = 'rooms')")
        server.start()
        self.expect_well(alice)

    def test_a_new_process_brings_the_tables_up_to_date_while_an_old_one_runs(self):
        old = self.started("old")
        alice = Person(old, "alice")
        alice.says("before")
        self.newer(lambda version: version - 1)
        self.expect_well(alice)
        beside = self.started("beside")
        self.expect(beside, "the schema of rooms is a newer program's, version .* can work with it")
        bob = Person(beside, "bob", alice.room)
        self.expect_well(alice, bob)
        old.stop()
        old.start()
        self.expect_well(alice, bob)
        self.assertNotRegex(self.log(old) + self.log(beside), "error")

    def test_a_fresh_database_is_no_upgrade(self):
        self.postgres.sql("CREATE DATABASE fresh")
        self.assertNotIn("schema of", self.log(self.started(database=self.url_of("fresh"))))


class ClocksTest(TroubleTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.clean_up)

    @staticmethod
    def clean_up():
        """What faketime leaves of processes that are killed."""
        for path in Path("/dev/shm").glob("*faketime_s*_*"):
            if not Path("/proc", path.name.rpartition("_")[2]).exists():
                path.unlink(missing_ok=True)

    def at(self, name, seconds):
        server = self.server(name, environment={"LD_PRELOAD": FAKETIME, "FAKETIME": f"{seconds:+}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
        server.start()
        return server

    def holds(self, server):
        """How many rooms' partitions are its own."""
        instance = (server.data / "instance").read_text().strip()
        return int(self.sql(f"SELECT count(*) FROM lease WHERE holder = '{instance}' AND name = 'room.out'"))

    def clock(self, server):
        """At its first line in the log."""
        return datetime.fromisoformat(re.search(r"^(\S+)Z ", self.log(server), re.M)[1])

    def test_minutes_apart(self):
        early, late = self.at("early", -300), self.at("late", +300)
        people = [Person(early, "alice")]
        people.append(Person(late, "bob", people[0].room))
        for server in (early, late):
            wait_for(lambda server=server: f"a share of the rooms: {self.holds(server)}", lambda server=server: self.holds(server) == 32)
        for number in range(10):
            for person in people:
                person.says(f"{number} of {id(person)}")
        self.expect_well(*people)
        late.kill()
        people[0].says("the other one is killed")
        wait_for("its rooms are taken over", lambda: self.holds(early) == 64)
        late.start()
        self.expect_well(*people)
        wait_for("it has its share again", lambda: self.holds(late) == 32)
        early.stop()
        early.start()
        self.expect_well(*people)
        self.expect_all_seen(*people)
        for server in (early, late):
            self.assertNotRegex(self.log(server), "error|has lost them all")
        self.assertGreater((self.clock(late) - self.clock(early)).total_seconds(), 500, "the clocks are not apart")
