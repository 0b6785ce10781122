"""Requests at the same time: what may happen once happens once."""
import threading

from client import Client
from scenarios.encryption import upload_keys
from world import register


def together(count, request):
    """The results of request(n) for n in range(count), all at once, each on a connection of its own."""
    results, start = [None] * count, threading.Barrier(count)

    def run(n):
        start.wait()
        results[n] = request(n)
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def again(client):
    return Client(client.port, client.report, client.token, client.user, client.device, client.password)


def at_once(w):
    alice, bob = w.user("alice"), w.user("bob")
    room = alice.create_room(preset="public_chat")
    ids = set(together(8, lambda _: again(alice).send(room, "once", txn="same")))
    w.check(len(ids) == 1, f"one transaction id made {len(ids)} events")
    ids = set(together(8, lambda n: again(alice).send(room, f"m{n}")))
    w.check(len(ids) == 8, f"eight messages made {len(ids)} events")
    upload_keys(alice, one_time=[f"K{n}" for n in range(8)])
    body = {"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}}
    keys = together(8, lambda _: again(bob).post("/keys/claim", body=body)["one_time_keys"][alice.user][alice.device])
    w.check(len({key for found in keys for key in found}) == 8, f"eight claims got {keys}")
    name = {"username": "race", "password": "correct horse", "auth": {"type": "m.login.dummy"}}
    statuses = [a.status for a in together(4, lambda _: w.anonymous.post("/register", body=name, want=None))]
    w.check(sorted(statuses) == [200, 400, 400, 400], f"four registrations of one name: {statuses}")
    alias = {"room_alias_name": "race"}
    statuses = [a.status for a in together(4, lambda _: again(alice).post("/createRoom", body=alias, want=None))]
    w.check(sorted(statuses) == [200, 400, 400, 400], f"four rooms for one alias: {statuses}")
    route = "/user/{userId}/rooms/{roomId}/tags"
    together(8, lambda n: again(alice).put(route + "/{tag}", alice.user, room, f"u.{n}", body={}))
    kept = alice.get(route, alice.user, room)["tags"]
    w.check(len(kept) == 8, f"eight tags at once leave {sorted(kept)}")
    joiners = [register(w.anonymous, f"joiner{n}") for n in range(6)]
    together(len(joiners), lambda n: joiners[n].join(room))
    joined = alice.get("/rooms/{roomId}/joined_members", room)["joined"]
    w.check(len(joined) == 7, f"six joins at once leave {len(joined)} members")
