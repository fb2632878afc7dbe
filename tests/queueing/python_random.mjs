/**
 * Python's `random.Random(integer)` and `hashlib.blake2b(data, digest_size=8)`, bit for bit: with them a reply is the
 * same text here and in scripted_replies.py.
 */

const INITIAL = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const MIXED = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];

/** Where things lie in the WebAssembly memory: the state, the initial vector, the data. */
const STATE = 0;
const VECTOR = 64;
const DATA = 128;

/** An unsigned number below 2**14 as WebAssembly writes it. */
const leb = (value) => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];

/**
 * The compression function of RFC 7693 as a WebAssembly function (pointer, bytes so far, 1 if last): 64-bit sums are
 * one instruction there and a dozen in JavaScript, and Node's own blake2b has no digest of 8 bytes.
 */
function compression() {
  const [pointer, soFar, last, words] = [0, 1, 2, 3];
  const get = (local) => [0x20, local];
  const set = (local) => [0x21, local];
  const v = (i) => get(words + i);
  const at = (offset) => [0x41, 0, 0x29, 3, ...leb(offset)];
  const message = (i) => [...get(pointer), 0x29, 3, ...leb(8 * i)];
  const turned = (i, other, bits) => [...v(i), ...v(other), 0x85, 0x42, ...signed(bits), 0x8a, ...set(words + i)];
  const half = (a, b, c, d, word, first, second) => [
    ...v(a), ...v(b), 0x7c, ...message(word), 0x7c, ...set(words + a),
    ...turned(d, a, first),
    ...v(c), ...v(d), 0x7c, ...set(words + c),
    ...turned(b, c, second),
  ];
  const code = [];
  for (let i = 0; i < 8; i++) code.push(...at(STATE + 8 * i), ...set(words + i), ...at(VECTOR + 8 * i), ...set(words + 8 + i));
  code.push(...v(12), ...get(soFar), 0xad, 0x85, ...set(words + 12));
  code.push(...v(14), 0x42, 0, ...get(last), 0xad, 0x7d, 0x85, ...set(words + 14));
  for (let round = 0; round < 12; round++) {
    const order = ORDERS[round % 10];
    MIXED.forEach(([a, b, c, d], i) => {
      code.push(...half(a, b, c, d, order[2 * i], 32, 24), ...half(a, b, c, d, order[2 * i + 1], 16, 63));
    });
  }
  for (let i = 0; i < 8; i++) {
    code.push(0x41, 0, ...at(STATE + 8 * i), ...v(i), 0x85, ...v(8 + i), 0x85, 0x37, 3, ...leb(STATE + 8 * i));
  }
  const body = [1, 16, 0x7e, ...code, 0x0b];
  return [...leb(body.length), ...body];
}

/** A small number as a signed LEB128, which reads bit 6 as the sign. */
const signed = (value) => (value < 64 ? [value] : [(value & 127) | 128, 0]);

function assembled() {
  const name = (text) => [text.length, ...Buffer.from(text)];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 2]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("compress"), 0, 0]),
    ...section(10, [1, ...compression()]),
  ]);
}

const { memory, compress } = new WebAssembly.Instance(new WebAssembly.Module(assembled())).exports;
const PARAMETERS = 0x01010008n; // no key, one leaf, a digest of 8 bytes
let bytes, words, numbers;

/** Memory that grows is another buffer: the views are made again. */
function view() {
  bytes = Buffer.from(memory.buffer);
  words = new Uint32Array(memory.buffer);
  numbers = new BigUint64Array(memory.buffer);
}

view();
numbers.set(INITIAL, VECTOR / 8);

/** The 8-byte digest of a text in UTF-8, as two words: [high, low] of the integer that Python reads big-endian. */
export function digest(text) {
  const most = DATA + 3 * text.length + 128;
  if (most > bytes.length) {
    memory.grow(Math.ceil((most - bytes.length) / 65536));
    view();
  }
  const size = bytes.utf8Write(text, DATA);
  numbers.set(INITIAL, STATE / 8);
  numbers[STATE / 8] ^= PARAMETERS;
  let done = 0;
  for (; done + 128 < size; done += 128) compress(DATA + done, done + 128, 0);
  bytes.fill(0, DATA + size, DATA + done + 128);
  compress(DATA + done, size, 1);
  return [bytes.readUInt32BE(STATE), bytes.readUInt32BE(STATE + 4)];
}

const SIZE = 624;
const AHEAD = 397;

/** The state that every seeding starts from: init_genrand(19650218). */
const GROUND = new Int32Array(SIZE);
GROUND[0] = 19650218;
for (let i = 1; i < SIZE; i++) GROUND[i] = Math.imul(1812433253, GROUND[i - 1] ^ (GROUND[i - 1] >>> 30)) + i;

/** The Mersenne Twister as Python seeds and reads it. */
export class PythonRandom {
  #state = GROUND.slice();
  #at = 0;

  /** @param {[number, number]} seed high and low word of a 64-bit integer */
  constructor([high, low]) {
    const state = this.#state;
    // A key of one word is added with index 0 at every step, one of two words in turns.
    const even = low | 0;
    const odd = high === 0 ? even : (high | 0) + 1;
    let before = state[0];
    for (let i = 1; i < SIZE; i++) {
      before = (state[i] ^ Math.imul(before ^ (before >>> 30), 1664525)) + (i & 1 ? even : odd) | 0;
      state[i] = before;
    }
    before = state[1] = (state[1] ^ Math.imul(before ^ (before >>> 30), 1664525)) + odd | 0;
    for (let i = 2; i < SIZE; i++) {
      before = (state[i] ^ Math.imul(before ^ (before >>> 30), 1566083941)) - i | 0;
      state[i] = before;
    }
    state[1] = (state[1] ^ Math.imul(before ^ (before >>> 30), 1566083941)) - 1 | 0;
    state[0] = 0x80000000 | 0;
  }

  /** Words are twisted one by one when asked for: a reply needs a dozen of the 624. */
  #word() {
    const state = this.#state;
    const i = this.#at;
    const y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
    let word = state[(i + AHEAD) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    state[i] = word;
    this.#at = (i + 1) % SIZE;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  random() {
    const high = this.#word() >>> 5;
    const low = this.#word() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** An integer below `end`, at most 2**53. */
  below(end) {
    if (!(end >= 1)) throw new RangeError("there is no value between the bounds");
    const bits = end < 4294967296 ? 32 - Math.clz32(end) : 64 - Math.clz32(Math.floor(end / 4294967296));
    for (;;) {
      let drawn = this.#word();
      if (bits <= 32) drawn >>>= 32 - bits;
      else drawn += (this.#word() >>> (64 - bits)) * 4294967296;
      if (drawn < end) return drawn;
    }
  }

  choice(items) {
    return items[this.below(items.length)];
  }

  /** Both ends included. */
  randint(low, high) {
    return low + this.below(high - low + 1);
  }

  uniform(low, high) {
    return low + (high - low) * this.random();
  }
}
