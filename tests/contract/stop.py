"""A stop answers what waits at once, lets running requests finish, and a second signal ends it."""
import json
import signal
import socket
import threading
import time
import urllib.request

from client import Client
from server import Server
from world import register

PARKED = 100


def run(program, port, report):
    with Server(program, port) as server:
        _parked(server, report)
    with Server(program, port + 1, "--set", "drain_seconds=60") as server:
        _second_signal(server, report)


def _parked(server, report):
    """Every parked /sync gets an ordinary answer, and nobody waits for it."""
    alice = register(Client(server.port, report), "alice")
    since = alice.get("/sync")["next_batch"]
    answers = []

    def park():
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/_matrix/client/v3/sync?timeout=60000&since={since}",
            headers={"Authorization": f"Bearer {alice.token}"})
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                answers.append(json.load(answer))
        except (OSError, ValueError) as error:
            answers.append(error)
    threads = [threading.Thread(target=park) for _ in range(PARKED)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    report.check(not answers, f"nothing is new, and yet there are answers: {answers[:3]}")
    begin = time.monotonic()
    server.stop()
    took = time.monotonic() - begin
    for thread in threads:
        thread.join()
    report.check(len(answers) == PARKED and all(isinstance(each, dict) and each.get("next_batch") and "rooms" not in each
                                                for each in answers),
                 f"parked requests at the stop: {answers[:3]}")
    report.check(took < 5, f"the stop with {PARKED} parked requests takes {took:.1f} s")  # it takes the drain's 10 without


def _second_signal(server, report):
    """A request whose body never ends holds a stop up for drain_seconds; who does not want to wait says so again."""
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        report.check(server.process.poll() is None, "a stop does not wait for running requests")
        begin = time.monotonic()
        server.stop()
        took = time.monotonic() - begin
    report.check(took < 5, f"the second signal ends the server after {took:.1f} s")
