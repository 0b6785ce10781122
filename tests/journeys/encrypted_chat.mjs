// Alice and Bob meet, chat encrypted, verify devices, lose and restore keys; the server is killed on the way.
import assert from "node:assert/strict";
import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { Device, call, register, until, within } from "./client.mjs";
import { Nio } from "./nio.mjs";

async function sendAndRead(from, to, room, text) {
    const id = await from.say(room, text);
    const seen = await to.sees(room, text);
    assert.equal(seen.getId(), id);
    assert.ok(seen.isEncrypted(), "the message travelled encrypted");
    return seen;
}

async function bootstrap(device) {
    await device.crypto.bootstrapCrossSigning({
        authUploadDeviceSigningKeys: (request) => request(null),
    });
    const key = await device.crypto.createRecoveryKeyFromPassphrase();
    await device.crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => key,
        setupNewSecretStorage: true,
        setupNewKeyBackup: true,
    });
    assert.ok(await device.crypto.isCrossSigningReady(), "cross-signing is ready");
    await until("the backup is active", () => device.crypto.getActiveSessionBackupVersion());
    return key.privateKey;
}

// How many room keys the server holds for the user in the backup.
async function backedUp(device) {
    const url = device.client.getHomeserverUrl();
    return (await call(url, "GET", "/_matrix/client/v3/room_keys/version", undefined, device.client.getAccessToken())).body.count;
}

// The second device asks, the first accepts, both compare emoji (SAS).
async function verifyBySas(first, second) {
    const incoming = new Promise((resolve) => first.client.once(CryptoEvent.VerificationRequestReceived, resolve));
    await until("the second device sees the cross-signing keys", async () => (await second.crypto.userHasCrossSigningKeys(second.userId, true)));
    // A request from a device that is not known yet is ignored.
    await until("the first device knows the second", async () =>
        (await first.crypto.getUserDeviceInfo([second.userId])).get(second.userId)?.has(second.client.getDeviceId()));
    const request = await second.crypto.requestOwnUserVerification();
    const accepted = await within("the first device hears of the request", incoming);
    await accepted.accept();
    await until("the request is ready", () => request.phase === VerificationPhase.Ready);
    const shown = [];
    const follow = (verifier) => {
        const show = (sas) => {
            shown.push(sas.sas.emoji.map(([emoji]) => emoji).join(""));
            sas.confirm();
        };
        const early = verifier.getShowSasCallbacks();
        if (early) show(early);
        else verifier.once(VerifierEvent.ShowSas, show);
        return verifier.verify();
    };
    const other = new Promise((resolve) => {
        let following = false;
        const look = () => {
            if (following || !accepted.verifier) return;
            following = true;
            resolve(follow(accepted.verifier));
        };
        accepted.on(VerificationRequestEvent.Change, look);
        look();
    });
    const verifier = await within("the verification is started", request.startVerification("m.sas.v1"));
    await within("both devices compare emoji", Promise.all([follow(verifier), other]));
    assert.equal(shown.length, 2);
    assert.equal(shown[0], shown[1], "both devices show the same emoji");
    await until("the new device is cross-signed", async () =>
        (await first.crypto.getDeviceVerificationStatus(second.userId, second.client.getDeviceId()))?.signedByOwner);
}

// From the first event that nio was told on, the devices and nio have the same events, each once.
async function allSeeTheSame(nio, devices, room) {
    const isThere = (event) => event.getId().startsWith("$") && event.status === null;
    const of = (device, first) => {
        const ids = device.events(room).filter(isThere).map((event) => event.getId());
        return ids.slice(Math.max(ids.indexOf(first), 0)).sort();
    };
    let nios, theirs;
    await until("everybody has seen everything", async () => {
        nios = await nio.events();
        theirs = devices.map((device) => of(device, nios[0]));
        nios.sort();
        return theirs.every((ids) => JSON.stringify(ids) === JSON.stringify(nios));
    }).catch(() => {});
    for (const [i, ids] of theirs.entries()) assert.deepEqual(nios, ids, `what nio and ${devices[i].name} have seen`);
    assert.equal(new Set(nios).size, nios.length, "nothing is doubled");
}

