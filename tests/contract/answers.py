"""What every served endpoint answers alike: methods, CORS, tokens, bodies that are no JSON object or too large."""
from urllib.parse import urlencode

from client import CORS, fill
from coverage import served_patterns
from targets import CONTENT, EMPTY_BODY, Targets, is_open

METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")
BAD_BODIES = ((b"", "M_NOT_JSON"), (b"{", "M_NOT_JSON"), (b"nothing", "M_NOT_JSON"), (b"{}x", "M_NOT_JSON"),
              (b'{"a":"\xff"}', "M_NOT_JSON"), (b'{"a":"\xed\xa0\x80"}', "M_NOT_JSON"), (b'{"a":01}', "M_NOT_JSON"),
              (b'{"a":"\\ud800"}', None), (b'{"a":"\n"}', "M_NOT_JSON"), (b"\xef\xbb\xbf{}", "M_NOT_JSON"),
              (b"[]", "M_BAD_JSON"), (b'"text"', "M_BAD_JSON"), (b"null", "M_BAD_JSON"),
              (b'{"a":1,"a":2}', "M_BAD_JSON"), (b'{"a":{"b":1,"b":1}}', "M_BAD_JSON"), (b'{"a":1e400}', None),
              (b"[" * 200000, None), (b'{"a":' * 100000 + b"1" + b"}" * 100000, None))


def check(report, answer, what, status, errcode):
    report.answers += 1
    ok = answer.status == status and errcode in (None, answer.errcode)
    report.check(ok, f"{what}: wanted {status} {errcode or ''}, got {answer}")
    for name, value in CORS.items():
        report.check(answer.headers.get(name) == value, f"{what}: no header {name}")
    if status >= 400:
        report.check(isinstance(answer.json, dict) and isinstance(answer.errcode, str)
                     and isinstance(answer.get("error"), str), f"{what}: no error object: {answer}")


def run(world):
    report, nobody = world.report, world.anonymous
    targets = Targets(world)
    patterns = served_patterns(nobody)
    by_path = {}
    for method, route in patterns:
        by_path.setdefault(fill(route, ["x"] * route.count("{")), set()).add(method)
    for path, methods in by_path.items():
        check(report, nobody.raw("OPTIONS", path), f"OPTIONS {path}", 200, None)
        for method in set(METHODS) - methods:
            check(report, nobody.raw(method, path), f"{method} {path}", 405, "M_UNRECOGNIZED")
    for path in ("/_matrix/client/v3/none", "/_matrix/client/v3/rooms", "/_matrix/client/v9/sync", "/", "/_matrix"):
        for method in METHODS:
            check(report, nobody.raw(method, path), f"{method} {path}", 404, "M_UNRECOGNIZED")
        check(report, nobody.raw("OPTIONS", path), f"OPTIONS {path}", 200, None)
    for method, route in patterns:
        _tokens(report, targets, method, route)
        if targets.body(method, route) is not None:
            _bodies(report, targets, method, route)


def _target(targets, method, route):
    query = urlencode(targets.query(route))
    return fill(route, targets.parameters(route)) + ("?" + query if query else "")


def _tokens(report, targets, method, route):
    nobody = targets.world.anonymous
    path = _target(targets, method, route)
    data = b"{}" if method in ("PUT", "POST") else None
    for token, errcode in ((None, "M_MISSING_TOKEN"), ("", "M_MISSING_TOKEN"), ("mya_none", "M_UNKNOWN_TOKEN"),
                           ("\xff", "M_UNKNOWN_TOKEN"), ("x" * 5000, "M_UNKNOWN_TOKEN")):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = nobody.raw(method, path, data, headers)
        if is_open(method, route):
            report.check(answer.errcode not in ("M_MISSING_TOKEN", "M_UNKNOWN_TOKEN") or route.endswith("/refresh"),
                         f"{method} {route} asks for a token: {answer}")
        else:
            check(report, answer, f"{method} {route} with the token {str(token)[:20]}", 401, errcode)


def _bodies(report, targets, method, route):
    client = targets.client_for(method, route)
    for data, errcode in BAD_BODIES:
        if data == b"" and ((method, route) in EMPTY_BODY):
            continue
        answer = client.raw(method, _target(targets, method, route), data, {"Content-Type": "application/json"})
        check(report, answer, f"{method} {route} with {data[:40]}", 400, errcode)
        report.refused += 1
    large = b'{"a":"' + b"x" * (1024 * 1024) + b'"}'
    answer = client.raw(method, _target(targets, method, route), large, {"Content-Type": "application/json"})
    check(report, answer, f"{method} {route} with over 1 MiB", 413, "M_TOO_LARGE")
    if (method, route) in CONTENT and "/rooms/{roomId}/s" in route:
        _numbers(report, targets, method, route)


def _numbers(report, targets, method, route):
    """Content of events: integers in ±(2^53 - 1) and nothing else (canonical JSON)."""
    for number in ("9007199254740992", "-9007199254740992", "1.5", "1.0", "18446744073709551616", "-0.1"):
        answer = targets.alice.raw(method, _target(targets, method, route), f'{{"a":[{number}]}}'.encode())
        check(report, answer, f"{method} {route} with {number}", 400, "M_BAD_JSON")
    for number in ("9007199254740991", "-9007199254740991", "0"):
        answer = targets.alice.raw(method, _target(targets, method, route), f'{{"a":[{number}]}}'.encode())
        report.check(answer.status == 200, f"{method} {route} with {number}: {answer}")
    answer = targets.alice.raw(method, _target(targets, method, route), b'{"a":"' + b"x" * 65536 + b'"}')
    check(report, answer, f"{method} {route} with 64 KiB", 413, "M_TOO_LARGE")
