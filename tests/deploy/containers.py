#!/usr/bin/env python3
"""compose/: each container is given what its program understands and needs, and the image has the libraries that Myelin needs."""
import json
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import unittest
from collections import Counter
from pathlib import Path
from string import Template

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
sys.path.insert(0, str(ROOT / "scripts/lib"))
from cluster.places import program  # noqa: E402

IN_EVERY_DEBIAN = {"libc6", "libgcc-s1", "libstdc++6"}  # apt itself needs them
NO_LIBRARIES = {"ca-certificates"}


def output(*command, environment=None):
    """What it prints; a failure with its complaint if it ends with one."""
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C", **(environment or {})}
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Compose(unittest.TestCase):
    """compose.yaml after the preparations that its head tells, with anchors, merges and variables resolved."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="myelin-compose-")
        cls.addClassCleanup(folder.cleanup)
        shutil.copytree(DEPLOY, folder.name, dirs_exist_ok=True)
        cls.folder = Path(folder.name) / "compose"
        text = (cls.folder / "compose.yaml").read_text()
        preparations = "\n".join(re.findall(r"^#   (?!docker )(.*)$", text, re.M))
        subprocess.run(["bash", "-euo", "pipefail", "-c", preparations], cwd=cls.folder, check=True)
        cls.secrets = dict(re.findall(r"^(\w+)=(.*)$", (cls.folder / ".env").read_text(), re.M))
        cls.document = json.loads(Template(json.dumps(yaml.safe_load(text))).substitute(cls.secrets))
        cls.services = cls.document["services"]

    def of_image(self, image):
        """Name -> environment, of each service with it."""
        return {name: {key: str(value) for key, value in service.get("environment", {}).items()}
                for name, service in self.services.items() if service["image"].split(":")[0] == image}

    def configs(self, service):
        """A folder with the files that it is given."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        for each in self.services[service]["configs"]:
            shutil.copy(self.folder / self.document["configs"][each["source"]]["file"], place / Path(each["target"]).name)
        return place

    def configuration(self, environment):
        """What Myelin makes of it and of the image's own. A key or a value that it does not know is a failure."""
        own = dict(re.findall(r"^ENV (\w+)=(.*)$", (self.folder / "Dockerfile").read_text(), re.M))
        return tomllib.loads(output(program("myelin"), "config", environment={**own, **environment}))

    def roles(self):
        """Service -> its roles."""
        return {name: self.configuration(environment)["roles"] for name, environment in self.of_image("myelin").items()}

    def test_each_process_understands_what_it_is_given(self):
        postgres = self.of_image("postgres")["postgres"]
        for name, environment in self.of_image("myelin").items():
            with self.subTest(name):
                config = self.configuration(environment)
                user = config["roles"][0] if len(config["roles"]) == 1 else "every"
                self.assertEqual(config["nats_user"], user)
                self.assertEqual(environment["MYELIN_NATS_PASSWORD"], self.secrets[f"MYELIN_NATS_{user.upper()}"])
                self.assertCountEqual(config["nats"].split(","), [f"nats://{server}:4222" for server in self.of_image("nats")])
                self.assertEqual(environment["MYELIN_DATABASE"],
                                 "postgres://{POSTGRES_USER}:{POSTGRES_PASSWORD}@postgres/{POSTGRES_DB}".format(**postgres))
                self.assertEqual(self.services[name]["volumes"], [f"{name}:{config['data_dir']}"])
                self.assertEqual(config["trusted_proxies"], [each["subnet"] for each in self.document["networks"]["default"]["ipam"]["config"]])

    def test_two_processes_have_each_role(self):
        every = self.configuration({})["roles"]
        self.assertEqual(Counter(role for roles in self.roles().values() for role in roles), dict.fromkeys(every, 2))

    def test_the_proxy_knows_who_has_which_role(self):
        file = self.configs("haproxy") / "haproxy.cfg"
        output(program("haproxy"), "-c", "-f", file)
        for role in ("client", "sync"):
            backend = re.search(rf"^backend {role}$(.*?)(^backend|\Z)", file.read_text(), re.M | re.S)[1]
            self.assertCountEqual(re.findall(r"^  server (\S+) (\S+)", backend, re.M),
                                  [(name, f"{name}:8008") for name, roles in self.roles().items() if role in roles])

    def test_nats_is_given_what_it_asks_for_and_nothing_else(self):
        servers = self.of_image("nats")
        for name, environment in servers.items():
            with self.subTest(name):
                place = self.configs(name)
                text = "".join(file.read_text() for file in place.iterdir())
                self.assertCountEqual(environment, re.findall(r": \$(\w+)", text))
                self.assertEqual(environment["NATS_SERVER_NAME"], name)
                self.assertCountEqual(re.findall(r'"nats://route:(\w+)@(\S+):6222"', text),
                                      [(environment["NATS_ROUTE_PASSWORD"], server) for server in servers])
                output(program("nats-server"), "-check", place / "nats-server.conf", environment=environment)

    def test_nats_is_the_version_that_the_tests_have(self):
        tested = re.search(r"/nats-server/v2 v(\d+\.\d+)\.", (ROOT / "engine/archive/go.mod").read_text())[1]
        self.assertEqual({self.services[name]["image"] for name in self.of_image("nats")}, {f"nats:{tested}-alpine"})
        for file in ("README.md", "nats/nats-server.conf"):
            self.assertEqual(re.findall(r"nats-servers?`? \(?(\d+\.\d+)", (DEPLOY / file).read_text()), [tested], file)

    def test_all_come_back_after_a_reboot(self):
        self.assertEqual({service["restart"] for service in self.services.values()}, {"unless-stopped"})

    def test_each_volume_is_of_one_container(self):
        used = [volume.split(":")[0] for service in self.services.values() for volume in service.get("volumes", ())]
        self.assertCountEqual(used, self.document["volumes"])


class Image(unittest.TestCase):
    def test_it_has_the_libraries_that_the_program_needs(self):
        text = (DEPLOY / "compose/Dockerfile").read_text().replace("\\\n", "")
        here = platform.freedesktop_os_release()
        self.assertIn(f"\nFROM {here['ID']}:{here['VERSION_ID']}-slim\n", text, "the program was built on another system than it shall run on")
        installed = set(re.search(r"apt-get install (?:-\S+ )*(.*?) &&", text)[1].split())
        libraries = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", program("myelin")))
        self.assertTrue(libraries)
        self.assertEqual(installed - NO_LIBRARIES, {self.package(library) for library in libraries} - IN_EVERY_DEBIAN)

    def package(self, library):
        """Whose it is, among the libraries of this machine's own architecture."""
        found = output("dpkg-query", "-S", f"*/{sysconfig.get_config_var('MULTIARCH')}/{library}")
        names = set(re.findall(r"^([^\s:,]+)(?::\w+)?: /", found, re.M))
        self.assertEqual(len(names), 1, found)
        return names.pop()


if __name__ == "__main__":
    unittest.main(verbosity=0)
