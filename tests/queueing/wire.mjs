/**
 * HTTP/1.1 over plain sockets, as much of it as a JSON server needs: Node's http module costs more than all the rest of
 * this server. Bodies come with Content-Length; one request of a connection is answered at a time.
 */

import net from "node:net";

const REASONS = {
  200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required", 429: "Too Many Requests",
  500: "Internal Server Error", 503: "Service Unavailable",
};
const JSON_TYPE = "application/json";

/** The largest body, as a guard against a broken Content-Length. */
const LARGEST = 1 << 28;

function head(status, type, length, headers) {
  return `HTTP/1.1 ${status} ${REASONS[status] ?? "Unknown"}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n${headers}\r\n`;
}

/** One request and its one answer. `onGone` is called if the client leaves before the answer. */
export class Exchange {
  /** The answer was written and the client left, by a reset, without having taken it from its socket. */
  onUnread = null;
  onGone = null;
  #connection;

  constructor(connection, head, body) {
    const [method, path] = head.slice(0, head.indexOf("\r\n")).split(" ");
    this.#connection = connection;
    this.method = method;
    this.path = path.split("?", 1)[0];
    this.head = head;
    this.body = body;
  }

  /** The value of a header, or "". @param {string} name */
  header(name) {
    return new RegExp(`\\r\\n${name}:[ \\t]*([^\\r]*)`, "i").exec(this.head)?.[1].trimEnd() ?? "";
  }

  get open() {
    return this.#connection.current === this;
  }

  /** @param {string} headers more of them, each line with its end */
  answer(status, body, headers = "", type = JSON_TYPE) {
    if (this.open) this.#connection.write(head(status, type, Buffer.byteLength(body), headers) + body);
  }

  /** Tells the length of all, sends half and closes. */
  answerHalf(body) {
    const bytes = Buffer.from(body);
    const told = Buffer.from(head(200, JSON_TYPE, bytes.length, ""));
    if (this.open) this.#connection.socket.end(Buffer.concat([told, bytes.subarray(0, bytes.length >> 1)]));
    this.#connection.current = null;
  }

  /** Closes the connection with a TCP reset. */
  reset() {
    const connection = this.#connection;
    if (this.open) connection.socket.resetAndDestroy();
    connection.current = null;
  }
}

class Connection {
  current = null;
  #answered = null;
  #onRequest;
  #bytes = null;
  /** Bytes to wait for before looking again: a large body is not searched at each chunk. */
  #needed = 0;

  constructor(socket, onRequest) {
    this.socket = socket;
    this.#onRequest = onRequest;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      this.#bytes = this.#bytes === null ? chunk : Buffer.concat([this.#bytes, chunk]);
      this.#next();
    });
    socket.on("error", () => {
      this.#answered?.onUnread?.();
      this.#answered = null;
    });
    socket.on("close", () => {
      const gone = this.current;
      this.current = null;
      gone?.onGone?.();
    });
  }

  write(text) {
    this.#answered = this.current;
    this.current = null;
    this.socket.write(text);
    if (/\r\nconnection: *close/i.test(this.#answered.head)) this.socket.end();
    else if (this.#bytes !== null) this.#next();
  }

  #next() {
    while (this.current === null && this.#bytes !== null && this.#bytes.length >= this.#needed) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = this.#bytes.latin1Slice(0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      const unusual = /\r\n(?:transfer-encoding|expect):/i.test(head);
      if (length > LARGEST || (unusual && /\r\ntransfer-encoding:/i.test(head))) return this.#refuse();
      this.#needed = end + 4 + length;
      if (this.#bytes.length < this.#needed) {
        if (unusual) this.socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        return;
      }
      const body = this.#bytes.subarray(end + 4, this.#needed);
      this.#bytes = this.#bytes.length === this.#needed ? null : this.#bytes.subarray(this.#needed);
      this.#needed = 0;
      this.#answered = null;
      this.current = new Exchange(this, head, body);
      this.#onRequest(this.current);
    }
  }

  #refuse() {
    const body = '{"error":{"message":"send the body with a Content-Length","type":"Bad Request","param":null,"code":411}}';
    this.socket.end(head(411, JSON_TYPE, body.length, "") + body);
    this.#bytes = null;
  }
}

/** @returns {Promise<number>} the port */
export function listen(port, onRequest) {
  const server = net.createServer((socket) => new Connection(socket, onRequest));
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen({ port, host: "127.0.0.1", backlog: 4096 }, () => resolve(server.address().port));
  });
}
