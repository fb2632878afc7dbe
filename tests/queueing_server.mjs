/**
 * An OpenAI-compatible server without a model, in the shapes of vLLM 0.32, that queues: slots, a queue, prefill and
 * decoding time, a prefix cache of bounded size, vLLM's metrics, and faults by seed.
 *
 *     node tests/queueing_server.mjs --capacity 8 --latency-ms 200
 *
 * prints its base URL and ends when its stdin ends (which says that its parent is gone). Every field of `defaults` is a
 * flag, and can be changed while the server runs: `POST /_behave {"capacity": 4}`. `GET /_log` tells what happened,
 * `POST /_reset` zeroes that (with {"cache": true} the prefix cache too). A token is 4 characters, a block 16 tokens.
 */

import { choice, completionText, promptChain, understood } from "./queueing/completion.mjs";
import { Engine, Job } from "./queueing/engine.mjs";
import { faultOf, FAULTS, halved } from "./queueing/faults.mjs";
import { Ledger } from "./queueing/ledger.mjs";
import { bytesHash, PrefixCache } from "./queueing/prefix_cache.mjs";
import { lengthRefusal, malformed, misbehaviour, problem, refusal } from "./queueing/refusals.mjs";
import { metrics, models, tokenize } from "./queueing/told.mjs";
import { listen } from "./queueing/wire.mjs";

const defaults = {
  port: 0,
  model: "scripted",
  /** Slots; 0 for no limit. */
  capacity: 0,
  /** Requests that may wait for a slot; more are told 429. 0 for no limit. */
  queue_limit: 0,
  /** Service time = latency + prefill * uncached prompt tokens + token * tokens * (1 + slope * running / capacity). */
  latency_ms: 0,
  prefill_ms_per_token: 0,
  token_ms: 0,
  batch_slope: 0,
  /** Blocks of the prefix cache; 0 for no limit. */
  cache_blocks: 0,
  /** "": the replies of scripted_replies.py; "20" or "2..30": so many plain words. */
  reply_tokens: "",
  max_model_len: 131072,
  api_key: "",
  /** Share of attempts that meet one of `faults`, in equal parts, by (messages, seed, attempt) and `fault_seed` alone. */
  error_rate: 0,
  faults: ["500", "429", "reset", "truncated"],
  fault_seed: 0,
  /** The header with 429 and 503; "" for none. */
  retry_after: "1",
  /** How long a stalled answer is withheld; 0 for ever. */
  stall_s: 0,
  /** Answers before the engine dies and the process with it; 0 for never. */
  die_after: 0,
};

const does = { ...defaults };
const cache = new PrefixCache();
const ledger = new Ledger(does);
const engine = new Engine(does, cache, ledger);
/** Chat requests that are not answered yet, with what to do if the engine dies. */
const open = new Map();
let dead = false;
let served = 0;

const retryAfter = () => (does.retry_after === "" ? "" : `Retry-After: ${does.retry_after}\r\n`);

const DEAD = problem(500, "EngineCore encountered an issue. See stack trace (above) for the root cause.", "InternalServerError");
const BUSY = problem(429, "Too many requests are waiting.", "TooManyRequestsError");
const AWAY = problem(503, "The server is not ready.", "ServiceUnavailableError");

/** A chat request from its arrival to its end. */
class Chat {
  #exchange;
  #bodyKey;
  #body;
  #asked;
  #choices;
  #job = null;
  #fault = null;

