/**
 * A prefix cache as vLLM keeps one: a prompt is cut into blocks, a block is known by all text up to its end, blocks of
 * requests in service are held, the others leave in the order of their last use.
 *
 * All in typed arrays: at 10,000 requests a second and 20 blocks each, a Map of objects would cost more than the rest
 * of the server.
 */

export const BLOCK_CHARS = 64;
export const CHARS_PER_TOKEN = 4;
export const BLOCK_TOKENS = BLOCK_CHARS / CHARS_PER_TOKEN;

/** A thorough mix of 32 bits (the finaliser of MurmurHash3). */
export function mixed(value) {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}

/** Two hash words of some bytes, four at a time. */
export function bytesHash(bytes) {
  let a = bytes.length;
  let b = 0x2545f491;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(((b << 5) | (b >>> 27)) ^ word, 0x9e3779b1);
  }
  for (; i < bytes.length; i++) a = Math.imul(a ^ bytes[i], 0x01000193);
  return [mixed(a), mixed(b ^ a)];
}

/** The blocks of a text that grows: two 32-bit hashes of everything so far, noted at each 64th character. */
export class Chain {
  a = 0x811c9dc5 | 0;
  b = 0x2545f491;
  chars = 0;
  /** a and b after each full block, in turns. */
  keys = [];

  add(text) {
    let { a, b, chars } = this;
    for (let i = 0; i < text.length; i++) {
      const char = text.charCodeAt(i);
      a = Math.imul(a ^ char, 0x01000193);
      b = Math.imul(((b << 5) | (b >>> 27)) ^ char, 0x9e3779b1);
      if ((++chars & (BLOCK_CHARS - 1)) === 0) this.keys.push(a, b);
    }
    this.a = a;
    this.b = b;
    this.chars = chars;
  }

  get blocks() {
    return this.keys.length >> 1;
  }

  get tokens() {
    return Math.ceil(this.chars / CHARS_PER_TOKEN);
  }
}

const NONE = -1;

export class PrefixCache {
  /** Blocks at most, 0 for no limit. Held blocks stay even beyond it. */
  limit = 0;
  size = 0;
  held = 0;
  #room = 1 << 14;
  #a = new Int32Array(this.#room);
  #b = new Int32Array(this.#room);
  /** How many requests in service hold the block. */
  #holders = new Int32Array(this.#room);
  /** The next block of the same bucket; of the unused places, the next unused one. */
  #sibling = new Int32Array(this.#room);
  /** The list of blocks that nobody holds, oldest first; its ends are #oldest and #newest. */
  #older = new Int32Array(this.#room);
  #newer = new Int32Array(this.#room);
  #buckets = new Int32Array(this.#room * 2).fill(NONE);
  #oldest = NONE;
  #newest = NONE;
  #unused = NONE;
  /** Places from here on were never used. */
  #fresh = 0;

  /** Leading blocks of a chain that are cached, of its first `most`. */
  leading(keys, most) {
    let found = 0;
    while (found < most && this.#find(keys[2 * found], keys[2 * found + 1]) !== NONE) found++;
    return found;
  }

  /** Whether the blocks of a chain can be held beside those that are. */
  fits(keys) {
    if (!this.limit) return true;
    let more = 0;
    for (let i = 0; i < keys.length; i += 2) {
      const place = this.#find(keys[i], keys[i + 1]);
      more += place === NONE || this.#holders[place] === 0 ? 1 : 0;
    }
    return this.held + more <= this.limit;
  }

  /** Holds the blocks of a chain, cached before or not. @returns {Int32Array} for `release` */
  hold(keys) {
    const places = new Int32Array(keys.length >> 1);
    for (let i = 0; i < places.length; i++) {
      let place = this.#find(keys[2 * i], keys[2 * i + 1]);
      if (place === NONE) place = this.#insert(keys[2 * i], keys[2 * i + 1]);
      else if (this.#holders[place] === 0) this.#leaveList(place);
      if (this.#holders[place]++ === 0) this.held++;
      places[i] = place;
    }
    return places;
  }

  /** The last block of a chain becomes the oldest: without it the ones before are still of use, not the other way round. */
  release(places) {
    for (let i = places.length - 1; i >= 0; i--) {
      const place = places[i];
      if (--this.#holders[place] > 0) continue;
      this.held--;
      this.#joinList(place);
    }
    this.trim();
  }

  /** Down to the limit, where nobody holds what is beyond it. */
  trim() {
    while (this.limit && this.size > this.limit && this.#oldest !== NONE) this.#evict();
  }

  /** Forgets all that nobody holds. */
  clear() {
    while (this.#oldest !== NONE) this.#evict();
  }

  #bucket(a, b) {
    return (mixed(a) ^ b) & (this.#buckets.length - 1);
  }

  #find(a, b) {
    let place = this.#buckets[this.#bucket(a, b)];
    while (place !== NONE && (this.#a[place] !== a || this.#b[place] !== b)) place = this.#sibling[place];
    return place;
  }

  #insert(a, b) {
    if (this.limit && this.size >= this.limit && this.#oldest !== NONE) this.#evict();
    let place = this.#unused;
    if (place !== NONE) this.#unused = this.#sibling[place];
    else {
      if (this.#fresh === this.#room) this.#grow();
      place = this.#fresh++;
    }
    this.size++;
    this.#a[place] = a;
    this.#b[place] = b;
    this.#holders[place] = 0;
    this.#joinBucket(place);
    return place;
  }

  #evict() {
    const place = this.#oldest;
    this.#leaveList(place);
    const bucket = this.#bucket(this.#a[place], this.#b[place]);
    if (this.#buckets[bucket] === place) this.#buckets[bucket] = this.#sibling[place];
    else {
      let before = this.#buckets[bucket];
      while (this.#sibling[before] !== place) before = this.#sibling[before];
      this.#sibling[before] = this.#sibling[place];
    }
    this.#sibling[place] = this.#unused;
    this.#unused = place;
    this.size--;
  }

  #joinBucket(place) {
    const bucket = this.#bucket(this.#a[place], this.#b[place]);
    this.#sibling[place] = this.#buckets[bucket];
    this.#buckets[bucket] = place;
  }

  #joinList(place) {
    this.#older[place] = this.#newest;
    this.#newer[place] = NONE;
    if (this.#newest === NONE) this.#oldest = place;
    else this.#newer[this.#newest] = place;
    this.#newest = place;
  }

  #leaveList(place) {
    const older = this.#older[place];
    const newer = this.#newer[place];
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  /** Only when every place is in use, so that all of them go back into the buckets. */
  #grow() {
    const larger = (old) => {
      const made = new Int32Array(old.length * 2);
      made.set(old);
      return made;
    };
    this.#room *= 2;
    this.#a = larger(this.#a);
    this.#b = larger(this.#b);
    this.#holders = larger(this.#holders);
    this.#sibling = larger(this.#sibling);
    this.#older = larger(this.#older);
    this.#newer = larger(this.#newer);
    this.#buckets = new Int32Array(this.#room * 2).fill(NONE);
    for (let place = 0; place < this.#fresh; place++) this.#joinBucket(place);
  }
}
