"""What the comparisons share."""
from dataclasses import dataclass

from synapse.events import make_event_from_dict


@dataclass
class Difference:
    text: str
    explained: str | None = None  # the heading in docs/decisions that says who is right, and by which sentence


class Differs(Exception):
    """A difference after which there is nothing more to compare."""


def read_event(pdu, version, event_id, rejected=False):
    """The event, under the id that Synapse gives it: that is Myelin's too, or Differs."""
    event = make_event_from_dict(pdu, version, rejected_reason="rejected" if rejected else None)
    if event.event_id != event_id:
        raise Differs(f"event id: ours {event_id}, Synapse's {event.event_id}: {pdu}")
    return event


def run(coroutine):
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the coroutine waits for something")
