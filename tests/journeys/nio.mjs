// matrix-nio in a process of its own (nio_chat.py), told what to do line by line.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export class Nio {
    static async logIn(server, userId, password, roomId) {
        const nio = new Nio();
        nio.complaint = "";
        nio.waiting = new Map(); // first words of a line -> who waits for it
        nio.process = spawn(process.env.NIO_PYTHON ?? "python3",
            [fileURLToPath(new URL("nio_chat.py", import.meta.url)), server.url, userId, password, roomId]);
        nio.process.stderr.on("data", (text) => { nio.complaint += text; });
        nio.ended = once(nio.process, "exit").then(([code]) => {
            for (const { reject } of nio.waiting.values()) reject(new Error(`matrix-nio ended with ${code}: ${nio.complaint}`));
            return code;
        });
        createInterface({ input: nio.process.stdout }).on("line", (line) => {
            const [, what, rest] = /^(\w+) ?(.*)$/.exec(line);
            const [, id, text] = what === "sent" ? /^(\S+) (.*)$/.exec(rest) : [];
            const key = what === "sent" ? `sent ${text}` : what;
            nio.waiting.get(key)?.resolve(what === "sent" ? id : rest);
            nio.waiting.delete(key);
        });
        await nio.#line("ready");
        return nio;
    }

    #line(key) {
        return new Promise((resolve, reject) => this.waiting.set(key, { resolve, reject }));
    }
    #tell(text, key) {
        this.process.stdin.write(`${text}\n`);
        return this.#line(key);
    }

    async say(text) { return this.#tell(`say ${text}`, `sent ${text}`); } // the event's id
    async events() { return JSON.parse(await this.#tell("list", "list")); }
    async logOut() {
        this.process.stdin.write("end\n");
        if (await this.ended !== 0) throw new Error(`matrix-nio: ${this.complaint}`);
    }
    stop() { this.process.kill(); }
}
