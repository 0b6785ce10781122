// main.mjs WORLD WORLD.PY PORT: runs the journeys against a homeserver of our own, or the one at $HOMESERVER.
import { ForeignServer, Server } from "./server.mjs";
import encryptedChat from "./encrypted_chat.mjs";

const [world, worldScript, port] = process.argv.slice(2);
const foreign = process.env.HOMESERVER;
const begin = Date.now();
const seconds = (since) => ((Date.now() - since) / 1000).toFixed(1);
const server = foreign ? new ForeignServer(foreign, process.env.TOKEN) : new Server(world, worldScript, port);
if (foreign) server.suffix = Date.now().toString(36);

// What has no answer yet: said of a step that does not end.
const underWay = new Set();
const plainFetch = globalThis.fetch;
globalThis.fetch = async (resource, options) => {
    const request = `${options?.method ?? "GET"} ${resource.url ?? resource}`;
    underWay.add(request);
    return plainFetch(resource, options).finally(() => underWay.delete(request));
};

let passed = 0, failed = 0, current = "", since = begin, deadline, tooLong;
const step = async (name) => {
    if (current) { ++passed; process.stdout.write(`  ok ${current} (${seconds(since)} s)\n`); }
    current = name;
    since = Date.now();
    clearTimeout(deadline);
    deadline = setTimeout(() => tooLong(new Error(`no end within 90 s; no answer yet: ${[...underWay].join(", ")}`)), 90_000);
    if (name !== "start") server.say(name);
};
const failure = (error) => {
    ++failed;
    process.stdout.write(`  FAILED ${current}: ${error.stack}\n`);
    if (server.logs) process.stdout.write(`  logs: ${server.logs}/*.log\n`);
};
const journey = async () => {
    await step("start");
    await server.start();
    await encryptedChat(server, step);
    await step("end");
};
try {
    await Promise.race([journey(), new Promise((_, reject) => { tooLong = reject; })]);
} catch (error) {
    failure(error);
}
await server.finish(failed === 0).catch(failure);
process.stdout.write(`journey, ${world}: ${passed} steps passed, ${failed} failed, ${seconds(begin)} s\n`);
process.exit(failed ? 1 : 0);
