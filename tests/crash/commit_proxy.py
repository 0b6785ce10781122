#!/usr/bin/env python3
"""commit_proxy.py SOCKET HOST PORT NAME [PORT NAME …]: stands between clients and a PostgreSQL that listens on a Unix socket,
and loses their connection at COMMIT. Each name has a port of its own. Prints "ready".

A line on standard input, `NAME before|after|late`, asks for one cut of that name's next COMMIT; a line `cut NAME HOW` on
standard output, with "event" or "other" behind it, says that it was done, and to what. before: COMMIT never reaches the server. after: it was answered, and nobody hears it.
late: the client is cut off first, and the server gets it half a second later.
"""
import asyncio
import socket
import struct
import sys

LATE_SECONDS = 0.5


class Commits:
    """Finds the COMMITs in what a client of PostgreSQL sends (protocol 3: startup, then typed messages)."""

    def __init__(self):
        self.rest = b""        # the beginning of a message
        self.is_started = False
        self.names = set()     # of prepared statements that are a COMMIT
        self.inserts = set()   # and of those that store an event
        self.has_event = False  # the transaction

    def feed(self, data):
        """Whole messages of it, as (bytes, what they commit: "event", "other" or "")."""
        self.rest += data
        place, out = 0, []
        while length := self.length_at(place):
            message = self.rest[place:place + length]
            out.append((message, self.committed_by(message) if self.is_started else ""))
            self.is_started = self.is_started or not is_ssl_request(message)
            place += length
        self.rest = self.rest[place:]
        return out

    def length_at(self, place):
        """Of the message that begins there; 0: it is not all here."""
        head = 1 if self.is_started else 0
        if len(self.rest) < place + head + 4:
            return 0
        length = head + struct.unpack_from(">I", self.rest, place + head)[0]
        return length if len(self.rest) >= place + length else 0

    def committed_by(self, message):
        kind, body = message[:1], message[5:]
        if kind == b"P":
            name, text = body.split(b"\0")[:2]
            (self.names.add if text == b"COMMIT" else self.names.discard)(name)
            (self.inserts.add if text.startswith(b"INSERT INTO event ") else self.inserts.discard)(name)
        bound = body.split(b"\0")[1] if kind == b"B" else None
        self.has_event = self.has_event or bound in self.inserts
        if bound not in self.names and (kind != b"Q" or body != b"COMMIT\0"):
            return ""
        what, self.has_event = "event" if self.has_event else "other", False
        return what


def is_ssl_request(message):
    return message[4:8] == struct.pack(">I", 80877103)


class Side(asyncio.Protocol):
    """One end of a connection; `other` is where it goes to."""

    def __init__(self):
        self.transport = self.other = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        if self.other:
            self.other.transport.close()


class ServerSide(Side):
    def __init__(self, proxy, name):
        super().__init__()
        self.proxy, self.name, self.doomed_by = proxy, name, None

    def data_received(self, data):
        if self.other is None:
            return  # its client is gone: only the COMMIT matters
        if self.doomed_by and b"COMMIT\0" in data:
            self.proxy.say(self.name, "after", self.doomed_by)
            self.other.transport.abort()
            self.transport.close()
        else:
            self.other.transport.write(data)


class ClientSide(Side):
    def __init__(self, proxy, name):
        super().__init__()
        self.proxy, self.name, self.commits, self.early = proxy, name, Commits(), []
        self.is_over = False

    def connection_made(self, transport):
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # one that vanished does not keep its session
        for option, value in ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3)):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        asyncio.ensure_future(self.reach_server())

    async def reach_server(self):
        try:
            _, server = await asyncio.get_running_loop().create_unix_connection(
                lambda: ServerSide(self.proxy, self.name), self.proxy.path)
        except OSError:
            return self.transport.abort()
        server.other, self.other = self, server
        for data in self.early:
            self.data_received(data)

    def data_received(self, data):
        if self.other is None:
            return self.early.append(data)
        if self.is_over:
            return None
        messages = self.commits.feed(data)
        how = self.proxy.armed.get(self.name)
        at = next((i for i, (_, what) in enumerate(messages) if what), None) if how else None
        if at is None:
            return self.other.transport.write(b"".join(message for message, _ in messages))
        del self.proxy.armed[self.name]
        return self.cut(how, b"".join(m for m, _ in messages[:at]), b"".join(m for m, _ in messages[at:]), messages[at][1])

    def cut(self, how, until, rest, what):
        server = self.other
        server.transport.write(until)
        if how == "after":
            server.doomed_by = what
            return server.transport.write(rest)
        self.is_over = True
        self.other = server.other = None
        self.transport.abort()
        if how == "before":
            server.transport.close()
            return self.proxy.say(self.name, how, what)
        asyncio.get_running_loop().call_later(LATE_SECONDS, self.land, server, rest, what)
        return None

    def land(self, server, rest, what):
        server.transport.write(rest)
        server.transport.close()  # what is written is flushed first
        self.proxy.say(self.name, "late", what)


class Proxy:
    def __init__(self, path):
        self.path, self.armed = path, {}

    def say(self, name, how, what):
        print("cut", name, how, what, flush=True)

    async def serve(self, host, ports):
        loop = asyncio.get_running_loop()
        for port, name in ports:
            await loop.create_server(lambda name=name: ClientSide(self, name), host, port)
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print("ready", flush=True)
        while line := await reader.readline():
            name, how = line.decode().split()
            self.armed[name] = how


def main():
    path, host, *rest = sys.argv[1:]
    asyncio.run(Proxy(path).serve(host, list(zip(map(int, rest[::2]), rest[1::2]))))


if __name__ == "__main__":
    main()
