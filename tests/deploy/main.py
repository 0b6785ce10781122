#!/usr/bin/env python3
"""Gives each file of deploy/ to its program, with addresses and passwords put in."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "scripts/lib"))
from cluster.places import program  # noqa: E402

failures = 0


def check(what, command, environment=None, accepts=lambda done: done.returncode == 0):
    global failures
    done = subprocess.run([str(word) for word in command], env={"PATH": "/usr/bin:/bin:/usr/sbin", **(environment or {})}, capture_output=True,
                          text=True, timeout=60, check=False)
    if accepts(done):
        print(f"  ok {what}")
    else:
        failures += 1
        print(f"  FAILED {what}:\n{done.stdout}{done.stderr}")


def words(path, pattern):
    return re.findall(pattern, (DEPLOY / path).read_text(), re.M)


def main():
    with tempfile.TemporaryDirectory(prefix="myelin-deploy-") as name:
        folder = Path(name)
        check("haproxy.cfg", [program("haproxy"), "-c", "-f", DEPLOY / "haproxy/haproxy.cfg"])
        check("what it does with a process that is not ready", [sys.executable, HERE / "balancing.py"])
        check("grafana/myelin.json", [sys.executable, HERE / "dashboard.py"])
        passwords = {key: "s1" for key in words("nats/accounts.conf", r"\$(MYELIN_NATS_[A-Z]+)")}
        check("nats-server.conf", [program("nats-server"), "-check", DEPLOY / "nats/nats-server.conf"],
              {**passwords, "NATS_SERVER_NAME": "nats-1", "NATS_ROUTE_PASSWORD": "s1"})
        check("myelin.toml", [program("myelin"), "config", "--config", DEPLOY / "myelin.toml"])
        variables = dict(words("systemd/client-1.env", r"^(MYELIN_\w+)=(.*)$"))
        check("client-1.env", [program("myelin"), "config"], variables)
        check("compose/", [sys.executable, HERE / "containers.py"])
        if shutil.which("systemd-analyze"):
            for unit in (DEPLOY / "systemd").glob("myelin*"):
                text = unit.read_text().replace("/usr/local/bin/myelin", str(program("myelin")))
                (folder / unit.name.replace("@.", "@client-1.")).write_text(text)
                (folder / unit.name).write_text(text)
            check("systemd units", ["systemd-analyze", "verify", "--man=no", folder / "myelin@client-1.service", folder / "myelin.target"],
                  accepts=lambda done: done.returncode == 0 and not [line for line in done.stderr.splitlines() if name in line or "myelin" in line])
        for role in ("client", "rooms", "sync", "background"):
            if f"user: {role}, password: $MYELIN_NATS_{role.upper()}" not in (DEPLOY / "nats/accounts.conf").read_text():
                raise AssertionError(f"accounts.conf has no user {role}")
    print(f"deploy: {failures} failed")
    return 1 if failures else 0


os.chdir("/")
sys.exit(main())
