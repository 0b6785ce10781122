"""PostgreSQL away, read-only, without connections, busy, and failed over to a replica that lacks the last commits."""
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time

from cluster import Postgres
from cluster.places import program
from world import Person, TroubleTest, end, wait_for


class AwayTest(TroubleTest):
    def test_down_at_the_start(self):
        server = self.server()
        self.postgres.stop(60)
        server.launch()
        self.expect(server, r"waiting: PostgreSQL: .*Connection refused")
        self.postgres.start()
        self.expect_well(Person(server, "alice"))

    def test_nats_is_not_blamed_for_it(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        self.postgres.stop_at_once()
        time.sleep(8)
        self.postgres.start()
        self.expect_well(alice)
        self.assertNotIn("NATS", self.log(server))

    def test_a_signal_ends_the_waiting(self):
        server = self.server()
        self.postgres.stop(60)
        server.launch()
        self.expect(server, "waiting: PostgreSQL")
        server.send(signal.SIGTERM)
        self.assertTrue(server.wait(5))

    def test_gone_later(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        self.postgres.stop_at_once()
        self.expect_not_ready(server, "the database refuses to write: PostgreSQL: .*Connection refused")
        status, answer = alice.tries("while it is away")
        self.assertEqual((status, answer["errcode"]), (503, "M_UNKNOWN"), answer)
        self.postgres.start()
        self.expect_well(alice)
        self.expect(server, "ready again")

    def test_what_only_a_person_can_mend_ends_the_start(self):
        wrong = self.database.replace(self.postgres.password, "wrong")
        self.expect_refused(self.server("two", database=wrong), "PostgreSQL: .*password authentication failed")
        self.expect_refused(self.server("three", database=self.url_of("nowhere")), 'PostgreSQL: .*database "nowhere" does not exist')


class ByHandTest(TroubleTest):
    """A table is renamed, as somebody's hand or a release that does not belong here would."""

    def test_nothing_is_parked_meanwhile(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        self.expect_well(alice)
        self.sql("ALTER TABLE sync_timeline RENAME TO elsewhere")
        alice.says("while it is away")
        self.expect(server, r"sync.*relation .sync_timeline. does not exist.*42P01")
        self.assertEqual(self.sql("SELECT count(*) FROM parked"), "0")
        self.sql("ALTER TABLE elsewhere RENAME TO sync_timeline")
        self.expect_well(alice)
        self.assertEqual(self.sql("SELECT count(*) FROM parked"), "0")


class SettingTest(TroubleTest):
    """Tests with a setting of PostgreSQL that is another for a while."""

    setting, right = "", "on"

    def set(self, value):
        for each in (f"ALTER SYSTEM SET {self.setting} = {value}", "SELECT pg_reload_conf()"):
            subprocess.run([program("psql"), "-qAtX", "-d", self.postgres.url, "-c", each], check=True, capture_output=True, timeout=30,
                           env={**os.environ, "PGOPTIONS": "-c default_transaction_read_only=off"})
        wait_for("it is set", lambda: self.postgres.sql(f"SHOW {self.setting}") == value)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.set, self.right)


class UnsafeTest(SettingTest):
    """What is acknowledged would not be on the disk."""

    setting = "fsync"

    def test_at_the_start(self):
        self.set("off")
        server = self.server()
        self.expect_refused(server, "PostgreSQL is refused: fsync is off, so a power cut would lose what was acknowledged")
        self.set("on")
        self.sql(f"ALTER DATABASE {self.name} SET synchronous_commit = off")
        self.forget(server)
        self.expect_refused(server, "PostgreSQL is refused: synchronous_commit is off, so a crash would lose what was acknowledged")
        self.sql(f"ALTER DATABASE {self.name} SET synchronous_commit = on")
        server.start()
        self.expect_well(Person(server, "alice"))

    def test_later(self):
        """As after a restart of PostgreSQL with another configuration."""
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        self.set("off")
        self.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'myelin'")
        self.expect_not_ready(server, "PostgreSQL is refused: fsync is off")
        self.assertEqual(alice.call("GET", "/sync?timeout=0")[0], 503)
        self.set("on")
        self.expect_well(alice)


class ReadOnlyTest(SettingTest):
    setting, right = "default_transaction_read_only", "off"

    def test_at_the_start(self):
        server = self.server()
        self.set("on")
        server.launch()
        self.expect(server, "waiting: PostgreSQL: .*read-only transaction .*default_transaction_read_only")
        self.set("off")
        self.expect_well(Person(server, "alice"))

    def test_later(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        self.set("on")
        self.expect_not_ready(server, "refuses to write: .*read-only transaction .*default_transaction_read_only")
        self.assertEqual(alice.tries("while it is read-only")[0], 503)
        wait_for("what was said can be read", alice.has_read_all)
        self.assertRegex(server.run("status"), "room.out")
        self.set("off")
        self.expect_well(alice)


class ConnectionsTest(TroubleTest):
    @contextlib.contextmanager
    def others(self):
        """They hold every connection that there is."""
        held = []
        try:
            while True:
                held.append(subprocess.Popen([program("psql"), "-qAtX", "-d", self.postgres.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=subprocess.DEVNULL, text=True))
                held[-1].stdin.write("SELECT 'here';\n")
                held[-1].stdin.flush()
                if held[-1].stdout.readline() != "here\n":
                    break
            yield
        finally:
            for each in held:
                each.stdin.close()
                each.wait()
                each.stdout.close()

    def test_none_left_at_the_start(self):
        server = self.server()
        with self.others():
            server.launch()
            self.expect(server, "waiting: PostgreSQL: .*too many clients.*max_connections must be above")
        self.expect_well(Person(server, "alice"))

    def test_none_left_later(self):
        server = self.started()
        alice = Person(server, "alice")
        alice.says("before")
        server.pause()
        self.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'myelin'")
        wait_for("our connections are gone", lambda: self.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'myelin'") == "0")
        with self.others():
            server.resume()
            self.expect_not_ready(server, "too many clients.*max_connections must be above")
            self.assertEqual(alice.tries("without a connection")[0], 503)
        self.expect_well(alice)


class BusyTest(TroubleTest):
    def test_a_process_that_stands_still_makes_no_other_unready(self):
        """Paused in the transaction of its health check: it holds the row that all processes write."""
        server = self.started()
        alice = Person(server, "alice")
        psql = subprocess.Popen([program("psql"), "-qAtX", "-d", self.database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(psql.wait)
        self.addCleanup(psql.stdout.close)
        self.addCleanup(psql.stdin.close)
        psql.stdin.write("BEGIN; UPDATE server SET probed_at = 1; SELECT 'held';\n")
        psql.stdin.flush()
        self.assertEqual(psql.stdout.readline(), "held\n")
        self.forget(server)
        for _ in range(3):
            self.assertEqual(server.health()[0], 200, self.log(server))
            time.sleep(1.1)
        self.assertNotIn("not ready", self.log(server))
        self.expect_well(alice)


class ReplicatedTest(TroubleTest):
    """Asynchronously, so that the replica may lack what was acknowledged."""

    def setUp(self):
        super().setUp()
        self.primary = Postgres(self.home / "primary", self.ports.take())
        self.addCleanup(end, self.primary)
        self.primary.start()
        self.replica = self.copy()
        self.replica.start()
        hosts = f"127.0.0.1:{self.primary.port}"
        self.database = self.primary.url.replace(hosts, f"{hosts},127.0.0.1:{self.replica.port}") + "?target_session_attrs=read-write"

    def copy(self):
        """A replica that follows; its password is the primary's."""
        folder = self.home / "replica"
        folder.mkdir(mode=0o711)
        shutil.copy(self.home / "primary/password.postgres", folder)
        replica = Postgres(folder, self.ports.take())
        replica.home.mkdir(mode=0o700)
        if replica.user:
            owner = pwd.getpwnam(replica.user)
            os.chown(replica.home, owner.pw_uid, owner.pw_gid)
        subprocess.run([program("initdb").parent / "pg_basebackup", "-R", "-D", replica.data, "-d", self.primary.url, "-X", "stream", "-c", "fast", "--no-sync"],
                       check=True, capture_output=True, timeout=60, cwd="/", user=replica.user, group=replica.user,
                       extra_groups=[] if replica.user else None)
        self.addCleanup(end, replica)
        return replica


class FailoverTest(ReplicatedTest):
    def test_a_replica_that_lacks_the_last_commits_takes_over(self):
        """Under two processes, of which each must notice."""
        servers = self.started("one"), self.started("two")
        alice = Person(servers[0], "alice")
        bob = Person(servers[1], "bob", alice.room)
        alice.must("POST", "/keys/upload", {"one_time_keys": {"signed_curve25519:A": {"key": "A" * 43, "signatures": {}}}})
        alice.says("kept")
        at = self.primary.sql("SELECT pg_current_wal_lsn()")
        wait_for("the replica has it", lambda: self.replica.sql(f"SELECT pg_last_wal_replay_lsn() >= '{at}'") == "t")
        self.replica.stop()
        for person in (alice, bob):
            person.says(f"{person.name}: lost")
        self.expect_all_seen(alice, bob)

        self.primary.stop_at_once()
        self.replica.start()
        for server in servers:
            self.expect_not_ready(server, "the database refuses to write: PostgreSQL: .*session is read-only")
        self.replica.sql("SELECT pg_promote()")
        for server in servers:
            self.assertTrue(server.wait(20), "it goes on with what it has in memory")
            self.assertEqual(server.child.wait(5), 74)
            self.expect(server, "PostgreSQL is another server, or went back in time .*start again")

        for server in servers:
            server.launch()  # as systemd does
        self.assertEqual(alice.must("POST", "/keys/upload", {})["one_time_key_counts"].get("signed_curve25519", 0), 0,
                         "a key may have been given out after the last commit that is left")
        alice.said, bob.said = ["kept"], []
        self.expect_well(alice, bob)
        carol = Person(servers[1], "carol", alice.room)
        self.expect_well(alice, bob, carol)
        self.assertEqual([text for text in carol.seen if "kept" in text or "lost" in text], ["kept"])


class StandbyTest(ReplicatedTest):
    def test_at_the_start(self):
        """Of one that is named alone, and of one among several, of which libpq takes the primary."""
        alone, among = self.server("alone", database=self.replica.url), self.server("among")
        self.primary.stop_at_once()
        for server in (alone, among):
            server.launch()
        self.expect(alone, "waiting: PostgreSQL: this is a standby; the primary is needed")
        self.expect(among, "waiting: PostgreSQL: .*session is read-only")
        for server in (alone, among):
            self.assertEqual(server.health()[0], 0, "no port is open yet")
        self.replica.sql("SELECT pg_promote()")
        alice = Person(alone, "alice")
        bob = Person(among, "bob", alice.room)
        self.expect_well(alice, bob)
        self.expect_all_seen(alice, bob)
