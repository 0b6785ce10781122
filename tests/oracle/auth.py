"""Single auth decisions through Synapse's event_auth."""
import copy
import ipaddress
import itertools
import re

from synapse import event_auth
from synapse.api.errors import SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from synapse.types import get_domain_from_id

from results import Difference, Differs, read_event, run


class Store:
    def __init__(self, events):
        self.events = events

    async def get_events(self, event_ids, redact_behaviour, get_prev_content=False, allow_rejected=False):
        return {event_id: self.events[event_id] for event_id in event_ids if event_id in self.events}


FEDERATION = "m.federate and the target of a membership"
SIGNATURES = "third party invites with several signatures"
OTHER_LEVELS = "power levels under another state key"

# rooms/v1, "m.room.power_levels events accept values as strings".
SPACE = r"[^\S\x1c-\x1f]*"  # those four are no space to int()
LEVEL_IN_STRING = re.compile(SPACE + "[+-]?[0-9]+" + SPACE)


def is_no_level(value):
    """Of those that Python's int() takes nevertheless."""
    if isinstance(value, str):
        return not LEVEL_IN_STRING.fullmatch(value)
    return isinstance(value, bool)


def narrowed(value):
    """A level as Myelin keeps it, in 64 bits; what is none as it is."""
    if isinstance(value, str) and LEVEL_IN_STRING.fullmatch(value):
        return max(-(2**63) + 2, min(int(value), 2**63 - 2))
    if isinstance(value, float):
        return max(-(2**63) + 2, min(int(value), 2**63 - 2))
    return min(value, 2**63 - 2) if type(value) is int else value


def exact(value):
    return int(value) if type(narrowed(value)) is int else value


# Appendices, User Identifiers and Server Name; any localpart, as in old rooms.
USER_ID = re.compile(r"@[^:\0]*:(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(:[0-9]{1,5})?")


def is_user_id(text):
    return len(text.encode()) <= 255 and USER_ID.fullmatch(text) and ipv6_is_right(text)


def ipv6_is_right(text):
    literal = re.search(r":\[(.*)\]", text)
    try:
        return literal is None or bool(ipaddress.IPv6Address(literal[1]))
    except ValueError:
        return False


def with_levels(content, change):
    """The content of a power levels event with every level changed so."""
    content = {key: change(value) for key, value in content.items()}
    for name, table in content.items():
        if isinstance(table, dict):
            content[name] = {key: change(value) for key, value in table.items()}
    return content


