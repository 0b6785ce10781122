"""Machines that can be cut off from each other: network namespaces on one host, with a router between them.

Must run as root in a network and mount namespace of its own: `enter()` sees to that. Nothing leaves the host, and all of it
goes away with the process that entered.
"""
import os
import signal
import subprocess
import sys

INSIDE = "CRASH_NETWORK_ENTERED"


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def can_enter():
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "ip", "rule", "add", "from", "10.77.1.2", "to",
               "10.77.2.2", "blackhole"]
    try:
        return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def enter():
    """Goes on in namespaces of its own: whatever this program starts there ends with it."""
    if os.environ.get(INSIDE):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # the first process has no default for it
        return
    os.execvpe("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable,
                           *sys.argv], {**os.environ, INSIDE: "yes"})


class Network:
    """Nodes by name. Each has an address, and reaches every other one through this process's namespace."""

    def __init__(self):
        os.makedirs("/run/netns", exist_ok=True)
        run("mount", "-t", "tmpfs", "netns", "/run/netns")
        run("ip", "link", "set", "lo", "up")
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("1")
        self.addresses = {}
        self.cut = []  # (from, to)

    def add(self, name):
        number = len(self.addresses) + 1
        router, address, link = f"10.77.{number}.1", f"10.77.{number}.2", f"to{number}"
        run("ip", "netns", "add", name)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "address", "add", router + "/30", "dev", link)
        run("ip", "link", "set", link, "up")
        for words in (("link", "set", "lo", "up"), ("address", "add", address + "/30", "dev", "eth0"),
                      ("link", "set", "eth0", "up"), ("route", "add", "default", "via", router)):
            run("ip", "-n", name, *words)
        self.addresses[name] = address
        return address

    def command(self, name):
        """What to begin a command with so that it runs on a node."""
        return ["nsenter", f"--net=/run/netns/{name}", "--"]

    def split(self, ours, theirs):
        """Packets between two groups of nodes are dropped without a word, until `heal`."""
        for one in ours:
            for other in theirs:
                if one != other:
                    self.cut += [(one, other), (other, one)]
                    self.rule("add", one, other)
                    self.rule("add", other, one)

    def heal(self):
        for one, other in self.cut:
            self.rule("delete", one, other)
        self.cut = []

    def rule(self, what, one, other):
        run("ip", "rule", what, "from", self.addresses[one], "to", self.addresses[other], "blackhole")
