"""HTTP with a bearer token; every answer is checked as it comes."""
import http.client
import json
import os
import time
from urllib.parse import quote, urlencode

from spec import CAPS, shape

V3 = "/_matrix/client/v3"
CORS = {"Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, PATCH, OPTIONS",
        "Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Authorization"}
NOTHING = object()
SHOWN_PER_PART = int(os.environ.get("SHOW", 40))


class Report:
    """What was covered, and what is wrong."""

    def __init__(self, spec):
        self.spec = spec
        self.covered = set()  # (method, shape) answered with success
        self.answers = self.refused = 0
        self.problems = []
        self.of_part = {}
        self.part = ""
        self.settle = lambda: None  # waits until what was answered is in /sync too

    def check(self, condition, text):
        if not condition:
            self.problem(text)
        return bool(condition)

    def problem(self, text):
        text = f"{self.part}: {text}"
        if text not in self.problems:
            self.problems.append(text)
            self.of_part[self.part] = self.of_part.get(self.part, 0) + 1
            if self.of_part[self.part] <= SHOWN_PER_PART:
                print("problem:", text[:600], flush=True)


class Answer:
    def __init__(self, status, headers, data):
        self.status, self.headers, self.data = status, headers, data
        try:
            self.json = json.loads(data)
        except ValueError:
            self.json = None

    def __getitem__(self, key):
        return self.json[key]

    def get(self, key, otherwise=None):
        return self.json.get(key, otherwise)

    @property
    def errcode(self):
        return self.json.get("errcode") if isinstance(self.json, dict) else None

    def __str__(self):
        return f"{self.status} {self.data[:300].decode(errors='replace')}"


def fill(route, parameters):
    """The route's path with its parameters, percent-encoded."""
    values = iter(parameters)
    path = route if route.startswith(("/_", "/.")) else V3 + route
    return CAPS.sub(lambda _: quote(next(values), safe=""), path)


def full(route):
    return route if route.startswith(("/_", "/.")) else V3 + route


class Client:
    def __init__(self, port, report, token=None, user=None, device=None, password=None):
        self.port, self.report = port, report
        self.token, self.user, self.device, self.password = token, user, device, password
        self.connection = None

    def with_token(self, token):
        return Client(self.port, self.report, token, self.user, self.device, self.password)

    # ---- one request
    def raw(self, method, target, data=None, headers=None, timeout=60):
        headers = dict(headers or {})
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        for attempt in (1, 2):  # a kept connection may have been closed meanwhile
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            try:
                self.connection.request(method, target, data, headers)
                response = self.connection.getresponse()
                return Answer(response.status, response.headers, response.read())
            except (http.client.HTTPException, ConnectionError, BrokenPipeError):
                self.connection.close()
                self.connection = None
                if attempt == 2:
                    raise

    def call(self, method, route, *parameters, body=NOTHING, query=None, want=200, has=()):
        """`want` is a status, (status, errcode), or None for any; `has` the fields that the answer must hold."""
        target = fill(route, parameters)
        if query:
            target += "?" + urlencode(query, doseq=True)
        headers, data = {}, None
        if body is not NOTHING:
            data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        answer = self.raw(method, target, data, headers)
        self._check(answer, method, route, f"{method} {target[:200]}", want, has)
        return answer

    def _check(self, answer, method, route, what, want, has):
        report = self.report
        report.answers += 1
        status, errcode = want if isinstance(want, tuple) else (want, None)
        report.check(want is None or answer.status == status and errcode in (None, answer.errcode),
                     f"{what}: wanted {status} {errcode or ''}, got {answer}")
        for name, value in CORS.items():
            report.check(answer.headers.get(name) == value, f"{what}: header {name} is {answer.headers.get(name)}")
        if not report.check(answer.json is not None, f"{what}: the answer is not JSON: {answer}"):
            return
        report.check(answer.headers.get("Content-Type") == "application/json", f"{what}: not application/json")
        if answer.status >= 400 and not (answer.status == 401 and "flows" in answer.json):
            report.check(isinstance(answer.errcode, str) and isinstance(answer.get("error"), str),
                         f"{what}: no error object: {answer}")
        for name in has:
            report.check(name in answer.json, f"{what}: {name} is missing: {answer}")
        if report.spec.present:
            for fault in report.spec.check_answer(method, full(route), answer.status, answer.json):
                report.problem(f"{what}: {answer.status}: {fault}")
        if answer.status == 200:
            report.covered.add((method, shape(full(route))))

    def get(self, route, *parameters, **more):
        return self.call("GET", route, *parameters, **more)

    def put(self, route, *parameters, **more):
        return self.call("PUT", route, *parameters, **more)

    def post(self, route, *parameters, **more):
        return self.call("POST", route, *parameters, **more)

    def delete(self, route, *parameters, **more):
        return self.call("DELETE", route, *parameters, **more)

    # ---- what most scenarios need
    def create_room(self, **body):
        return self.post("/createRoom", body=body, has=("room_id",)).get("room_id")

    def send(self, room, text, txn=None, event_type="m.room.message", **content):
        body = {"msgtype": "m.text", "body": text, **content} if event_type == "m.room.message" else content
        return self.put("/rooms/{roomId}/send/{eventType}/{txnId}", room, event_type, txn or f"t{time.monotonic_ns()}",
                        body=body, has=("event_id",)).get("event_id")

    def set_state(self, room, event_type, content, key=""):
        return self.put("/rooms/{roomId}/state/{eventType}/{stateKey}", room, event_type, key, body=content,
                        has=("event_id",)).get("event_id")

    def state(self, room, event_type, key="", **more):
        return self.get("/rooms/{roomId}/state/{eventType}/{stateKey}", room, event_type, key, **more)

    def join(self, room, **more):
        return self.post("/rooms/{roomId}/join", room, body={}, **more)

    def invite(self, room, other, **more):
        return self.post("/rooms/{roomId}/invite", room, body={"user_id": other.user}, **more)

    def sync(self, since=None, timeout=0, **query):
        self.report.settle()
        if since:
            query["since"] = since
        return self.get("/sync", query={"timeout": timeout, **query}, has=("next_batch",))

    def sync_until(self, since, condition, what, **query):
        """Syncs on until an answer meets the condition; that answer, or None when it never came."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            answer = self.sync(since, timeout=2000, **query)
            if condition(answer.json):
                return answer
            since = answer["next_batch"]
        self.report.problem(f"/sync never showed {what}")
        return None

    def password_auth(self, session=None, password=None):
        auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": self.user},
                "password": password or self.password}
        return {**auth, "session": session} if session else auth