  constructor(exchange) {
    const now = engine.now();
    this.#exchange = exchange;
    this.#bodyKey = ledger.asked(now, bytesHash(exchange.body));
    open.set(exchange, this);
    exchange.onGone = () => this.#gone();
    const refused = dead ? DEAD : this.#understand();
    if (refused) return this.#refuse(now, refused);
    this.#fault = does.error_rate ? faultOf(this.#asked, ledger.attempt(this.#asked.a, this.#asked.b), does) : null;
    if (this.#fault === "429" || this.#fault === "503") return this.#refuse(now, this.#fault === "429" ? BUSY : AWAY, this.#fault);
    if (engine.full) {
      ledger.rejected++;
      return this.#refuse(now, BUSY);
    }
    engine.submit(this.#job, now);
  }

  /** Reads the body. @returns a reason to refuse it, or null */
  #understand() {
    const type = this.#exchange.header("content-type");
    if (!type.startsWith("application/json")) return malformed(`Unsupported Media Type: Only 'application/json' is allowed, got '${type}'`);
    const text = this.#exchange.body.utf8Slice();
    let body;
    try {
      body = JSON.parse(text);
    } catch (error) {
      return malformed(`[{'type': 'json_invalid', 'loc': ('body',), 'msg': 'JSON decode error: ${error.message}'}]`);
    }
    const found = refusal(body, does, /"seed"\s*:\s*(-?\d+)/.exec(text)?.[1] ?? 0);
    if (found) return found;
    const chain = promptChain(body);
    const tooLong = lengthRefusal(body, does, chain.tokens);
    if (tooLong) return tooLong;
    this.#body = body;
    this.#asked = understood(body, text, chain);
    this.#job = new Job(chain, () => this.#prepare(chain), (at) => this.#served(at));
    return this.#asked.schema ? this.#unmeetable() : null;
  }

  /** A schema that nothing fits (bounds that cross, a $ref to nowhere) shows when an instance is made. */
  #unmeetable() {
    try {
      this.#choices = this.#makeChoices();
      return null;
    } catch (error) {
      return problem(400, `Grammar error: ${error.message}`, "BadRequestError");
    }
  }

  #makeChoices() {
    const room = does.max_model_len - this.#job.promptTokens;
    return Array.from({ length: this.#asked.choices }, (_, i) => choice(this.#asked, this.#body, i, does, room));
  }

  /** When a slot is free, so that a request which leaves the queue costs nothing. */
  #prepare(chain) {
    this.#choices ??= this.#makeChoices();
    chain.add(this.#choices[0].text);
    return this.#choices.reduce((most, { tokens }) => Math.max(most, tokens), 0);
  }

  #refuse(now, { status, body }, fault = null) {
    if (fault) ledger.count(ledger.faults, fault);
    const headers = status === 429 || status === 503 ? retryAfter() : "";
    this.#end(now, status);
    this.#exchange.answer(status, body, headers);
  }

  /** The engine is done with it: answers, unless a fault says otherwise. */
  #served(now) {
    const fault = this.#fault;
    ledger.generated += this.#choices.reduce((sum, { tokens }) => sum + tokens, 0);
    if (fault === null) return this.#answer(now);
    if (fault === "500") return this.#refuse(now, DEAD, fault);
    ledger.count(ledger.faults, fault);
    if (fault === "stall") {
      if (does.stall_s) engine.later(now, does.stall_s * 1000, (at) => this.#exchange.open && this.#answer(at));
      return;
    }
    this.#break(now, fault);
  }

