#!/usr/bin/env python3
"""What haproxy.cfg does with a process that is not ready, and with one that stands still, between two stand-ins of `client`."""
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))
from cluster.places import is_free  # noqa: E402
from cluster.proxy import Proxy  # noqa: E402

STATE = "/_matrix/client/v3/rooms/%21r/state/org.example"  # no transaction id


class StandIn(ThreadingHTTPServer):
    """Answers its health as it is told, and all else with its name, once it may."""
    daemon_threads = True

    def __init__(self, name):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.port, self.health = name, self.server_port, 200
        self.may_answer, self.asked = threading.Event(), 0
        self.may_answer.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *args):
        pass  # the proxy ends connections as it likes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.server.health is None:
            time.sleep(30)  # stands still
        self.answer(self.server.health, "")

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self.server.may_answer.wait(20)
        self.answer(200, self.server.name)

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


class Balancing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="myelin-balancing-")
        self.addCleanup(folder.cleanup)
        self.one, self.two = StandIn("one"), StandIn("two")
        self.proxy = Proxy(Path(folder.name), next(p for p in range(18170, 18230) if is_free(p)), {"client": [self.one, self.two], "sync": [SimpleNamespace(name="s", port=1)]})
        self.proxy.start()
        self.addCleanup(self.proxy.stop)
        self.threads = ThreadPoolExecutor(4)
        self.until(lambda: {self.put(), self.put()} == {"one", "two"})

    def until(self, done):
        end = time.monotonic() + 15
        while not done():
            self.assertLess(time.monotonic(), end, "it never came to be")
            time.sleep(0.05)

    def put(self):
        request = urllib.request.Request(self.proxy.url + STATE, b"{}", method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code

    def begin_at_one(self):
        """A request that is under way at the first process; `one` answers nothing more until it may."""
        self.one.may_answer.clear()
        self.two.may_answer.clear()
        asked = self.one.asked
        begun = [self.threads.submit(self.put) for _ in range(2)]  # one for each
        self.until(lambda: self.one.asked == asked + 1)
        self.two.may_answer.set()
        self.until(lambda: sum(each.done() for each in begun) == 1)
        return next(each for each in begun if not each.done())

    def test_one_that_is_not_ready_finishes_what_it_has_and_gets_nothing_new(self):
        slow = self.begin_at_one()
        self.one.health = 503
        time.sleep(1.5)
        self.assertFalse(slow.done(), "what it has is left to it")
        asked = self.one.asked
        self.assertEqual([self.put() for _ in range(8)], ["two"] * 8)
        self.assertEqual(self.one.asked, asked)
        self.one.may_answer.set()
        self.assertEqual(slow.result(), "one")
        self.one.health = 200
        self.until(lambda: self.put() == "one")

    def test_what_one_has_that_stands_still_is_cut(self):
        slow = self.begin_at_one()
        self.one.health = None
        began = time.monotonic()
        self.assertIn(slow.result(timeout=15), (502, 503))
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual([self.put() for _ in range(4)], ["two"] * 4)


if __name__ == "__main__":
    unittest.main(verbosity=0)
