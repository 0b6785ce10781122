"""A push gateway on loopback that notes what it is told and answers as it is told to."""
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/_matrix/push/v1/notify"


class Gateway:
    def __init__(self):
        self.notes = []  # (time, notification)
        self.faults = {}  # pushkey: statuses to answer first
        self.rejected = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.notes.append((time.monotonic(), body["notification"], self.path))
                faults = gateway.faults.get(body["notification"]["devices"][0]["pushkey"])
                status = faults.pop(0) if faults else 200
                answer = json.dumps({"rejected": gateway.rejected}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}{PATH}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def wait_for(self, condition, seconds=60):
        """The first notification that meets the condition, or None."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for _, note, _ in list(self.notes):
                if condition(note):
                    return note
            time.sleep(0.01)
        return None
