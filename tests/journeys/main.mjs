// main.mjs PROGRAM [PORT]: runs the journeys against a server of our own, or the one at $HOMESERVER.
import { ForeignServer, Server } from "./server.mjs";
import encryptedChat from "./encrypted_chat.mjs";

const [program, port = "18118"] = process.argv.slice(2);
const foreign = process.env.HOMESERVER;
const server = foreign ? new ForeignServer(foreign, process.env.TOKEN) : new Server(program, Number(port));
if (foreign) server.suffix = Date.now().toString(36);

let passed = 0, failed = 0, current = "";
const begin = Date.now();
const step = async (name) => {
    if (current) { ++passed; process.stdout.write(`  ok ${current}\n`); }
    current = name;
    server.say(name);
};
try {
    await server.start();
    await encryptedChat(server, step);
    await step("");
} catch (error) {
    ++failed;
    process.stdout.write(`  FAILED ${current}: ${error.stack}\n`);
    if (server.data) process.stdout.write(`  the server's log: ${server.data}/server.log\n`);
}
await server.finish(failed === 0);
process.stdout.write(`journey: ${passed} steps passed, ${failed} failed, ${((Date.now() - begin) / 1000).toFixed(1)} s\n`);
process.exit(failed ? 1 : 0);
