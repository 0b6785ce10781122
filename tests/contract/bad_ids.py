"""Identifiers and query parameters with every odd character."""
from spec import CAPS

ODD = {"NUL": "%00", "NUL inside": "a%00b", "slash": "a%2Fb", "newline": "a%0Ab", "emoji": "%F0%9F%98%80",
       "broken UTF-8": "%FF%FE", "a surrogate": "%ED%A0%80", "300 bytes": "x" * 300, "300 emoji": "%F0%9F%98%80" * 300,
       "a broken escape": "%zz", "a cut escape": "%2", "dots": "..", "encoded dots": "%2E%2E", "a space": "%20",
       "quotes": "%22%27", "braces": "%7B%7D", "percent": "%25s%25n", "a backslash": "%5C", "DEL": "%7F",
       "8000 bytes": "y" * 8000}
# What an id begins with; other parameters may be any text that can be stored.
SIGILS = {"roomId": "%21", "userId": "%40", "eventId": "%24", "roomAlias": "%23", "roomIdOrAlias": "%21"}
UNSTORABLE = ("NUL", "NUL inside", "broken UTF-8", "a surrogate")
JUNK = ("", "x", "-1", "0", "1.5", "1e9", "99999999999999999999", "%00", "%FF", "true", "null", "{", "%7B%7D", "[]",
        "%F0%9F%98%80", "s1_1", "s9223372036854775807_1", "t1_1_1", "t-9223372036854775808_-9223372036854775808_-1",
        "t9223372036854775807_9223372036854775807_9223372036854775807", "z" * 5000)
QUERIES = ("limit", "dir", "from", "to", "since", "filter", "at", "membership", "not_membership", "version", "before",
           "after", "kind", "username", "via", "set_presence", "full_state", "use_state_after", "format", "server",
           "timeout")
NOT_NUMBERS = ("x", "-1", "1.5", "99999999999999999999", "null")


def run(bad, patterns):
    for method, route in patterns:
        body = bad.targets.body(method, route)
        for name in [each.strip("{}") for each in CAPS.findall(route)]:
            cases = [(f"{name} = {what}", {"body": body, "encoded": {name: text}}, what in UNSTORABLE)
                     for what, text in ODD.items()]
            if name in SIGILS:
                cases = [(*case[:2], True) for case in cases]
                for what in ("NUL", "broken UTF-8", "300 bytes", "a slash", "nothing"):
                    text = SIGILS[name] + ODD.get(what, "%2F" if what == "a slash" else "")
                    text += "" if name == "eventId" else ":localhost"
                    certain = what in UNSTORABLE or what == "300 bytes"
                    cases.append((f"{name} = sigil and {what}", {"body": body, "encoded": {name: text}}, certain))
            bad.refused(method, route, [case[:2] for case in cases if case[2]])
            for _, arguments, certain in cases:
                if not certain:
                    bad.send(method, route, **arguments)
            bad.send(method, route, body=body, encoded={name: ""})
        if method == "GET":
            _queries(bad, route)


def _queries(bad, route):
    documented = {p["name"]: p.get("schema", {}).get("type") for operation in bad.report.spec.find("GET", route)
                  for p in operation.parameters("query")}
    for name in documented or (() if bad.report.spec.present else QUERIES):
        others = "".join(f"&{key}={value}" for key, value in bad.targets.query(route).items() if key != name)
        for junk in JUNK:
            answer = bad.send("GET", route, query=f"{name}={junk}{others}")
            if documented.get(name) == "integer" and junk in NOT_NUMBERS:
                bad.report.check(answer.status == 400, f"GET {route}?{name}={junk}: {answer}")
    bad.send("GET", route, query="&&=&=x&%=%&a=b=c&" + "q=1&" * 500)
