"""Bad request bodies, made from what the specification documents and from a body that is taken."""
import copy

# Fields that this server has no use for: third-party ids, identity servers, other kinds of login.
UNUSED = {"id_server", "id_access_token", "medium", "address", "country", "phone", "token", "auth"}
MAX_DEPTH = 4
WRONG = {"string": (12, True, [], {}), "integer": ("x", 1.5, True, [], {}, 2**63, -(2**64)),
         "number": ("x", True, [], {}), "boolean": ("true", 1, [], {}), "object": ("x", 1, True, []),
         "array": ("x", 1, True, {})}
KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def resolve(spec, schema):
    """The schema with its reference and allOf put in."""
    while "$ref" in schema:
        schema = spec.registry.resolver().lookup(schema["$ref"]).contents
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema.get("allOf", []):
        part = resolve(spec, part)
        merged = {**part, **merged, "properties": {**part.get("properties", {}), **merged.get("properties", {})},
                  "required": [*part.get("required", []), *merged.get("required", [])]}
    return merged


def documented(spec, operation):
    """Yields (path, type, required) of the fields of the request body."""
    content = operation.data.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        yield from _fields(spec, content["schema"], ())


def _fields(spec, schema, path):
    schema = resolve(spec, schema)
    for name, part in schema.get("properties", {}).items():
        kind = resolve(spec, part).get("type")
        yield path + (name,), kind, name in schema.get("required", [])
        if kind == "object" and len(path) < MAX_DEPTH:
            yield from _fields(spec, part, path + (name,))


def in_example(body, path=()):
    """Yields (path, type, required=None) of the fields of a body; of lists only the first item."""
    items = body.items() if isinstance(body, dict) else enumerate(body[:1])
    for key, value in items:
        if value is not None:
            yield path + (key,), KINDS[type(value)], None
        if isinstance(value, (dict, list)):
            yield from in_example(value, path + (key,))


def with_value(body, path, value):
    """The body with one field changed, or None where the way to it is no object."""
    out = copy.deepcopy(body)
    place = out
    for key in path[:-1]:
        if isinstance(place, dict) and key not in place:
            place[key] = {}
        place = place[key]
        if not isinstance(place, (dict, list)):
            return None
    place[path[-1]] = value
    return out


def without(body, path):
    out = copy.deepcopy(body)
    place = out
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return out


def wrong_types(fields, body):
    """Yields (what, body): each field with values of other types."""
    done = set()
    for path, kind, _ in fields:
        kinds = kind if isinstance(kind, list) else [kind]
        if path in done or any(each not in WRONG for each in kinds if each != "null"):
            continue
        done.add(path)
        right = {each for each in kinds} | ({"integer"} if "number" in kinds else set())
        for value in WRONG[kinds[0]]:
            if KINDS[type(value)] in right and not (kind == "integer" and type(value) is int):
                continue
            changed = with_value(body, path, value)
            if changed is not None:
                yield f"{'.'.join(map(str, path))} = {value!r}", changed


def body_cases(spec, operations, body):
    """Yields (what, body) of what must be refused: wrong types, and required fields that are missing or null."""
    fields = {path: (path, kind, None) for path, kind, _ in in_example(body)}
    for operation in operations:
        fields.update({field[0]: field for field in documented(spec, operation)})
    wanted = [field for path, field in fields.items() if not UNUSED & set(path)]
    yield from wrong_types(wanted, body)
    for path, kind, required in wanted:
        if required and with_value(body, path, None) is not None and _has(body, path):
            name = ".".join(map(str, path))
            yield f"no {name}", without(body, path)
            if "null" not in (kind or ()):
                yield f"{name} = null", with_value(body, path, None)


def _has(body, path):
    for key in path:
        if not isinstance(body, dict) or key not in body:
            return False
        body = body[key]
    return True


TEXTS = ("", "\0", "a\0b", "x" * 100_000, "\U0010ffff\ufeff\u202e", "%s%n", "'; DROP TABLE event; --", "\\", "../../x")


def odd_texts(body):
    """Yields bodies with one text each that is odd: they may be taken or refused."""
    for path, kind, _ in in_example(body):
        if kind == "string" and not {"auth", "new_password"} & set(path):
            for text in TEXTS:
                yield with_value(body, path, text)
