"""A Myelin server on a loopback port with a data directory of its own."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import database
from dump import SECOND_RUNS

SECRET = "contract"


class Server:
    def __init__(self, program, port, *options, registration="open", rate_limits="off"):
        self.port = port
        self.directory = Path(tempfile.mkdtemp(prefix="myelin-contract-"))
        self.log_path = self.directory / "log"
        self.database = database.make(self.directory / "data")
        self.command = [str(Path(program).resolve()), "serve", "--data", str(self.directory / "data"),
                        "--server-name", "localhost", "--registration", registration, "--rate-limits", rate_limits,
                        "--registration-secret", SECRET, "--listen", f"127.0.0.1:{port}", "--database",
                        self.database.option, *options]
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.database.close()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_myelin/health/ready", timeout=5):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server does not start: " + self.log()) from None
                time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def settle(self):
        """Waits until every consumer has applied what is committed: /sync comes after the answers to requests."""
        deadline = time.monotonic() + 60
        while self.database.rows("SELECT 1 FROM outbox_head h JOIN cursor c ON c.topic = h.topic AND c.partition = "
                                 "h.partition WHERE c.seq < h.next_seq - 1 UNION ALL "
                                 f"SELECT 1 FROM work WHERE queue <> 'push' AND NOT {SECOND_RUNS} LIMIT 1"):
            if time.monotonic() > deadline:
                raise RuntimeError("the consumers do not catch up")
            time.sleep(0.002)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def complaints(self):
        """Lines of the log that no request, however bad, may cause."""
        return [line for line in self.log().splitlines()
                if re.search(r"^\S+ error |threw|internal error", line)]
