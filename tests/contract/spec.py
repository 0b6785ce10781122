"""The specification's OpenAPI data and event schemas: which routes there are, and what their answers look like."""
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urljoin

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
METHODS = ("get", "put", "post", "delete", "patch")
CAPS = re.compile(r"{[^}]*}")


def shape(route):
    """The route without the names of its parameters."""
    return CAPS.sub("{}", route.strip())


# Where the server answers otherwise on purpose: (method, shape) -> what is taken out of the answer before the check.
DEVIATIONS = {
    # display_name and avatar_url are null where a member has none: Complement's TestRoomState wants
    # both to be there.
    ("GET", "/_matrix/client/v3/rooms/{}/joined_members"): lambda body: {
        "joined": {user: {key: value for key, value in profile.items() if value is not None}
                   for user, profile in body.get("joined", {}).items()}},
}


def read(value, uri):
    """With whole references, and `oneOf` read as `anyOf`: the specification lists alternatives that overlap."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            value = {**value, "$ref": urljoin(uri, value["$ref"])}
        return {"anyOf" if key == "oneOf" else key: read(item, uri) for key, item in value.items()}
    return [read(item, uri) for item in value] if isinstance(value, list) else value


class Operation:
    def __init__(self, method, route, file, pointer, data):
        self.method, self.route, self.file, self.pointer, self.data = method, route, file, pointer, data

    def parameters(self, place):
        return [p for p in self.data.get("parameters", []) if p.get("in") == place]


class Spec:
    """`root` is a checkout of matrix-spec. `present` is false where there is none: nothing is checked then."""

    def __init__(self, root):
        self.root = Path(root).resolve() / "data"
        self.api = self.root / "api" / "client-server"
        self.operations = {}  # (method, shape) -> [Operation]
        self.validated = 0
        self.present = self.api.is_dir()
        if not self.present:
            return
        self.registry = Registry(retrieve=lambda uri: Resource(self.load(uri), DRAFT202012))
        for file in sorted(self.api.glob("*.yaml")):
            self._read(file)

    @lru_cache(maxsize=None)
    def load(self, uri):
        path = Path(unquote(uri.removeprefix("file://")))
        if not path.exists():  # what definitions/ names relative to its own place, through a link that git may lack
            path = self.root / "event-schemas" / str(path).split("event-schemas/", 1)[1]
        return read(yaml.load(path.read_text(), Loader), uri)

    def _read(self, file):
        document = self.load(file.as_uri())
        server = (document.get("servers") or [{}])[0]
        base = server.get("variables", {}).get("basePath", {}).get("default", "")
        for path, item in document.get("paths", {}).items():
            for method in METHODS:
                if method not in item:
                    continue
                pointer = f"/paths/{path.replace('~', '~0').replace('/', '~1')}/{method}"
                operation = Operation(method.upper(), base + path.strip(), file, pointer, item[method])
                self.operations.setdefault((operation.method, shape(operation.route)), []).append(operation)

    def find(self, method, route):
        return self.operations.get((method, shape(route)), [])

    @lru_cache(maxsize=None)
    def validator(self, uri):
        return Draft202012Validator({"$ref": uri}, registry=self.registry)

    def faults(self, uri, value):
        """What is wrong with the value, by the schema there: [] or one text."""
        error = best_match(self.validator(uri).iter_errors(value))
        if error is None:
            return []
        return [f"{'/'.join(map(str, error.absolute_path)) or 'the answer'}: {error.message[:300]}"]

    def check_answer(self, method, route, status, body):
        """Faults of the answer; of several definitions of one route, the answer must fit one."""
        found = self.find(method, route)
        if not found:
            return []
        if status == 200 and (method, shape(route)) in DEVIATIONS:
            body = DEVIATIONS[method, shape(route)](body)
        results = [self._check_one(operation, status, body) for operation in found]
        self.validated += 1
        return [] if [] in results else results[0]

    def _check_one(self, operation, status, body):
        responses = operation.data["responses"]
        response = responses.get(str(status))
        if status == 401 and "flows" not in body:
            response = None  # no token: what the specification lists is the answer of user-interactive authentication
        schema = f"{operation.file.as_uri()}#{operation.pointer}/responses/{status}/content/application~1json/schema"
        if response is None or "application/json" not in response.get("content", {}):
            if status < 400:
                return [f"the specification has no answer {status} here"] if response is None else []
            name = "auth_response" if status == 401 and "flows" in body else "errors/error"
            schema = (self.api / f"definitions/{name}.yaml").as_uri()
        return self.faults(schema, body) + self.check_events(body)

    def check_events(self, value):
        """Faults in the contents of the events in an answer."""
        faults = []
        if isinstance(value, list):
            for item in value:
                faults += self.check_events(item)
        elif isinstance(value, dict):
            if isinstance(value.get("type"), str) and isinstance(value.get("content"), dict):
                faults += self._check_event(value)
            for item in value.values():
                faults += self.check_events(item)
        return faults

    def _check_event(self, event):
        if "redacted_because" in event.get("unsigned", {}):
            return []
        directory = self.root / "event-schemas" / "schema"
        names = [event["type"], f"{event['type']}${event['content'].get('msgtype')}"]
        faults = []
        for name in names:
            file = directory / f"{name}.yaml"
            if "/" not in name and file.exists() and "content" in self.load(file.as_uri()).get("properties", {}):
                faults += [f"{event['type']} content: {fault}"
                           for fault in self.faults(file.as_uri() + "#/properties/content", event["content"])]
        return faults
