/**
 * Service: slots, the queue before them, the prefix cache, and when a request is done.
 *
 * Time is that of a simulation tied to the clock: an event that is handled late counts as if handled when it was due,
 * so the next request of the queue starts when the slot was free, and the server's own delays add up nowhere.
 */

import { BLOCK_TOKENS } from "./prefix_cache.mjs";

/** What is to happen at given times: a binary heap, and one timer for its earliest. */
class Agenda {
  #heap = [];
  #timer = null;
  #armedFor = Infinity;
  #onDue;

  constructor(onDue) {
    this.#onDue = onDue;
  }

  add(due, action) {
    const heap = this.#heap;
    const event = { due, action };
    let at = heap.length;
    for (let up = (at - 1) >> 1; at > 0 && heap[up].due > due; at = up, up = (at - 1) >> 1) heap[at] = heap[up];
    heap[at] = event;
    if (due < this.#armedFor) this.#arm(due);
  }

  /** Takes the earliest event if it is due by `now`. */
  take(now) {
    const heap = this.#heap;
    if (heap.length === 0 || heap[0].due > now) return null;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length) this.#sink(last);
    return first;
  }

  #sink(event) {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down + 1 < heap.length && heap[down + 1].due < heap[down].due) down++;
      if (down >= heap.length || heap[down].due >= event.due) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = event;
  }

  #arm(due) {
    clearTimeout(this.#timer);
    this.#armedFor = due;
    this.#timer = setTimeout(() => {
      this.#armedFor = Infinity;
      this.#onDue();
      if (this.#heap.length && this.#heap[0].due < this.#armedFor) this.#arm(this.#heap[0].due);
    }, Math.ceil(due - performance.now()));
  }
}

/**
 * A request in the engine. Its maker fills `chain` with the prompt, makes the reply in `prepare` (which extends the
 * chain by it and returns the tokens of its longest choice) and is told of the end by `done`.
 */
export class Job {
  cached = 0;
  /** Tokens of the longest choice, once prepared: choices are decoded side by side. */
  longest = null;
  places = null;
  /** "waiting", "running" or "left". */
  state = "waiting";

  constructor(chain, prepare, done) {
    this.chain = chain;
    this.promptTokens = chain.tokens;
    this.promptBlocks = chain.blocks;
    this.prepare = prepare;
    this.done = done;
  }
}

export class Engine {
  running = 0;
  waiting = 0;
  #queue = [];
  #first = 0;
  #admitting = false;
  #agenda = new Agenda(() => this.now());

  /** @param does the behaviour, read anew for each decision */
  constructor(does, cache, ledger) {
    this.does = does;
    this.cache = cache;
    this.ledger = ledger;
  }

  /** The time in ms, after everything that was due by then. */
  now() {
    const now = performance.now();
    for (let event = this.#agenda.take(now); event; event = this.#agenda.take(now)) event.action(event.due);
    return now;
  }

  /** `action(time)` after so many ms. */
  later(now, ms, action) {
    this.#agenda.add(now + ms, action);
  }

  get full() {
    return this.does.queue_limit > 0 && this.waiting >= this.does.queue_limit;
  }

  submit(job, now) {
    job.arrived = now;
    this.waiting++;
    this.#queue.push(job);
    this.admit(now);
  }

  /** The client left: a slot is free at once, a place in the queue is not waited for. */
  leave(job, now) {
    if (job.state === "waiting") this.waiting--;
    else if (job.state === "running") this.#end(job, now);
    job.state = "left";
    this.admit(now);
  }

  /** Starts what the slots and the cache have room for, in the order of arrival. */
  admit(now) {
    if (this.#admitting) return;
    this.#admitting = true;
    while (this.waiting > 0 && this.#free()) {
      const job = this.#queue[this.#first];
      if (job.state === "waiting") {
        job.longest ??= job.prepare();
        if (this.running > 0 && !this.cache.fits(job.chain.keys)) break;
        this.#start(job, now);
      }
      this.#shift();
    }
    this.#admitting = false;
  }

  #free() {
    return this.does.capacity === 0 || this.running < this.does.capacity;
  }

  #shift() {
    this.#queue[this.#first++] = null;
    if (this.#first === this.#queue.length) {
      this.#queue.length = 0;
      this.#first = 0;
    } else if (this.#first > 1024 && this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
  }

  #start(job, now) {
    const { does } = this;
    // Something of a prompt is always computed: the last token is not taken from the cache.
    const most = Math.min(job.promptBlocks, Math.floor((job.promptTokens - 1) / BLOCK_TOKENS));
    job.cached = BLOCK_TOKENS * this.cache.leading(job.chain.keys, most);
    job.places = this.cache.hold(job.chain.keys);
    job.state = "running";
    this.waiting--;
    this.running++;
    this.ledger.started(now, this.running, job);
    const crowd = does.capacity ? 1 + does.batch_slope * (this.running / does.capacity) : 1;
    const ms = does.latency_ms + does.prefill_ms_per_token * (job.promptTokens - job.cached) + does.token_ms * job.longest * crowd;
    if (ms > 0) this.#agenda.add(now + ms, (due) => this.#finish(job, due));
    else this.#finish(job, now);
  }

  #finish(job, now) {
    if (job.state !== "running") return;
    job.state = "left";
    this.#end(job, now);
    job.done(now);
    this.admit(now);
  }

  #end(job, now) {
    this.running--;
    this.cache.release(job.places);
    this.ledger.stopped(now, this.running);
  }
}