  /** An answer that is none. */
  #break(now, fault) {
    const exchange = this.#exchange;
    this.#end(now, fault === "reset" || fault === "short_body" ? fault : 200);
    if (fault === "reset") return exchange.reset();
    if (fault === "empty_choices") return exchange.answer(200, this.#completion([]));
    if (fault === "refusal") {
      return exchange.answer(200, this.#completion(this.#choices.map((made) => ({ ...made, text: null, finish: "content_filter" }))));
    }
    if (fault === "length") return exchange.answer(200, this.#completion(this.#choices.map(halved)));
    const whole = this.#completion(this.#choices);
    if (fault === "short_body") return exchange.answerHalf(whole);
    exchange.answer(200, whole.slice(0, whole.length >> 1));
  }

  #answer(now) {
    for (const { finish } of this.#choices) ledger.count(ledger.finished, finish);
    ledger.answered(now, this.#bodyKey, this.#job);
    this.#end(now, 200);
    // Done before it was noticed that the client had left, or lost on the way.
    if (!this.#exchange.open) ledger.unread++;
    this.#exchange.onUnread = () => ledger.unread++;
    this.#exchange.answer(200, this.#completion(this.#choices));
    served++;
    if (does.die_after && served >= does.die_after) die();
  }

  #completion(choices) {
    const id = this.#exchange.header("x-request-id").replace(/["\\]/g, "") || `scripted-${ledger.requests}`;
    return completionText(choices, this.#body, does.model, id, this.#job);
  }

  #end(now, status) {
    open.delete(this.#exchange);
    ledger.count(ledger.statuses, status);
    ledger.closed(now);
  }

  #gone() {
    const now = engine.now();
    if (!open.delete(this.#exchange)) return;
    ledger.aborted++;
    ledger.closed(now);
    if (this.#job) engine.leave(this.#job, now);
  }

  /** The engine died under it. */
  lose(now) {
    if (this.#job) this.#job.state = "left";
    this.#refuse(now, DEAD);
  }
}

/** Every request in it gets a 500; a moment later nothing listens here. */
function die() {
  if (dead) return;
  dead = true;
  const now = performance.now();
  for (const chat of [...open.values()]) chat.lose(now);
  setTimeout(() => process.exit(9), 50);
}

function behave(exchange) {
  let changes;
  try {
    changes = JSON.parse(exchange.body.utf8Slice());
  } catch (error) {
    return exchange.answer(400, JSON.stringify({ error: error.message }));
  }
  const error = misbehaviour(changes, defaults, FAULTS);
  if (error) return exchange.answer(400, JSON.stringify({ error }));
  const now = engine.now();
  ledger.settle(now);
  Object.assign(does, changes);
  cache.limit = does.cache_blocks;
  cache.trim();
  engine.admit(now);
  exchange.answer(200, JSON.stringify(does));
}

function reset(exchange) {
  engine.now();
  ledger.reset();
  if (exchange.body.length && JSON.parse(exchange.body.utf8Slice()).cache) cache.clear();
  exchange.answer(200, "{}");
}

const ROUTES = {
  "POST /v1/chat/completions": (exchange) => void new Chat(exchange),
  "GET /v1/models": (exchange) => exchange.answer(200, models(does)),
  "GET /health": (exchange) => (dead ? exchange.answer(503, "") : exchange.answer(200, "")),
  "GET /version": (exchange) => exchange.answer(200, '{"version":"0.32.0"}'),
  "GET /metrics": (exchange) => {
    engine.now();
    exchange.answer(200, metrics({ does, cache, ledger, engine }), "", "text/plain; version=0.0.4; charset=utf-8");
  },
  "POST /tokenize": (exchange) => tokenize(exchange, does),
  "GET /_log": (exchange) => {
    engine.now();
    exchange.answer(200, JSON.stringify(ledger.report()));
  },
  "POST /_behave": behave,
  "POST /_reset": reset,
};

/** One request that was not thought of does not end the server. */
function handled(handler, exchange) {
  try {
    handler(exchange);
  } catch (error) {
    process.stderr.write(`queueing_server: ${error.stack}\n`);
    exchange.answer(500, problem(500, String(error), "InternalServerError").body);
  }
}

function route(exchange) {
  const handler = ROUTES[`${exchange.method} ${exchange.path}`];
  const locked = does.api_key !== "" && exchange.path.startsWith("/v1/");
  if (locked && exchange.header("authorization") !== `Bearer ${does.api_key}`) return exchange.answer(401, '{"error":"Unauthorized"}');
  if (handler) return handled(handler, exchange);
  const known = Object.keys(ROUTES).some((name) => name.endsWith(` ${exchange.path}`));
  exchange.answer(known ? 405 : 404, known ? '{"detail":"Method Not Allowed"}' : '{"detail":"Not Found"}');
}

/** "--latency-ms 200" and the like as a behaviour. */
function flags(given) {
  const changes = {};
  for (let i = 0; i < given.length; i += 2) {
    const name = given[i].replace(/^--/, "").replaceAll("-", "_");
    const value = given[i + 1];
    if (value === undefined) throw new Error(`${given[i]} needs a value`);
    const standard = defaults[name];
    if (Array.isArray(standard)) changes[name] = value.split(",");
    else changes[name] = typeof standard === "number" ? Number(value) : value;
  }
  const error = misbehaviour(changes, defaults, FAULTS);
  if (error) throw new Error(error);
  return changes;
}

try {
  Object.assign(does, flags(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`queueing_server: ${error.message}\n`);
  process.exit(2);
}
cache.limit = does.cache_blocks;
if (!process.stdin.isTTY) process.stdin.on("end", () => process.exit(0)).on("error", () => process.exit(0)).resume();
process.stdout.write(`http://127.0.0.1:${await listen(does.port, route)}\n`);
