"""matrix-nio in the journey's room: logs in, syncs, reads, writes, and hears the answer.

nio_chat.py URL USER PASSWORD ROOM: prints "sent", then waits for a message "Welcome, nio" from somebody else.
"""
import asyncio
import sys

from nio import AsyncClient, LoginResponse, RoomMessageText, RoomSendResponse, SyncResponse


async def main(url, user, password, room_id):
    client = AsyncClient(url, user)
    login = await client.login(password, device_name="nio")
    assert isinstance(login, LoginResponse), login
    first = await client.sync(timeout=0, full_state=True)
    assert isinstance(first, SyncResponse), first
    assert room_id in client.rooms, "the room is in the first sync"
    assert len(client.rooms[room_id].users) >= 2, client.rooms[room_id].users

    heard = asyncio.Event()

    async def on_message(room, event):
        if room.room_id == room_id and event.body == "Welcome, nio" and event.sender != client.user_id:
            heard.set()

    client.add_event_callback(on_message, RoomMessageText)
    sent = await client.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": "Hello from nio"},
                                  ignore_unverified_devices=True)
    assert isinstance(sent, RoomSendResponse), sent
    print("sent", flush=True)
    syncing = asyncio.create_task(client.sync_forever(timeout=5000))
    await asyncio.wait_for(heard.wait(), 20)
    syncing.cancel()
    await client.logout()
    await client.close()


asyncio.run(main(*sys.argv[1:]))
