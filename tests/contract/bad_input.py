"""Every served endpoint with bad input: a clear error, never a 5xx or a hang, nothing stored."""
import json
from urllib.parse import quote, urlencode

import bad_ids
import dump
import foreign
from client import V3, fill, full
from coverage import served_patterns
from mutations import body_cases, odd_texts
from scenarios.syncing import joined
from spec import CAPS
from targets import CONTENT, Targets

REPORTED_PER_ROUTE = 8
# Refusals that have other reasons than an unknown field.
TAKEN = ((403, "M_FORBIDDEN"), (403, "M_WRONG_ROOM_KEYS_VERSION"), (409, "M_UNKNOWN"), (401, "M_UNKNOWN_TOKEN"),
         (401, None))


class BadInput:
    def __init__(self, world):
        self.world, self.report = world, world.report
        self.targets = Targets(world)
        self.dump = dump.Dump(world.server.database)

    def send(self, method, route, body=None, query=None, encoded=()):
        """`encoded`: parameters of the path as they are to stand there; `query` likewise, or as a dictionary."""
        names = [name.strip("{}") for name in CAPS.findall(route)]
        values = [quote(value, safe="") for value in self.targets.parameters(route)]
        values = iter([dict(encoded).get(name, value) for name, value in zip(names, values)])
        path = CAPS.sub(lambda _: next(values), route)
        query = self.targets.query(route) if query is None else query
        if query:
            path += "?" + (query if isinstance(query, str) else urlencode(query))
        data = None if body is None else json.dumps(body).encode()
        answer = self.targets.client_for(method, route).raw(method, path, data, {"Content-Type": "application/json"})
        self.report.refused += 1
        self.sane(answer, f"{method} {path[:300]} {str(data)[:200]}")
        return answer

    def sane(self, answer, what):
        """True of every answer, whatever was asked."""
        self.report.check(answer.status < 500, f"{what}: {answer}")
        try:
            answer.data.decode("utf-8")
        except UnicodeDecodeError:
            self.report.problem(f"{what}: the answer is not UTF-8: {answer}")
        if self.report.check(answer.json is not None, f"{what}: not JSON: {answer}") and answer.status >= 400:
            told = answer.errcode or (answer.status == 401 and "flows" in answer.json)
            self.report.check(told, f"{what}: no errcode: {answer}")

    def stored(self):
        self.world.server.settle()
        return self.dump.tables()

    def refused(self, method, route, cases):
        """Each of the cases (what, arguments of send) is refused, and nothing is stored."""
        before, accepted = self.stored(), []
        for what, arguments in cases:
            answer = self.send(method, route, **arguments)
            if answer.status < 400 and not answer.get("failures"):
                accepted.append(what)
        for what in accepted[:REPORTED_PER_ROUTE]:
            self.report.problem(f"{method} {route} takes {what}")
        changed = dump.differences(before, self.stored())
        self.report.check(not changed or accepted, f"{method} {route}: refused requests changed {changed}")


def run(world):
    bad = BadInput(world)
    patterns = served_patterns(world.anonymous)
    for method, route in patterns:
        body = bad.targets.body(method, route)
        if body is None:
            continue
        if (method, route) not in CONTENT:
            operations = bad.report.spec.find(method, full(route))
            bad.refused(method, route, [(what, {"body": each})
                                        for what, each in body_cases(bad.report.spec, operations, body)])
        _unknown_field(bad, method, route, body)
        for changed in odd_texts(bad.targets.body(method, route)):
            bad.send(method, route, body=changed)
    _made_events(bad)
    _second_create_events(bad)
    bad_ids.run(bad, patterns)
    foreign.run(bad, patterns)
    _still_well(bad)


def _unknown_field(bad, method, route, body):
    """What the specification does not name is let through."""
    ends_something = route.endswith(("/keys/signatures/upload", "/account/deactivate", "/rooms/{roomId}/leave"))
    if ends_something or route.startswith("/_synapse/"):
        return
    body.pop("room_alias_name", None)
    answer = bad.send(method, route, body={**body, "org.example.unknown": {"x": [1, None]}})
    refusal = (answer.status, answer.errcode)
    bad.report.check(answer.status == 200 or refusal in TAKEN,
                     f"{method} {route} refuses an unknown field: {answer}")


def _second_create_events(bad):
    """A room has one create event, in every version, whatever its state key."""
    alice = bad.targets.alice
    rooms = [alice.create_room(room_version=version) for version in ("6", "10", "11", "12")]
    before = bad.stored()
    for room in rooms:
        for path in (f"send/m.room.create/{next(bad.targets.numbers)}", "state/m.room.create", "state/m.room.create/k"):
            answer = alice.raw("PUT", fill("/rooms/{roomId}/", [room]) + path, b"{}")
            bad.sane(answer, path)
            bad.report.check(answer.status in (400, 403), f"{path} in {room}: {answer}")
    changed = dump.differences(before, bad.stored())
    bad.report.check(not changed, f"refused create events changed {changed}")


def _made_events(bad):
    """Content that becomes part of events that the server makes: the rules of events hold for it."""
    numbers, large = ([2**53], [1.5], [-(2**53)]), "x" * 70000
    bodies = [{"name": large}, {"topic": large}, {"power_level_content_override": {"events": {large: 1}}},
              {"initial_state": [{"type": "org.example", "state_key": "x" * 300, "content": {}}]}]
    for value in (*numbers, large):
        bodies += [{"initial_state": [{"type": "org.example", "content": {"a": value}}]},
                   {"creation_content": {"a": value}}, {"power_level_content_override": {"a": value}}]
    before = bad.stored()
    for body in bodies:
        answer = bad.send("POST", V3 + "/createRoom", body=body)
        bad.report.check(answer.status in (400, 413), f"createRoom {str(body)[:80]}: {answer}")
    # A member event holds what else stands in the body of a join.
    for number in numbers:
        path = fill("/rooms/{roomId}/join", [bad.targets.room])
        answer = bad.targets.mallory.raw("POST", path, json.dumps({"a": number}).encode())
        bad.report.check((answer.status, answer.errcode) == (400, "M_BAD_JSON"), f"join with {number}: {answer}")
    changed = dump.differences(before, bad.stored())
    bad.report.check(not changed, f"events that cannot be made changed {changed}")


def _still_well(bad):
    """After all of it the server does its work."""
    alice, bob = bad.targets.alice, bad.targets.bob
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    sent = alice.send(room, "still there")
    timeline = joined(bob.sync(), room)["timeline"]["events"]
    bad.report.check(timeline[-1]["event_id"] == sent, "the server does not deliver any more")
