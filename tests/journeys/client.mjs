// matrix-js-sdk with its Rust crypto, and waiting for things to be seen.
import "fake-indexeddb/auto";
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import { setTimeout as sleep } from "node:timers/promises";

logger.setLevel(process.env.SDK_LOG ?? "silent", false);
for (const level of process.env.SDK_LOG ? [] : ["log", "debug", "info", "warn", "error", "trace"]) console[level] = () => {};

export async function until(what, test, seconds = 20) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
        const value = await test();
        if (value) return value;
        if (Date.now() > deadline) throw new Error(`not seen within ${seconds} s: ${what}`);
        await sleep(20);
    }
}

// What the promise brings, which is not waited for longer than that. The timer holds who waits: the SDK refers to a verification
// only weakly, and it was collected once with those who waited for it, in silence.
export async function within(what, promise, seconds = 20) {
    const late = sleep(seconds * 1000, undefined, { ref: false }).then(() => { throw new Error(`not done within ${seconds} s: ${what}`); });
    return Promise.race([promise, late]);
}

export async function call(url, method, path, body, token) {
    const answer = await fetch(url + path, {
        method,
        headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
}

// Registers with a registration token, as the spec's user-interactive authentication goes.
export async function register(server, username, password) {
    const body = { username, password, inhibit_login: true };
    const first = await call(server.url, "POST", "/_matrix/client/v3/register", body);
    if (first.status !== 401) throw new Error(`register: 401 expected, got ${first.status} ${JSON.stringify(first.body)}`);
    const stage = first.body.flows[0].stages[0];
    const auth = { type: stage, session: first.body.session };
    if (stage === "m.login.registration_token") auth.token = await server.token();
    const second = await call(server.url, "POST", "/_matrix/client/v3/register", { ...body, auth });
    if (second.status !== 200) throw new Error(`register: ${second.status} ${JSON.stringify(second.body)}`);
    return second.body.user_id;
}

// One device: logged in, syncing, able to encrypt.
export class Device {
    static async logIn(server, username, password, name) {
        const answer = await call(server.url, "POST", "/_matrix/client/v3/login", {
            type: "m.login.password",
            identifier: { type: "m.id.user", user: username },
            password,
            initial_device_display_name: name,
        });
        if (answer.status !== 200) throw new Error(`login: ${answer.status} ${JSON.stringify(answer.body)}`);
        const device = new Device();
        device.name = name;
        device.password = password;
        device.secretStorageKeys = new Map();
        device.client = sdk.createClient({
            baseUrl: server.url,
            userId: answer.body.user_id,
            deviceId: answer.body.device_id,
            accessToken: answer.body.access_token,
            useE2eForGroupCall: false,
            cryptoCallbacks: {
                getSecretStorageKey: async ({ keys }) => {
                    for (const id of Object.keys(keys)) if (device.secretStorageKeys.has(id)) return [id, device.secretStorageKeys.get(id)];
                    for (const id of Object.keys(keys)) if (device.recoveryKey) return [id, device.recoveryKey];
                    return null;
                },
                cacheSecretStorageKey: (id, info, key) => device.secretStorageKeys.set(id, key),
            },
        });
        await device.client.initRustCrypto({ useIndexedDB: false });
        await device.client.startClient({ initialSyncLimit: 20, pollTimeout: 10000, lazyLoadMembers: true, threadSupport: true });
        await until(`${name} has synced`, () => device.client.isInitialSyncComplete());
        return device;
    }

    get userId() { return this.client.getUserId(); }
    get crypto() { return this.client.getCrypto(); }
    room(id) { return this.client.getRoom(id); }
    events(roomId) { return this.room(roomId)?.getLiveTimeline().getEvents() ?? []; }
    bodies(roomId) {
        return this.events(roomId).filter((e) => e.getType() === "m.room.message" && !e.isRedacted() && !e.isDecryptionFailure()).map((e) => e.getContent().body);
    }
    find(roomId, test) { return this.events(roomId).find(test); }

    async sees(roomId, body, seconds) {
        return until(`${this.name} reads "${body}"`, () => this.find(roomId, (e) => e.getType() === "m.room.message" && e.getContent().body === body), seconds);
    }
    async say(roomId, body) {
        return (await this.client.sendTextMessage(roomId, body)).event_id;
    }
    stop() { this.client.stopClient(); }
}
