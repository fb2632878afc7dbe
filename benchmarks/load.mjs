/**
 * What the queueing server sustains alone: raw keep-alive sockets, unique histories of 7 messages in 1.2 KB.
 *
 *     node benchmarks/load.mjs                                  # starts tests/queueing_server.mjs with 20-word replies
 *     node benchmarks/load.mjs --requests 100000 --connections 64 --reply-tokens ""   # other flags go to the server
 *     node benchmarks/load.mjs --url http://127.0.0.1:8000      # a server that runs
 *
 * Each connection sends its next request when it has read the answer. Printed: requests a second over the best second
 * and over all, CPU of both processes a request, and the load average, since both want a core of their own.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import os from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const settings = { requests: 60000, warmup: 10000, connections: 64, url: "" };
const serverFlags = { "--reply-tokens": "20" };
for (let i = 2; i < process.argv.length; i += 2) {
  const [flag, value] = process.argv.slice(i, i + 2);
  const name = flag.slice(2);
  if (name in settings) settings[name] = typeof settings[name] === "number" ? Number(value) : value;
  else serverFlags[flag] = value;
}

/** A request whose first message holds a number, so that no block of any two prompts is the same. */
function template(host) {
  const line = "We walked along the harbour to the market and met an old friend who had just repaired a bicycle there, ";
  const messages = [{ role: "system", content: `########## You are a person in a conversation. ${line}` }];
  for (let i = 0; i < 6; i++) messages.push({ role: i % 2 ? "assistant" : "user", content: `${line}turn ${i}, and so we went on.` });
  const body = JSON.stringify({ model: "scripted", messages, temperature: 0.7, seed: 1, max_tokens: 256 });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return { bytes: Buffer.from(head + body), mark: (head + body).indexOf("##########"), size: body.length };
}

/** One connection that asks until there is nothing left to ask. */
class Asker {
  #socket;
  #work;
  #bytes;
  #mark;
  #left = 0;

  constructor({ host, port, work, template }) {
    this.#work = work;
    this.#bytes = Buffer.from(template.bytes);
    this.#mark = template.mark;
    this.#socket = net.connect({ host, port, noDelay: true }, () => this.#ask());
    this.#socket.on("data", (chunk) => this.#read(chunk));
    this.#socket.on("error", (error) => work.fail(error));
  }

  #ask() {
    if (this.#work.sent >= this.#work.total) return this.#socket.end();
    this.#bytes.latin1Write(String(this.#work.sent++).padStart(10, "0"), this.#mark);
    // The socket may still hold these bytes, but not after the answer to them has come.
    this.#socket.write(this.#bytes);
  }

  /** Answers come whole or in pieces; only the first piece has a head. */
  #read(chunk) {
    if (this.#left === 0) {
      if (chunk.latin1Slice(9, 12) !== "200") return this.#work.fail(new Error(chunk.latin1Slice(0, 300)));
      const end = chunk.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(chunk.latin1Slice(0, end))[1]);
      this.#left = end + 4 + length;
    }
    this.#left -= chunk.length;
    if (this.#left > 0) return;
    this.#left = 0;
    this.#work.answered();
    this.#ask();
  }
}

/** Counts answers by half seconds and ends when all have come. */
class Work {
  sent;
  done = 0;
  times = [];

  constructor(first, count) {
    this.sent = first;
    this.total = first + count;
    this.finished = new Promise((resolve, reject) => {
      this.fail = reject;
      this.answered = () => {
        if (++this.done % 1000 === 0) this.times.push(performance.now());
        if (this.done === count) resolve();
      };
    });
  }

  /** Requests a second over the best second. */
  get best() {
    let best = 0;
    for (let from = 0, to = 1; to < this.times.length; to++) {
      while (this.times[to] - this.times[from + 1] >= 1000) from++;
      const passed = this.times[to] - this.times[from];
      if (passed >= 1000) best = Math.max(best, ((to - from) * 1e6) / passed);
    }
    return best;
  }
}

async function started() {
  const script = fileURLToPath(new URL("../tests/queueing_server.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, ...Object.entries(serverFlags).flat()], { stdio: ["pipe", "pipe", "inherit"] });
  const [url] = await once(createInterface(child.stdout), "line");
  return { url, stop: () => child.kill() };
}

const asked = async (url, path, method = "GET") => (await fetch(url + path, { method })).json();

const server = settings.url ? { url: settings.url, stop() {} } : await started();
const { hostname: host, port, host: name } = new URL(server.url);
const made = template(name);

async function run(first, count) {
  const work = new Work(first, count);
  for (let i = 0; i < settings.connections; i++) new Asker({ host, port, work, template: made });
  await work.finished;
  return work;
}

await run(0, settings.warmup);
await asked(server.url, "/_reset", "POST");
const [from, cpu] = [performance.now(), process.cpuUsage()];
const work = await run(settings.warmup, settings.requests);
const seconds = (performance.now() - from) / 1000;
const own = process.cpuUsage(cpu);
const log = await asked(server.url, "/_log");
server.stop();

const each = (cpuSeconds) => `${((1000 * cpuSeconds) / settings.requests).toFixed(3)} ms`;
console.log(`${settings.requests} requests of ${made.size} bytes, ${settings.connections} connections, load average ${os.loadavg()[0].toFixed(2)}`);
console.log(`requests/s: ${Math.round(settings.requests / seconds)} over all, ${Math.round(work.best)} in the best second`);
console.log(`CPU a request: server ${each(log.cpu_s)}, load ${each((own.user + own.system) / 1e6)}`);
console.log(`server: ${log.answers} answers, ${log.distinct} distinct bodies, ${log.prefix_queries} prompt tokens looked up, ${log.prefix_hits} cached`);
