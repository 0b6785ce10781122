"""What belongs to others: their rooms, devices, filters, backups, aliases, data."""
import dump
from targets import V3, is_open

# What anybody may do in a public room, with an alias that is free, or about what is their own.
ALLOWED = {("POST", V3 + "/join/{roomIdOrAlias}"), ("POST", V3 + "/rooms/{roomId}/join")}
NAMES = ("{roomId}", "{userId}", "{deviceId}", "{filterId}", "{version}", "{roomAlias}")


def run(bad, patterns):
    mallory, targets = bad.targets.mallory, bad.targets
    before = bad.stored()
    for method, route in patterns:
        theirs = any(name in route for name in NAMES) or route.startswith("/_myelin/admin")
        if is_open(method, route) or (method, route) in ALLOWED or not theirs:
            continue
        body = targets.body(method, route)
        query = dict(targets.query(route))
        answer = mallory.call(method, route, *targets.parameters(route), query=query, want=None,
                              **({} if body is None else {"body": body}))
        bad.report.refused += 1
        refusals = {(403, "M_FORBIDDEN"), (404, "M_NOT_FOUND"), (409, "M_UNKNOWN"), (401, None)}
        if route.endswith("/forget"):
            refusals = {(400, "M_UNKNOWN")}
        bad.report.check((answer.status, answer.errcode) in refusals, f"a stranger's {method} {route}: {answer}")
    changed = dump.differences(before, bad.stored())
    bad.report.check(not changed, f"a stranger changed {changed}")
