#!/usr/bin/env python3
"""gateway.py PORT: a push gateway as a process of its own; prints a line for each push."""
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def url_of(port):
    return f"http://127.0.0.1:{port}/_matrix/push/v1/notify"


class GatewayServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # its client was killed


class Gateway:
    """A push gateway on loopback that takes everything."""

    def __init__(self, port=0, on_push=lambda: None):
        gateway = self
        self.pushes = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                gateway.pushes += 1
                on_push()
                self.send_response(200)
                self.send_header("Content-Length", "15")
                self.end_headers()
                self.wfile.write(b'{"rejected":[]}')

            def log_message(self, *_):
                pass

        self.http = GatewayServer(("127.0.0.1", port), Handler)
        self.url = url_of(self.http.server_address[1])
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


if __name__ == "__main__":
    Gateway(int(sys.argv[1]), lambda: print("push", flush=True))
    threading.Event().wait()
