"""TLS and credentials towards NATS, with keys and certificates that `nats-server -make` writes."""
import shutil
import subprocess

from cluster import Nats
from cluster.places import program
from world import Person, TroubleTest, wait_for

ACCOUNTS = 'include "accounts.conf"'
TLS = 'tls {{ cert_file: "{0}/cert.pem", key_file: "{0}/key.pem", ca_file: "{0}/ca.pem", verify: true }}\n' + ACCOUNTS
CLOSED = "closed by remote after TLS handshake"  # as much as is seen of the refusal of a certificate, now and then
CREDENTIALS = """operator: "{folder}/operator.jwt"
system_account: {system}
resolver: MEMORY
resolver_preload: {{ {system}: {system_jwt}, {account}: {account_jwt} }}
"""


class LoginTest(TroubleTest):
    """Tests on a nats-server of their own."""

    def setUp(self):
        super().setUp()
        self.ours, self.others = self.secrets("ours"), self.secrets("others")
        self.own = Nats(self.home / "own", self.ports, 1)
        self.nats_server = self.own.servers[0]
        self.addCleanup(self.nats_server.kill)

    def secrets(self, name):
        """A folder of them."""
        folder = self.home / name
        folder.mkdir()
        subprocess.run([program("nats-server"), "-make", folder], check=True, timeout=30)
        return folder

    def configure(self, text):
        """Who may connect, and how, from the nats-server's next start on."""
        self.own.configure()
        file = self.nats_server.configuration
        file.write_text(file.read_text().replace(ACCOUNTS, text))


class TlsTest(LoginTest):
    def process(self, name="one", password=None, **settings):
        return self.server(name, environment={"MYELIN_NATS_PASSWORD": password or self.own.password_of("every")},
                           **{"nats": self.own.url, "nats_tls_ca": self.ours / "ca.pem", "nats_tls_cert": self.ours / "cert.pem",
                              "nats_tls_key": self.ours / "key.pem", **settings})

    def test_certificates_of_both_and_a_password(self):
        self.configure(TLS.format(self.ours))
        self.nats_server.start()
        server = self.process()
        server.start()
        alice = Person(server, "alice")
        self.expect_well(alice)
        others = {"nats_tls_cert": self.others / "cert.pem", "nats_tls_key": self.others / "key.pem"}
        none = {"nats_tls_cert": "", "nats_tls_key": ""}
        for process, why in (
                (self.process("ca", nats_tls_ca=self.others / "ca.pem"), "NATS: .*certificate signed by unknown authority"),
                (self.process("no-ca", nats_tls_ca=""), "NATS: .*certificate signed by unknown authority"),
                (self.process("certificate", **others), f"NATS: .*(unknown certificate authority|{CLOSED})"),
                (self.process("no-certificate", **none), f"NATS: .*(certificate required|{CLOSED})"),
                (self.process("no-tls", nats=self.nats.url), "NATS: .*secure connection not available"),
                (self.process("password", "wrong"), "NATS: .*[Aa]uthorization [Vv]iolation")):
            with self.subTest(process.name):
                self.expect_refused(process, why)
        self.expect_well(alice)

        self.forget(server)  # and now all of them are renewed, by another authority
        for name in ("ca.pem", "cert.pem", "key.pem"):
            shutil.copy(self.others / name, self.ours / name)
        self.nats_server.stop()
        self.nats_server.start()
        self.expect(server, "NATS: connected again")
        self.expect_well(alice)


class CredentialsFileTest(LoginTest):
    def trust(self, folder):
        names = {"system": "system.account", "system_jwt": "system.jwt", "account": "account.id", "account_jwt": "account.jwt"}
        values = {key: (folder / name).read_text() for key, name in names.items()}
        self.configure(CREDENTIALS.format(folder=folder, **values))

    def test_a_file_is_read_again_each_time(self):
        file = self.home / "user.creds"
        shutil.copy(self.ours / "user.creds", file)
        self.trust(self.ours)
        self.nats_server.start()
        server = self.started(environment={"MYELIN_NATS_USER": "", "MYELIN_NATS_PASSWORD": ""}, nats=self.own.url, nats_credentials=file)
        alice = Person(server, "alice")
        alice.says("before")
        self.trust(self.others)
        self.nats_server.stop()
        self.nats_server.start()
        self.expect(server, "NATS: .*[Aa]uthorization [Vv]iolation")
        self.expect_not_ready(server, "NATS does not answer")
        self.assertEqual(alice.tries("without NATS")[0], 200)
        wait_for("it is in /sync", alice.has_read_all)
        shutil.copy(self.others / "user.creds", file)
        self.expect(server, "NATS: connected again")
        self.expect_well(alice)
        shutil.copy(self.ours / "user.creds", file)
        server.stop()
        self.forget(server)
        self.expect_refused(server, "NATS: .*[Aa]uthorization [Vv]iolation")
