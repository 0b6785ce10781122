// A Myelin of our own for a journey: started, killed and started again on the same data.
import { spawn, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export class Server {
    constructor(program, port) {
        this.program = program;
        this.url = `http://127.0.0.1:${port}`;
        this.data = mkdtempSync(join(tmpdir(), "myelin-journey-"));
        this.log = openSync(join(this.data, "server.log"), "a");
        this.arguments = ["serve", "--data", this.data, "--server-name", "localhost", "--listen", `127.0.0.1:${port}`,
            "--registration", "token", "--rate-limits", "off"];
    }

    async start() {
        const begin = Date.now();
        this.process = spawn(this.program, this.arguments, { stdio: ["ignore", this.log, this.log] });
        for (let i = 0; i < 400; ++i) {
            if (this.process.exitCode !== null) throw new Error(`the server ended with ${this.process.exitCode}: see ${this.data}/server.log`);
            const answer = await fetch(`${this.url}/_matrix/client/versions`).catch(() => null);
            if (answer?.ok) return Date.now() - begin;
            await sleep(25);
        }
        throw new Error(`the server was not ready within 10 s: see ${this.data}/server.log`);
    }

    async end(signal) {
        const gone = new Promise((resolve) => this.process.once("exit", resolve));
        this.process.kill(signal);
        await gone;
    }

    async killAndRestart() {
        await this.end("SIGKILL");
        return this.start();
    }

    token() {
        return execFileSync(this.program, ["token", "new", "--data", this.data], { encoding: "utf8" }).trim().split(/\s+/).at(-1);
    }

    say(text) {
        writeSync(this.log, `---- journey: ${text}\n`);
    }

    async finish(ok) {
        await this.end("SIGTERM");
        if (ok && existsSync(this.data)) rmSync(this.data, { recursive: true });
    }
}

// A server that somebody else runs (HOMESERVER=url): nothing is killed there.
export class ForeignServer {
    constructor(url, token) {
        this.url = url;
        this.shared_token = token;
    }
    async start() { return 0; }
    async killAndRestart() { return 0; }
    token() { return this.shared_token; }
    say() {}
    async finish() {}
}