class Case:
    def __init__(self, line):
        self.line = line
        self.version = KNOWN_ROOM_VERSIONS[line["version"]]
        self.known = {}
        for entry in line["known"]:
            event_id = entry["id"]
            self.known[event_id] = read_event(entry["pdu"], self.version, event_id, entry.get("rejected"))
        self.state = [self.known[entry["id"]] for entry in line["known"] if entry.get("in_state")]
        self.judged = read_event(line["pdu"], self.version, line["id"])

    def verdict(self, judged=None, state=None):
        """None: allowed. Else why not. Another event or state takes the place of the real one in the rules that depend on
        the state.
        """
        try:
            run(event_auth.check_state_independent_auth_rules(Store(self.known), self.judged))
            event_auth.check_state_dependent_auth_rules(judged or self.judged, state or self.state)
            return None
        except SynapseError as error:
            return error.msg
        except Exception as error:  # an event that Synapse cannot read is not accepted either
            return repr(error)

    def allowed_if(self, judged=None, state=None):
        return self.verdict(judged, state) is None

    def retold(self, event, **fields):
        return make_event_from_dict({**copy.deepcopy(event.get_dict()), **fields}, self.version)

    def keys(self):
        try:
            return event_auth.auth_types_for_event(self.version, self.judged)
        except Exception:
            return None

    def differences(self):
        reason = self.verdict()
        if self.line["allowed"] != (reason is None):
            synapse = "allowed" if reason is None else f"refused: {reason}"
            ours = "allowed" if self.line["allowed"] else f"refused: {self.line['reason']}"
            yield Difference(self.describe(f"ours {ours}; Synapse's {synapse}"), self.explain())
        keys, ours = self.keys(), {tuple(key) for key in self.line["keys"]}
        if keys is not None and keys != ours:
            what = f"auth events selection: ours {ours - keys} more, Synapse's {keys - ours} more"
            yield Difference(self.describe(what))

    def explain(self):
        if self.judged.type != "m.room.power_levels" or self.line["pdu"].get("state_key") == "":
            return self.explain_by_readings()
        self.judged = self.retold(self.judged, state_key="")
        if self.allowed_if() == self.line["allowed"]:
            return OTHER_LEVELS
        explained = self.explain_by_readings()
        return explained and f"{OTHER_LEVELS}, {explained}"

    def explain_by_readings(self):
        """The fewest readings of the state, and one of the event, with which Synapse says what we say."""
        given = self.state
        for count in range(len(STATE_READ_BY_US) + 1):
            for headings in itertools.combinations(STATE_READ_BY_US, count):
                self.state = given
                for heading in headings:
                    self.state = self.state and STATE_READ_BY_US[heading](self)
                if self.state is None:
                    continue
                if count and self.allowed_if() == self.line["allowed"]:
                    return ", ".join(headings)
                explained = self.explain_event()
                if explained:
                    return ", ".join([*headings, explained])
        return None

    def explain_event(self):
        if self.with_narrow_levels() == self.line["allowed"]:
            return "power levels beyond 64 bits"
        if not self.line["allowed"]:
            return next((heading for heading, holds in REFUSED_BY_US.items() if holds(self)), None)
        federating = self.federating_state()
        if federating and self.allowed_if(state=federating):
            return FEDERATION
        if self.is_later_signature(self.state):
            return SIGNATURES
        if federating and self.is_later_signature(federating):
            return f"{FEDERATION}, {SIGNATURES}"
        return None

    # What follows finds a deviation of Synapse's by taking its cause away: then Synapse says what we say.

    def federating_state(self):
        """The state without m.federate, where the sender is of the creator's server: Synapse asks for the target's, too."""
        create = next(event for event in self.state if event.type == "m.room.create")
        if self.judged.type != "m.room.member" or create.content.get("m.federate") is not False:
            return None
        if get_domain_from_id(create.sender) != get_domain_from_id(self.judged.sender):
            return None
        content = {key: value for key, value in create.content.items() if key != "m.federate"}
        return [self.retold(create, content=content) if event is create else event for event in self.state]

    def with_content(self, changed, content):
        """The state in which that event has that content; None: it has it already."""
        if content == changed.get_dict()["content"]:
            return None
        return [self.retold(changed, content=content) if event is changed else event for event in self.state]

    def state_with_read_federation(self):
        """Synapse takes everything but true for false: here nothing but false."""
        create = next((event for event in self.state if event.type == "m.room.create"), None)
        if create is None or isinstance(create.content.get("m.federate", True), bool):
            return None
        return self.with_content(create, {**create.get_dict()["content"], "m.federate": True})

    def state_with_levels(self):
        """The state without levels, and tables of levels, that are none: Synapse cannot read them, or reads true as 1."""
        levels = next((event for event in self.state if event.type == "m.room.power_levels"), None)
        if levels is None or self.version.enforce_int_power_levels:
            return None

        def is_level(value):
            return type(narrowed(value)) is int

        content = levels.get_dict()["content"]
        readable = {}
        for key, value in content.items():
            if key in ("users", "events", "notifications"):
                if isinstance(value, dict):
                    readable[key] = {name: level for name, level in value.items() if is_level(level)}
            elif is_level(value):
                readable[key] = value
        return self.with_content(levels, readable)

    def is_later_signature(self, state):
        """Synapse looks at the first signature of a third party invite only."""
        content = self.line["pdu"]["content"]
        if self.judged.type != "m.room.member" or not isinstance(content.get("third_party_invite"), dict):
            return False
        signatures = content["third_party_invite"].get("signed", {}).get("signatures", {})
        each = [(server, key_id) for server, by_key in signatures.items() for key_id in by_key]
        for server, key_id in each:
            alone = copy.deepcopy(content)
            alone["third_party_invite"]["signed"]["signatures"] = {server: {key_id: signatures[server][key_id]}}
            if len(each) > 1 and self.allowed_if(self.retold(self.judged, content=alone), state):
                return True
        return False

    def with_narrow_levels(self):
        """Whether Synapse would allow it if all levels had 64 bits; None where they have."""
        events = [event for event in [self.judged, *self.state] if event.type == "m.room.power_levels"]
        contents = [event.get_dict()["content"] for event in events]
        if all(with_levels(content, narrowed) == with_levels(content, exact) for content in contents):
            return None

        def narrow(event):
            return self.retold(event, content=with_levels(event.get_dict()["content"], narrowed)) if event in events else event

        return self.allowed_if(narrow(self.judged), [narrow(event) for event in self.state])

    def is_malformed_level(self):
        """Python's int() takes booleans, digits of any script, and underscores between digits."""
        if self.judged.type != "m.room.power_levels" or self.version.enforce_int_power_levels:
            return False
        content = self.line["pdu"]["content"]
        obvious = with_levels(content, lambda value: "no level" if is_no_level(value) else value)
        return obvious != content and not self.allowed_if(self.retold(self.judged, content=obvious))

    def is_empty_table(self):
        """A table of levels that is an empty string or list."""
        content = self.line["pdu"]["content"]
        tables = [name for name in ("events", "notifications") if content.get(name) in ("", [])]
        if self.judged.type != "m.room.power_levels" or self.version.enforce_int_power_levels or not tables:
            return False
        return not self.allowed_if(self.retold(self.judged, content={**content, tables[0]: "no table"}))

    def is_no_users_level(self):
        """Levels of what is no user id: Synapse wants an @ and a colon."""
        users = self.line["pdu"]["content"].get("users")
        if self.judged.type != "m.room.power_levels" or not isinstance(users, dict):
            return False
        obvious = {user_id if is_user_id(user_id) else "nobody": level for user_id, level in users.items()}
        content = {**self.line["pdu"]["content"], "users": obvious}
        return obvious != users and not self.allowed_if(self.retold(self.judged, content=content))

    def is_redaction_of_nothing(self):
        """Versions 1 and 2: without `redacts` there is no event whose domain could match."""
        if self.judged.type != "m.room.redaction" or "redacts" in self.line["pdu"]:
            return False
        return not self.allowed_if(self.retold(self.judged, redacts="$nothing:nowhere.example"))

    def describe(self, what):
        lines = [f"room version {self.line['version']}: {what}", f"  judged: {self.line['pdu']}"]
        for entry in self.line["known"]:
            pdu, notes = entry["pdu"], " REJECTED" if entry.get("rejected") else ""
            notes += "" if entry.get("in_state") else " (not in the state)"
            lines.append(f"  {entry['id']} {pdu['sender']} {pdu['type']} {pdu.get('state_key')!r} {pdu['content']}{notes}")
        return "\n".join(lines)


STATE_READ_BY_US = {
    "m.federate that is no boolean": Case.state_with_read_federation,
    "levels in the state that are none": Case.state_with_levels,
}
REFUSED_BY_US = {
    "power levels that are no integers": Case.is_malformed_level,
    "tables of power levels that are empty strings or lists": Case.is_empty_table,
    "redactions of nothing": Case.is_redaction_of_nothing,
    "levels of what is no user id": Case.is_no_users_level,
}


def compare(line, counts):
    counts["decisions"] += 1
    counts["allowed"] += line["allowed"]
    try:
        yield from Case(line).differences()
    except Differs as difference:
        yield Difference(str(difference))
