"""What a nats-server holds, asked over its protocol."""
import json
import socket


def messages_in(port, stream):
    """How many messages the stream holds."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection, connection.makefile("rb") as answers:
        connection.sendall(b'CONNECT {"verbose":false}\r\nSUB answer 1\r\n'
                           b"PUB $JS.API.STREAM.INFO." + stream.encode() + b" answer 0\r\n\r\n")
        for line in answers:
            if line.startswith(b"MSG "):
                answer = json.loads(answers.read(int(line.split()[-1])))
                return answer["state"]["messages"]
    raise AssertionError("nats-server does not answer")
