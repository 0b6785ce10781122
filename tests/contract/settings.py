"""What depends on the server's settings: registration off and by token, rate limits, tokens that expire."""
import re
import time

from client import Client, fill
from coverage import served_patterns
from server import Server
from targets import is_open
from world import register

PASSWORD = "correct horse"


def run(program, port, report):
    with Server(program, port, registration="off") as server:
        _off(Client(server.port, report), report)
    with Server(program, port + 1, registration="token") as server:
        _by_token(Client(server.port, report), report, server)
    with Server(program, port + 2, rate_limits="on") as server:
        _rate_limits(Client(server.port, report), report)
    server = Server(program, port + 3)
    _expiry(server, report)


def _off(nobody, report):
    report.settle = lambda: None
    for body in ({}, {"username": "x", "password": PASSWORD, "auth": {"type": "m.login.dummy"}}):
        nobody.post("/register", body=body, want=(403, "M_FORBIDDEN"))
    nobody.get("/_synapse/admin/v1/register", has=("nonce",))  # by the secret it stays possible


def _by_token(nobody, report, server):
    deadline = time.monotonic() + 30
    first = None
    while first is None and time.monotonic() < deadline:  # it is told once the server serves
        first = re.search(r"registration token (\S+)", server.log())
    if not report.check(first, f"the first start tells no registration token: {server.log()}"):
        return
    token, validity = first.group(1), "/_matrix/client/v1/register/m.login.registration_token/validity"
    report.check(nobody.get(validity, query={"token": token}).get("valid") is True, "the token is valid")
    body = {"username": "first", "password": PASSWORD}
    asked = nobody.post("/register", body=body, want=401)
    report.check(asked.get("flows") == [{"stages": ["m.login.registration_token"]}], f"flows: {asked}")
    stage = {"type": "m.login.registration_token", "session": asked.get("session")}
    nobody.post("/register", body={**body, "auth": {"type": "m.login.dummy"}}, want=401)
    wrong = nobody.post("/register", body={**body, "auth": {**stage, "token": "wrong"}}, want=(401, "M_UNAUTHORIZED"))
    report.check(wrong.get("session"), f"a wrong token can be tried again: {wrong}")
    nobody.post("/register", body={**body, "auth": {**stage, "token": token}}, has=("user_id", "access_token"))
    report.check(nobody.get(validity, query={"token": token}).get("valid") is False, "the token is used up")
    second = {"username": "second", "password": PASSWORD, "auth": {**stage, "token": token}}
    nobody.post("/register", body=second, want=401)


def _limited(report, what, request):
    """Asks until it is limited; the answer says for how long."""
    for _ in range(200):
        answer = request()
        if answer.status == 429:
            wait = answer.get("retry_after_ms")
            report.check(answer.errcode == "M_LIMIT_EXCEEDED" and isinstance(wait, int), f"{what}: {answer}")
            report.check(int(answer.headers.get("Retry-After", 0)) == -(-wait // 1000), f"{what}: no Retry-After")
            return wait
    report.problem(f"{what} is not limited")
    return 0


def _rate_limits(nobody, report):
    alice = register(nobody, "alice")
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": "wrong"}
    wait = _limited(report, "login", lambda: nobody.post("/login", body=login, want=None))
    right = {**login, "password": PASSWORD}
    nobody.post("/login", body=right, want=(429, "M_LIMIT_EXCEEDED"))  # nor does the right password help now
    time.sleep(min(wait / 1000 + 0.5, 30))
    nobody.post("/login", body=right, has=("access_token",))
    names = iter(range(1000))
    _limited(report, "registration", lambda: nobody.post("/register", want=None, body={
        "username": f"n{next(names)}", "password": PASSWORD, "auth": {"type": "m.login.dummy"}}))


def _expiry(server, report):
    """An access token with its time set back while the server is down: a soft logout, until it is refreshed."""
    with server:
        nobody = Client(server.port, report)
        alice = register(nobody, "alice", refresh_token=True)
        body = {"type": "m.login.password", "password": PASSWORD, "refresh_token": True,
                "identifier": {"type": "m.id.user", "user": alice.user}}
        login = nobody.post("/login", body=body, has=("refresh_token",))
        server.stop()
        server.database.change("UPDATE access_token SET expires_at = 1 WHERE expires_at IS NOT NULL")
        server.start()
        nobody = Client(server.port, report)
        expired = nobody.with_token(login["access_token"])
        for method, route in served_patterns(nobody):
            if is_open(method, route):
                continue
            data = b"{}" if method in ("PUT", "POST") else None
            answer = expired.raw(method, fill(route, ["x"] * route.count("{")), data)
            report.answers += 1
            report.check((answer.status, answer.errcode, answer.get("soft_logout")) == (401, "M_UNKNOWN_TOKEN", True),
                         f"{method} {route} with an expired token: {answer}")
        fresh = nobody.post("/refresh", body={"refresh_token": login["refresh_token"]}, has=("access_token",))
        who = nobody.with_token(fresh["access_token"]).get("/account/whoami")
        report.check(who["device_id"] == login["device_id"], f"refreshed: {who}")
