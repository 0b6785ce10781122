// The homeserver of a journey, which world.py starts, kills and ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class Server {
    constructor(world, worldScript, port) {
        this.process = spawn("python3", [worldScript, world, String(port)], { stdio: ["pipe", "pipe", "inherit"] });
        this.waiting = new Map(); // first word of a line -> who waits for it
        this.ended = once(this.process, "exit").then(() => {
            for (const { reject } of this.waiting.values()) reject(new Error("the world has ended"));
        });
        createInterface({ input: this.process.stdout }).on("line", (line) => {
            const [, what, rest] = /^(\w+) ?(.*)$/.exec(line);
            if (what === "logs") this.logs = rest;
            this.waiting.get(what)?.resolve(rest);
            this.waiting.delete(what);
        });
        process.once("SIGTERM", () => { this.process.kill(); process.exit(143); });
    }

    #line(what) {
        return new Promise((resolve, reject) => this.waiting.set(what, { resolve, reject }));
    }
    #order(order, answer = order) {
        const line = this.#line(answer);
        this.process.stdin.write(`${order}\n`);
        return line;
    }

    async start() { this.url = await this.#line("ready"); }
    async killAndRestart() { return this.#order("kill"); } // who was killed, and how long each was away
    async token() { return this.#order("token"); }
    say(text) { this.process.stdin.write(`say ${text}\n`); }

    async finish(ok) {
        if (ok) {
            const wrong = await this.#order("end", "ended");
            if (wrong) throw new Error(wrong);
        }
        this.process.stdin.end();
        await this.ended;
    }
}

// A server that somebody else runs (HOMESERVER=url): nothing is killed there.
export class ForeignServer {
    constructor(url, token) {
        this.url = url;
        this.sharedToken = token;
    }
    async start() {}
    async killAndRestart() { return "nobody"; }
    async token() { return this.sharedToken; }
    say() {}
    async finish() {}
}
