"""Which routes are served, which of them a scenario covered, and which the specification has besides."""
import re

from spec import CAPS, shape

def served_patterns(client):
    """The routes by the server's own metrics, [(method, route)], without those that answer M_UNRECOGNIZED."""
    metrics = client.raw("GET", "/_myelin/metrics").data.decode()
    routes = set(re.findall(r'myelin_http_request_seconds_count{method="(\w+)",route="([^"]+)"}', metrics))
    return sorted(each for each in routes if not is_unrecognized(client, *each) and each[1] != "/_myelin/metrics")


def is_unrecognized(client, method, route):
    answer = client.raw(method, CAPS.sub("x", route), b"{}" if method in ("PUT", "POST") else None)
    return answer.errcode == "M_UNRECOGNIZED"


def run(world):
    report, client = world.report, world.anonymous
    report.served = {(method, shape(route)) for method, route in served_patterns(client)}
    for method, route in sorted(report.served - report.covered):
        report.problem(f"no scenario covers {method} {route}")
    for method, route in sorted(report.covered - report.served):
        if "/r0/" in route:  # served for every /v3/
            continue
        report.problem(f"covered, but not among the served routes: {method} {route}")
    for method, route in sorted(set(report.spec.operations) - report.served):
        if not is_unrecognized(client, method, route):
            report.problem(f"{method} {route} is served, but not known to the server's metrics")


def summary(report):
    served_routes = getattr(report, "served", set())
    in_spec = set(report.spec.operations)
    parts = [f"endpoints covered {len(report.covered & served_routes)} / served {len(served_routes)}"]
    if in_spec:
        parts.append(f"in the spec {len(in_spec)} (of them served {len(in_spec & served_routes)})")
    parts.append(f"answers checked {report.answers}, against schemas {report.spec.validated}")
    parts.append(f"bad requests {report.refused}")
    parts.append(f"problems {len(report.problems)}")
    return "contract: " + "; ".join(parts)
