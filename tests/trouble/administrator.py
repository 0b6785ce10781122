"""Somebody with all rights on a nats-server, who changes things by hand, or with a role's: as much of its protocol as that takes."""
import json
import socket
import time

USER, PASSWORD = "administrator", "by-hand"
ADMINISTRATOR = f"{{ user: {USER}, password: {PASSWORD} }}"


PATIENCE = 10  # seconds


class Administrator:
    def __init__(self, port, user=USER, password=PASSWORD):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()  # INFO
        options = {"user": user, "pass": password, "verbose": False, "pedantic": False, "headers": True, "no_responders": True}
        self.send(f"CONNECT {json.dumps(options)}\r\nSUB _INBOX.by-hand 1\r\n")

    def send(self, text, payload=b""):
        self.socket.sendall(text.encode() + payload)

    def ask(self, subject, body=b""):
        """The answer to a request. TimeoutError without one."""
        self.send(f"PUB {subject} _INBOX.by-hand {len(body)}\r\n", body + b"\r\n")
        end = time.monotonic() + PATIENCE
        while True:
            words = self.lines.readline().split()
            if time.monotonic() > end:
                raise TimeoutError(f"no answer to {subject}")
            if not words or words[0] == b"-ERR":
                raise AssertionError(f"nats-server: {words}")
            if words[0] == b"PING":
                self.send("PONG\r\n")
            if words[0] in (b"MSG", b"HMSG"):
                data = self.lines.read(int(words[-1]) + 2)[:-2]
                if words[0] == b"HMSG":
                    raise AssertionError(f"{subject}: {data}")
                return json.loads(data)

    def may_publish(self, subject):
        self.send(f"PUB {subject} 0\r\n\r\nPING\r\n")
        refused = False
        while not (line := self.lines.readline()).startswith(b"PONG"):
            assert line, "nats-server has closed the connection"
            refused |= line.startswith(b"-ERR 'Permissions Violation for Publish")
        return not refused

    def api(self, what, body=None):
        """Of JetStream: "STREAM.DELETE.name"."""
        answer = self.ask(f"$JS.API.{what}", b"" if body is None else json.dumps(body).encode())
        if "error" in answer:
            raise AssertionError(f"{what}: {answer['error']}")
        return answer

    def stream(self, name):
        return self.api(f"STREAM.INFO.{name}")

    def change(self, name, **fields):
        return self.api(f"STREAM.UPDATE.{name}", {**self.stream(name)["config"], **fields})

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
