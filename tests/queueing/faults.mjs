/** Which attempts fail, and how: a function of (messages, seed, attempt) and the behaviour, never of the order. */

import { mixed } from "./prefix_cache.mjs";

export const FAULTS = ["500", "429", "503", "reset", "truncated", "short_body", "stall", "empty_choices", "refusal", "length"];

/** The fault of an attempt, or null. @param asked its a and b are a hash of messages and seed */
export function faultOf({ a, b }, attempt, does) {
  const drawn = mixed(mixed(a ^ mixed(does.fault_seed + 1)) ^ b ^ Math.imul(attempt + 1, 0x9e3779b1));
  if ((drawn >>> 0) / 4294967296 >= does.error_rate) return null;
  return does.faults[(mixed(drawn ^ 0x5bd1e995) >>> 0) % does.faults.length];
}

/** A choice cut inside its text, as if the tokens had run out. */
export function halved(made) {
  const text = made.text.slice(0, made.text.length >> 1);
  return { ...made, text, finish: "length", stopReason: null, tokens: Math.ceil(made.tokens / 2) };
}
