"""The audit: what was acknowledged against what clients were given and what the server has."""
import time
from urllib.parse import quote

from ledger import Book
from load import CLIENT

SETTLE_SECONDS = 40


def missing_in(world, reader):
    book = world.ledger.book
    missing = [event for event in book.events if not reader.seen.has(event)]
    for key, number in book.recent.items():
        private = key[0] in ("room data", "data") and key[2] != reader.user_id
        if not private and reader.seen.values.get(key, 0) < number:
            missing.append(f"{key} = {number} (has {reader.seen.values.get(key, 0)})")
    if reader.user == "carol":
        missing += [f"message {n} to the device" for n in book.to_device if not reader.seen.has(n)]
    return missing


def settle(world):
    """Writers at rest; waits until every client has everything that was acknowledged. What is missing then is lost."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        missing = {reader.name: missing_in(world, reader) for reader in world.readers}
        if not any(missing.values()):
            return
        if time.monotonic() > deadline:
            for name, what in missing.items():
                for item in what:
                    world.ledger.problem("lost", f"{name} never got {item}")
            return
        time.sleep(0.02)


def same_order(world):
    first = world.readers[0].seen
    for other in world.readers[1:]:
        for room in world.rooms:
            common = first.known & other.seen.known
            if [e for e in first.order[room] if e in common] != [e for e in other.seen.order[room] if e in common]:
                world.ledger.problem("reordered", f"{other.name} and {world.readers[0].name} saw {room} in different orders")


def get(world, user, path, status=200):
    """The answer to a question that changes nothing."""
    answer = world.connection(user).answer("GET", CLIENT + path)
    if answer[0] != status:
        world.ledger.problem("wrong", f"GET {path} as {user}: {answer}")
        return {}
    return answer[1]


def stored_values(world):
    """State, account data and receipts are the acknowledged ones, or later ones that were tried."""
    tried = {(w.user_id, w.room): w.number for w in world.writers if hasattr(w, "room")}
    data_rooms = {w.data_type: w.room for w in world.writers if hasattr(w, "room")}
    user_of = {entry["user_id"]: name for name, entry in world.users.items()}
    for key, number in world.ledger.book.values.items():
        kind, where, user_id = key
        user = user_of[user_id]
        if kind == "state":
            found = get(world, user, f"/rooms/{quote(where)}/state/org.example.state/{quote(user_id)}").get("number", 0)
        elif kind == "room data":
            found = get(world, user, f"/user/{quote(user_id)}/rooms/{quote(where)}/account_data/org.example.mark").get("number", 0)
        elif kind == "data":
            found = get(world, user, f"/user/{quote(user_id)}/account_data/{where}").get("number", 0)
        else:
            continue  # receipts: in initial_sync()
        last = tried[user_id, data_rooms.get(where, where)]
        if not number <= found <= last and not world.ledger.may_come_late(key, found):
            world.ledger.problem("lost", f"{key} is {found}: acknowledged {number}, tried {last}")


def initial_sync(world):
    """A client that starts from nothing sees the acknowledged receipts."""
    body = get(world, "carol", '/sync?filter=' + quote('{"room":{"timeline":{"limit":1}}}'))
    found = {}
    for room, data in body.get("rooms", {}).get("join", {}).items():
        for event in data["ephemeral"]["events"]:
            if event["type"] == "m.receipt":
                for event_id, types in event["content"].items():
                    for user_id in types.get("m.read", {}):
                        found["receipt", room, user_id] = event_id
    numbers = {event: number for event, (_, _, number) in world.ledger.book.events.items()}
    for key, number in world.ledger.book.values.items():
        at = numbers.get(found.get(key), number)
        if key[0] == "receipt" and at < number and not world.ledger.may_come_late(key, at):
            world.ledger.problem("lost", f"{key} is at {at}, acknowledged {number}")
        if key[0] == "receipt" and key not in found:
            world.ledger.problem("lost", f"{key}: no receipt, acknowledged {number}")


def repeated_transactions(world):
    """Sent again after restarts, a transaction is answered with its event."""
    for writer in world.writers:
        if hasattr(writer, "room"):
            for number, event in writer.acknowledged[-3:]:
                path, content = writer.transaction(number)
                answer = world.connection(writer.user).answer("PUT", path, content)
                if answer != (200, {"event_id": event}):
                    world.ledger.problem("doubled", f"{writer.name} {number}: {event} was acknowledged, again it gives {answer}")


def one_time_keys(world):
    """Neither lost nor made up."""
    book = world.ledger.book
    status, body = world.connection("carol").answer("POST", f"{CLIENT}/keys/upload", {})
    there = body.get("one_time_key_counts", {}).get("signed_curve25519", 0) if status == 200 else -1
    left = book.keys_uploaded - (sum(book.claimed.values()) - world.claimed_before)
    unanswered = world.devices.in_flight[1] if world.devices.in_flight else 0
    if not left - world.claims_in_doubt <= there <= left + unanswered:
        kind = "lost" if there < left else "doubled"
        world.ledger.problem(kind, f"{there} one-time keys are left; {left} should be, of which {world.claims_in_doubt} are in doubt")


def no_key_survives_a_restore(world):
    status, body = world.connection("carol").answer("POST", f"{CLIENT}/keys/upload", {})
    if status != 200 or body["one_time_key_counts"].get("signed_curve25519", 0) != 0:
        world.ledger.problem("doubled", f"after a restore of the database, one-time keys that may be known are left: {status} {body}")
    world.claimed_before = sum(world.ledger.book.claimed.values())
    world.claims_in_doubt = 0


def history(world):
    """Every room page by page: each acknowledged event once, each writer's in order, all in the order clients saw."""
    writers = {w.name: w for w in world.writers}
    for room in world.rooms:
        events, token = [], ""
        while token is not None:
            page = get(world, "bob", f"/rooms/{quote(room)}/messages?dir=b&limit=500" + (f"&from={quote(token)}" if token else ""))
            events += page.get("chunk", [])
            token = page.get("end")
        ids = [event["event_id"] for event in reversed(events)]
        place = {event_id: i for i, event_id in enumerate(ids)}
        if len(place) != len(ids):
            world.ledger.problem("doubled", f"/messages of {room} gives {len(ids) - len(place)} events twice")
        lost = [e for e, (where, _, _) in world.ledger.book.events.items() if where == room and e not in place]
        for event_id in lost:
            world.ledger.problem("lost", f"/messages of {room} does not have {event_id}")
        seen = [e for e in world.readers[0].seen.order[room] if e in place]
        if seen != sorted(seen, key=place.get):
            world.ledger.problem("reordered", f"/messages of {room} has another order than /sync")
        check_numbers(world, room, writers, [e["content"] for e in reversed(events) if "writer" in e["content"]])


def check_numbers(world, room, writers, contents):
    last = {}
    for content in contents:
        name, number = content["writer"], content["number"]
        if not last.get(name, 0) < number <= writers[name].number:
            kind = "doubled" if number == last.get(name) else "reordered"
            world.ledger.problem(kind, f"{room}: number {number} of {name} stands after {last.get(name, 0)}")
        last[name] = number


def audit(world):
    """With writers at rest and clients going on."""
    settle(world)
    world.reading.close()
    same_order(world)
    stored_values(world)
    initial_sync(world)
    repeated_transactions(world)
    one_time_keys(world)
    world.reading.open()


def final_audit(world):
    """As audit(), and the whole history; and the ledger's file says what the auditor remembers."""
    audit(world)
    history(world)
    if not Book.read(world.ledger.path).same_as(world.ledger.book):
        world.ledger.problem("wrong", "the ledger's file and the auditor's memory differ")
