"""Every resolution of a random room through Synapse's state resolution."""
from synapse import event_auth
from synapse.api.errors import SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, StateResolutionVersions
from synapse.state import v1, v2
from synapse.storage.databases.main.event_federation import StateDifference

from results import Difference, Differs, read_event, run


class Store:
    """What state resolution asks the database for. All events are "in flight", so Synapse itself walks the auth chains for
    the auth difference and the conflicted subgraph, and the database adds nothing.
    """

    def __init__(self, events):
        self.events = events

    async def get_events(self, event_ids, allow_rejected=False):
        return {event_id: self.events[event_id] for event_id in event_ids}

    async def get_auth_chain_difference(self, room_id, state_sets, conflicted, also_backwards):
        if any(state_sets) or conflicted or also_backwards:
            raise AssertionError("an event is not in flight")
        return StateDifference(auth_difference=set(), conflicted_subgraph=set())


class Clock:
    async def sleep(self, duration):
        pass


class Moment:
    """Which event the iterative auth checks are at, and whether they look through what it cites."""

    judged = None
    citing = False


class AsSpecified:
    """An event whose rejection counts where the specification counts it: "the appropriate state event from the event's
    auth_events is used if the auth event is not rejected", and rejected events are otherwise "handled as usual".
    """

    def __init__(self, event, moment):
        self._event, self._moment = event, moment

    def __getattr__(self, name):
        return getattr(self._event, name)

    def auth_event_ids(self):
        self._moment.judged, self._moment.citing = self, True
        return self._event.auth_event_ids()

    @property
    def type(self):
        if self._moment.judged is self:
            self._moment.citing = False
        return self._event.type

    @property
    def rejected_reason(self):
        return self._event.rejected_reason if self._moment.citing else None


class Room:
    def __init__(self, line):
        self.line = line
        self.version = KNOWN_ROOM_VERSIONS[line["version"]]
        self.events = {}
        for entry in line["events"]:
            event_id = entry["id"]
            self.events[event_id] = read_event(entry["pdu"], self.version, event_id, entry.get("rejected"))
        self.order = {event_id: place for place, event_id in enumerate(self.events)}

    def key(self, event_id):
        event = self.events[event_id]
        return (event.type, event.state_key)

    def state(self, event_ids):
        return {self.key(event_id): event_id for event_id in event_ids}

    def involved(self, sets):
        """The events of the sets and their auth chains."""
        found, open_ids = set(), [event_id for ids in sets for event_id in ids]
        while open_ids:
            event_id = open_ids.pop()
            if event_id not in found:
                found.add(event_id)
                open_ids.extend(self.events[event_id].auth_event_ids())
        return found

    def resolve(self, sets, events):
        states = [self.state(ids) for ids in sets]
        room_id = self.line["room_id"]
        store = Store(events)
        if self.version.state_res == StateResolutionVersions.V1:
            resolution = v1.resolve_events_with_store(room_id, self.version, states, None, store.get_events)
        else:
            involved = {event_id: events[event_id] for event_id in self.involved(sets)}
            resolution = v2.resolve_events_with_store(Clock(), room_id, self.version, states, involved, store)
        return dict(run(resolution))

    def compare(self, resolution):
        ours = self.state(resolution["result"])
        synapse = self.resolve(resolution["sets"], self.events)
        if ours == synapse:
            return None
        return Difference(self.describe(resolution, ours, synapse), self.explain(resolution, ours, synapse))

    def explain(self, resolution, ours, synapse):
        if self.version.state_res == StateResolutionVersions.V1:
            return self.explain_nobody_allowed(resolution, ours, synapse)
        moment = Moment()
        retold = {event_id: AsSpecified(event, moment) for event_id, event in self.events.items()}
        if any(event.rejected_reason for event in self.events.values()):
            if self.resolve(resolution["sets"], retold) == ours:
                return "rejected events in state resolution"
        return None

    def explain_nobody_allowed(self, resolution, ours, synapse):
        """We leave a key out none of whose events "passes authentication in R"."""
        state = [self.events[event_id] for event_id in ours.values()]
        for key in ours.keys() | synapse.keys():
            if ours.get(key) == synapse.get(key):
                continue
            candidates = {self.state(ids).get(key) for ids in resolution["sets"]} - {None}
            judged_alone = key[0] not in ("m.room.power_levels", "m.room.join_rules", "m.room.member")
            if key in ours or not judged_alone or len(candidates) < 2:
                return None
            if any(allowed(self.events[event_id], state) for event_id in candidates):
                return None
        return "version 1: no event of a key is allowed"

    def describe(self, resolution, ours, synapse):
        lines = [f"room version {self.line['version']}, {len(resolution['sets'])} state sets"]
        for key in sorted(ours.keys() | synapse.keys()):
            if ours.get(key) != synapse.get(key):
                lines.append(f"  {key}: ours {ours.get(key)}, Synapse's {synapse.get(key)}")
        for entry in self.line["events"]:
            event = self.events[entry["id"]]
            lines.append(
                f"    {event.event_id} {event.sender} {event.type} {event.state_key!r} {dict(event.content)}"
                f" ts {event.origin_server_ts} depth {event.depth} cites {list(event.auth_event_ids())}"
                f"{' REJECTED' if event.rejected_reason else ''}"
            )
        for place, ids in enumerate(resolution["sets"]):
            lines.append(f"  set {place}: {sorted(ids, key=self.order.get)}")
        return "\n".join(lines)


def allowed(event, state):
    try:
        event_auth.check_state_dependent_auth_rules(event, state)
        return True
    except SynapseError:
        return False


def compare(line, counts):
    """The differences of one room."""
    counts["rooms"] += 1
    counts["resolutions"] += len(line["resolutions"])
    counts["conflicted"] += line["conflicted"]
    if "difference" in line:
        yield Difference("fast and literal resolution differ: " + line["difference"])
    try:
        room = Room(line)
    except Differs as difference:
        yield Difference(str(difference))
        return
    for resolution in line["resolutions"]:
        difference = room.compare(resolution)
        if difference:
            yield difference
