"""What the scenarios share: the server, and users to make."""
import hashlib
import hmac

from client import Client
from server import SECRET

SECRET_REGISTRATION = "/_synapse/admin/v1/register"


class World:
    def __init__(self, server, report):
        self.server, self.report, self.port = server, report, server.port
        self.users = 0
        report.settle = server.settle

    @property
    def anonymous(self):
        return Client(self.port, self.report)

    def user(self, name="user", **more):
        """A new account, logged in."""
        self.users += 1
        return register(self.anonymous, f"{name}{self.users}", **more)

    def administrator(self):
        self.users += 1
        name, nobody = f"administrator{self.users}", self.anonymous
        body = secret_body(nobody.get(SECRET_REGISTRATION, has=("nonce",))["nonce"], name, SECRET)
        answer = nobody.post(SECRET_REGISTRATION, body=body, has=("user_id", "access_token", "device_id"))
        return Client(self.port, self.report, answer["access_token"], answer["user_id"], answer["device_id"],
                      body["password"])

    def check(self, condition, text):
        return self.report.check(condition, text)


def secret_body(nonce, name, secret, password="correct horse", admin=True):
    text = "\0".join((nonce, name, password, "admin" if admin else "notadmin"))
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha1).hexdigest()
    return {"nonce": nonce, "username": name, "password": password, "admin": admin, "mac": mac}


def register(anonymous, name, password="correct horse", **more):
    body = {"username": name, "password": password, "auth": {"type": "m.login.dummy"}, **more}
    answer = anonymous.post("/register", body=body, has=("user_id", "access_token", "device_id"))
    return Client(anonymous.port, anonymous.report, answer["access_token"], answer["user_id"], answer["device_id"],
                  password)


def log_in(client, **more):
    """Another device of the same user."""
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user},
            "password": client.password, **more}
    answer = client.with_token(None).post("/login", body=body, has=("user_id", "access_token", "device_id"))
    return Client(client.port, client.report, answer["access_token"], answer["user_id"], answer["device_id"],
                  client.password)
