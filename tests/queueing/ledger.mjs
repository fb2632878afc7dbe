/** What happened: counters, and gauges weighted by time. */

const round = (value, digits = 3) => (value === null ? null : Number(value.toFixed(digits)));

/** Numbers in a row, without an object each. */
class Series {
  length = 0;
  #values = new Float64Array(1024);

  push(value) {
    if (this.length === this.#values.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  at(index) {
    return this.#values[index];
  }

  percentiles() {
    if (!this.length) return null;
    const sorted = this.#values.slice(0, this.length).sort();
    const at = (share) => round(sorted[Math.min(this.length - 1, Math.floor(share * this.length))]);
    return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) };
  }
}

/** Two hash words as one number that is exact as a double: a Map of strings would cost three times as much. */
const key = (a, b) => (a >>> 0) * 2097152 + (b >>> 11);

export class Ledger {
  /** Survive a reset: they are gauges of what is open. */
  inFlight = 0;
  #running = 0;

  constructor(does) {
    this.does = does;
    this.reset();
  }

  reset() {
    this.requests = this.answers = this.rejected = this.aborted = this.unread = 0;
    this.askedAfterAnswer = this.repeated = 0;
    this.prefixQueries = this.prefixHits = this.generated = 0;
    this.faults = {};
    this.statuses = {};
    this.finished = {};
    this.mostInFlight = this.inFlight;
    this.mostRunning = this.#running;
    /** Per body: twice how often it was asked, plus 1 once answered. */
    this.bodies = new Map();
    this.attempts = new Map();
    this.queueTimes = new Series();
    this.latencies = new Series();
    this.answerTimes = new Series();
    this.busyAtAnswer = new Series();
    this.firstRequest = this.lastAnswer = this.at = null;
    this.inFlightArea = this.inFlightAtLast = this.busyArea = 0;
    this.cpu = process.cpuUsage();
  }

  /** A request came in. @returns {number} its body's key, for `answered` */
  asked(now, [a, b]) {
    this.firstRequest ??= this.at = now;
    this.#pass(now);
    this.requests++;
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    const body = key(a, b);
    const before = this.bodies.get(body) ?? 0;
    if (before) this.repeated++;
    if (before & 1) this.askedAfterAnswer++;
    this.bodies.set(body, before + 2);
    return body;
  }

  /** How often this request was attempted before. */
  attempt(a, b) {
    const request = key(a, b);
    const before = this.attempts.get(request) ?? 0;
    this.attempts.set(request, before + 1);
    return before;
  }

  /** A request ended, by whatever answer or none. */
  closed(now) {
    this.#pass(now);
    this.inFlight--;
  }

  /** A whole answer was given. */
  answered(now, body, job) {
    this.firstRequest ??= this.at = now; // the request may be older than the last reset
    this.answers++;
    const entry = this.bodies.get(body) ?? 2;
    this.bodies.set(body, entry | 1);
    this.lastAnswer = now;
    this.#pass(now);
    this.inFlightAtLast = this.inFlightArea;
    this.latencies.push(now - job.arrived);
    this.answerTimes.push(now);
    this.busyAtAnswer.push(this.busyArea);
  }

  count(counts, name) {
    counts[name] = (counts[name] ?? 0) + 1;
  }

  /** A job got a slot. */
  started(now, running, job) {
    this.#pass(now);
    this.#running = running;
    this.mostRunning = Math.max(this.mostRunning, running);
    this.queueTimes.push(now - job.arrived);
    this.prefixQueries += job.promptTokens;
    this.prefixHits += job.cached;
  }

  stopped(now, running) {
    this.#pass(now);
    this.#running = running;
  }

  /** Before the capacity changes: until now the old one held. */
  settle(now) {
    this.#pass(now);
  }

  #pass(now) {
    if (this.at === null || now <= this.at) return;
    const passed = now - this.at;
    this.at = now;
    this.inFlightArea += passed * this.inFlight;
    if (this.does.capacity) this.busyArea += passed * Math.min(1, this.#running / this.does.capacity);
  }

  /** Share of slot time in use from the first request to the answer of that index. */
  #busy(index) {
    if (!this.does.capacity || index < 0) return null;
    const span = this.answerTimes.at(index) - this.firstRequest;
    return span > 0 ? round(this.busyAtAnswer.at(index) / span, 4) : null;
  }

  report() {
    const span = this.lastAnswer === null ? null : this.lastAnswer - this.firstRequest;
    const cpu = process.cpuUsage(this.cpu);
    const epoch = (ms) => (ms === null ? null : round((performance.timeOrigin + ms) / 1000));
    return {
      requests: this.requests,
      answers: this.answers,
      faulted: Object.values(this.faults).reduce((sum, count) => sum + count, 0),
      faults: this.faults,
      statuses: this.statuses,
      rejected: this.rejected,
      aborted: this.aborted,
      unread: this.unread,
      distinct: this.bodies.size,
      repeated: this.repeated,
      asked_after_answer: this.askedAfterAnswer,
      in_flight: this.inFlight,
      most_in_flight: this.mostInFlight,
      most_running: this.mostRunning,
      mean_in_flight: span ? round(this.inFlightAtLast / span) : null,
      slots_busy: this.#busy(this.answerTimes.length - 1),
      slots_busy_until_95: this.#busy(Math.ceil(0.95 * this.answerTimes.length) - 1),
      prefix_queries: this.prefixQueries,
      prefix_hits: this.prefixHits,
      completion_tokens: this.generated,
      first_request_s: epoch(this.firstRequest),
      last_answer_s: epoch(this.lastAnswer),
      span_s: span === null ? null : round(span / 1000),
      queue_ms: this.queueTimes.percentiles(),
      latency_ms: this.latencies.percentiles(),
      cpu_s: round((cpu.user + cpu.system) / 1e6),
    };
  }
}
