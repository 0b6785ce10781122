"""matrix-nio in the journey's room: logs in once, syncs for ever, and keeps the id of every event that it is told.

nio_chat.py URL USER PASSWORD ROOM: prints "ready" after its first sync. Then lines on its input: "say TEXT" sends a
message and prints "sent ID TEXT"; "list" prints the ids, oldest first, as JSON; "end" logs out.
"""
import asyncio
import json
import sys

from nio import AsyncClient, Event, LoginResponse, RoomSendResponse, SyncResponse


async def say(client, room_id, text):
    """What fails is sent again under the same transaction id; nio itself tries again while nobody answers."""
    while True:
        sent = await client.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": text},
                                      tx_id=text.replace(" ", "-"), ignore_unverified_devices=True)
        if isinstance(sent, RoomSendResponse):
            print("sent", sent.event_id, text, flush=True)
            return
        await asyncio.sleep(0.1)


async def main(url, user, password, room_id):
    client = AsyncClient(url, user)
    login = await client.login(password, device_name="nio")
    assert isinstance(login, LoginResponse), login
    events = []

    async def on_event(room, event):
        if room.room_id == room_id:
            events.append(event.event_id)

    client.add_event_callback(on_event, Event)
    first = await client.sync(timeout=0, full_state=True)
    assert isinstance(first, SyncResponse), first
    assert room_id in client.rooms, "the room is in the first sync"
    assert len(client.rooms[room_id].users) >= 2, client.rooms[room_id].users
    syncing = asyncio.create_task(client.sync_forever(timeout=5000))
    syncing.add_done_callback(lambda task: task.cancelled() or sys.exit(f"the sync ended: {task.exception()}"))

    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)
    sending = set()
    while line := (await commands.readline()).decode().strip():
        command, _, text = line.partition(" ")
        if command == "say":
            sending.add(asyncio.create_task(say(client, room_id, text)))
        elif command == "list":
            print("list", json.dumps(events), flush=True)
        else:
            break
    syncing.cancel()
    await asyncio.gather(*sending)
    assert client.access_token == login.access_token, "it never logged in again"
    await client.logout()
    await client.close()


asyncio.run(main(*sys.argv[1:]))
