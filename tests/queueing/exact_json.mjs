/**
 * JSON as orjson reads and writes it where JavaScript differs: 1.0 stays a float, integers beyond 2**53 keep all their
 * digits, keys can be sorted. Property names that are integers keep JavaScript's order, not the text's.
 */

const TAG = "\u0000number:";
const STRINGS_AND_NUMBERS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** JSON.parse, but a number that JavaScript would change is kept as a tagged string: see `number` and `write`. */
export function parseExactly(text) {
  const kept = text.replace(STRINGS_AND_NUMBERS, (found) => {
    const plain = found[0] === '"' || (found.length < 16 && !/[.eE]/.test(found));
    return plain ? found : JSON.stringify(TAG + found);
  });
  return JSON.parse(kept);
}

/** The number behind a value of `parseExactly`. */
export function number(value) {
  return typeof value === "string" && value.startsWith(TAG) ? Number(value.slice(TAG.length)) : value;
}

/** The shortest text of a double, in orjson's form. */
export function float(value) {
  const size = Math.abs(value);
  if (size >= 1e16 || (size < 1e-5 && size > 0)) return value.toExponential();
  const text = Object.is(value, -0) ? "-0" : String(value);
  return Number.isInteger(value) ? text + ".0" : text;
}

function tagged(text) {
  const digits = text.slice(TAG.length);
  return /[.eE]/.test(digits) ? float(Number(digits)) : digits;
}

/** A value of `parseExactly` or JSON.parse as text without spaces. */
export function write(value, sorted = false) {
  if (typeof value === "string") return value.startsWith(TAG) ? tagged(value) : JSON.stringify(value);
  if (value === null || typeof value !== "object") return String(value);
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value) text += (text && ",") + write(item, sorted);
    return `[${text}]`;
  }
  const names = Object.keys(value);
  if (sorted) names.sort();
  for (const name of names) text += `${text && ","}${JSON.stringify(name)}:${write(value[name], sorted)}`;
  return `{${text}}`;
}