export default async function journey(server, step) {
    await step("register by token");
    const password = "correct horse battery staple";
    const names = [`alice${server.suffix ?? ""}`, `bob${server.suffix ?? ""}`];
    await register(server, names[0], password);
    await register(server, names[1], password);
    const alice = await Device.logIn(server, names[0], password, "alice's laptop");
    const bob = await Device.logIn(server, names[1], password, "bob's phone");
    const devices = [alice, bob];
    let nio;
    try {
        await step("encrypted room, invite, join");
        const { room_id: room } = await alice.client.createRoom({
            preset: "private_chat",
            name: "Plans",
            initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
        });
        await until("alice's room is encrypted", () => alice.room(room)?.hasEncryptionStateEvent());
        await alice.client.invite(room, bob.userId);
        await until("bob is invited", () => bob.room(room)?.getMyMembership() === "invite");
        await bob.client.joinRoom(room);
        await until("alice sees bob join", () => alice.room(room).getMember(bob.userId)?.membership === "join");
        await until("bob's room is encrypted", () => bob.room(room)?.hasEncryptionStateEvent());

        await step("messages both ways decrypt");
        await sendAndRead(alice, bob, room, "Shall we meet?");
        await sendAndRead(bob, alice, room, "At noon, by the bridge.");

        await step("cross-signing and key backup");
        const recovery = await bootstrap(alice);

        await step("matrix-nio logs in and syncs");
        nio = await Nio.logIn(server, bob.userId, password, room);
        const hello = await nio.say("Hello from nio");
        assert.equal((await alice.sees(room, "Hello from nio")).getId(), hello);
        await allSeeTheSame(nio, [alice, bob], room);

        await step("kill -9 and restart in the middle");
        const sent = Promise.allSettled(Array.from({ length: 5 }, (_, i) => [alice.say(room, `while it falls ${i}`),
            nio.say(`nio while it falls ${i}`)]).flat());
        server.say(`killed and ready again: ${await server.killAndRestart()}`);
        await sent;
        for (const event of alice.events(room).filter((e) => e.status === "not_sent")) await alice.client.resendEvent(event, alice.room(room));
        for (let i = 0; i < 5; ++i) {
            await bob.sees(room, `while it falls ${i}`, 40);
            await alice.sees(room, `nio while it falls ${i}`, 40);
        }
        for (const device of [alice, bob]) {
            const bodies = device.bodies(room);
            assert.equal(new Set(bodies).size, bodies.length, `${device.name} has a doubled message: ${bodies}`);
        }
        await sendAndRead(bob, alice, room, "Still here.");
        await nio.say("nio is still here");
        await allSeeTheSame(nio, [alice, bob], room);

        await step("second device, verified by SAS");
        const tablet = await Device.logIn(server, names[0], password, "alice's tablet");
        devices.push(tablet);
        await verifyBySas(alice, tablet);
        await sendAndRead(bob, tablet, room, "Is this your tablet?");

        await step("reaction, edit, redaction");
        const target = await sendAndRead(alice, bob, room, "Bring the map");
        await bob.client.sendEvent(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: target.getId(), key: "👍" } });
        await until("alice sees the reaction", () => alice.find(room, (e) => e.getType() === "m.reaction"));
        await alice.client.sendEvent(room, "m.room.message", {
            "msgtype": "m.text", "body": "* Bring the old map",
            "m.new_content": { msgtype: "m.text", body: "Bring the old map" },
            "m.relates_to": { rel_type: "m.replace", event_id: target.getId() },
        });
        await until("bob sees the edit", () => bob.find(room, (e) => e.getId() === target.getId())?.replacingEvent()?.getContent()["m.new_content"]?.body === "Bring the old map");
        const slip = await sendAndRead(alice, bob, room, "oops");
        await alice.client.redactEvent(room, slip.getId());
        await until("bob sees the redaction", () => bob.find(room, (e) => e.getId() === slip.getId())?.isRedacted());

        await step("typing, unread counts, read receipt");
        await alice.client.sendTyping(room, true, 10000);
        await until("bob sees alice type", () => bob.room(room).getMember(alice.userId).typing);
        await alice.client.sendTyping(room, false, 0);
        await until("bob sees her stop", () => !bob.room(room).getMember(alice.userId).typing);
        const last = await sendAndRead(alice, bob, room, "Read me");
        await until("bob's unread count goes up", () => bob.room(room).getUnreadNotificationCount("total") > 0);
        await bob.client.sendReadReceipt(last);
        await until("bob's unread count goes down", () => bob.room(room).getUnreadNotificationCount("total") === 0);
        await until("alice sees the receipt", () => alice.room(room).hasUserReadEvent(bob.userId, last.getId()));

        await step("third device restores the backup and reads old messages");
        await until("everything is backed up", async () => (await backedUp(alice)) >= (await alice.crypto.exportRoomKeys()).length, 60);
        const phone = await Device.logIn(server, names[0], password, "alice's new phone");
        devices.push(phone);
        phone.recoveryKey = recovery;
        await phone.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
        const restored = await phone.crypto.restoreKeyBackup();
        assert.ok(restored.imported > 0, "keys came back");
        await until("the new phone has the room", () => phone.room(room));
        // As a reader scrolls up; what failed while the keys came in is tried again.
        await until("the new phone has read back to the beginning", async () => {
            await phone.client.scrollback(phone.room(room), 30);
            for (const event of phone.events(room))
                if (event.isEncrypted() && !event.isRedacted() && (event.isDecryptionFailure() || !event.getClearContent()))
                    await event.attemptDecryption(phone.crypto, { isRetry: true });
            return phone.bodies(room).includes("Shall we meet?");
        });
        await phone.sees(room, "Shall we meet?");
        await phone.sees(room, "At noon, by the bridge.");

        await step("matrix-nio has seen what the others have");
        const welcome = await call(server.url, "PUT", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/welcome`,
            { msgtype: "m.text", body: "Welcome, nio" }, alice.client.getAccessToken());
        assert.equal(welcome.status, 200);
        await until("nio is welcome", async () => (await nio.events()).includes(welcome.body.event_id));
        await allSeeTheSame(nio, [alice, bob], room);
        await nio.logOut();

        await step("log out");
        const token = bob.client.getAccessToken();
        bob.stop();
        await bob.client.logout(false);
        const whoami = () => call(server.url, "GET", "/_matrix/client/v3/account/whoami", undefined, token);
        await until("another process has heard of it", async () => (await whoami()).status === 401);
        assert.equal((await whoami()).body.errcode, "M_UNKNOWN_TOKEN");
        return { room };
    } finally {
        for (const device of devices) device.stop();
        nio?.stop();
    }
}
