/**
 * What the server says. Without `reply_tokens`, or with a JSON schema: byte for byte what scripted_replies.py says to
 * the same messages, seed and schema. With `reply_tokens`: so many words of three letters, cheaply.
 */

import { float, number, write } from "./exact_json.mjs";
import { mixed } from "./prefix_cache.mjs";
import { digest, PythonRandom } from "./python_random.mjs";

const THINGS = "bread,guitar,garden,kettle,bicycle,novel,map,jacket,camera,recipe,puzzle,lamp,sketch,record,tent,ladder".split(",");
const PLACES = "harbour,market,library,station,valley,museum,bakery,island,workshop,forest,bridge,theatre,lake,school".split(",");
const PEOPLE = "sister,neighbour,uncle,teacher,friend,cousin,colleague,brother,grandmother,flatmate,doctor,coach".split(",");
const MOODS = "quiet,strange,cheap,lovely,slow,bright,noisy,useful,heavy,funny,warm,simple,late,famous,green,difficult".split(",");
const ACTS = "repair,paint,visit,borrow,plan,sell,learn about,photograph,carry,measure,forget,describe,compare,finish".split(",");
const TIMES = "yesterday,on Monday,last summer,this morning,every week,in March,after work,before dinner,at noon,tonight".split(",");
const FORMS = [
  (w) => `I went to the ${w.place} ${w.time} with my ${w.person}.`,
  (w) => `My ${w.person} wants to ${w.act} the ${w.thing} ${w.time}.`,
  (w) => `Do you know a ${w.mood} ${w.place} near here?`,
  (w) => `The ${w.thing} was more ${w.mood} than I thought.`,
  (w) => `Why would anyone ${w.act} a ${w.mood} ${w.thing}?`,
  (w) => `We could ${w.act} it at the ${w.place} ${w.time}.`,
  (w) => `That sounds ${w.mood}, tell me about your ${w.person}.`,
  (w) => `I never liked the ${w.place}, it is too ${w.mood}.`,
  (w) => `Maybe your ${w.person} can ${w.act} the ${w.thing}.`,
  (w) => `How did you ${w.act} that ${w.mood} ${w.thing}?`,
  (w) => `A ${w.mood} ${w.thing} is enough for my ${w.person}.`,
  (w) => `Shall we meet at the ${w.place} ${w.time}?`,
];

/** One or two short sentences. The order of the draws is part of the text. */
function sentences(rng) {
  const count = rng.random() < 0.6 ? 1 : 2;
  const made = [];
  for (let i = 0; i < count; i++) {
    const form = rng.choice(FORMS);
    const place = rng.choice(PLACES);
    const time = rng.choice(TIMES);
    const person = rng.choice(PEOPLE);
    const act = rng.choice(ACTS);
    const thing = rng.choice(THINGS);
    const mood = rng.choice(MOODS);
    made.push(form({ place, time, person, act, thing, mood }));
  }
  return made.join(" ");
}

/** A random value that fits a simple schema (of parseExactly), as JSON text. */
function instance(schema, rng, root = schema) {
  if ("$ref" in schema) {
    const names = schema.$ref.replace(/^#\//, "").split("/");
    return instance(names.reduce((part, name) => part[name], root), rng, root);
  }
  if ("const" in schema) return write(schema.const);
  if ("enum" in schema) return write(rng.choice(schema.enum));
  for (const union of ["anyOf", "oneOf"]) {
    if (union in schema) return instance(rng.choice(schema[union]), rng, root);
  }
  let kind = schema.type ?? ("properties" in schema ? "object" : "string");
  if (Array.isArray(kind)) kind = rng.choice(kind);
  return (KINDS[kind] ?? KINDS.string)(schema, rng, root);
}

const KINDS = {
  object(schema, rng, root) {
    const parts = Object.entries(schema.properties ?? {});
    return `{${parts.map(([name, part]) => `${JSON.stringify(name)}:${instance(part, rng, root)}`).join(",")}}`;
  },
  array(schema, rng, root) {
    const low = number(schema.minItems) ?? 0;
    const size = rng.randint(low, Math.min(number(schema.maxItems) ?? low + 3, low + 5));
    const items = Array.from({ length: size }, () => instance(schema.items ?? { type: "string" }, rng, root));
    return `[${items.join(",")}]`;
  },
  integer(schema, rng) {
    const low = Math.trunc(number(schema.minimum) ?? (number(schema.exclusiveMinimum) ?? -1) + 1);
    const high = Math.trunc(number(schema.maximum) ?? (number(schema.exclusiveMaximum) ?? low + 11) - 1);
    return String(rng.randint(low, high));
  },
  number(schema, rng) {
    const low = number(schema.minimum) ?? number(schema.exclusiveMinimum) ?? 0;
    const high = number(schema.maximum) ?? number(schema.exclusiveMaximum) ?? low + 1;
    return float(Number(rng.uniform(low, high).toFixed(3)));
  },
  boolean: (_, rng) => String(rng.random() < 0.5),
  null: () => "null",
  string(schema, rng) {
    let text = sentences(rng);
    while (text.length < (number(schema.minLength) ?? 0)) text += " " + sentences(rng);
    return JSON.stringify(text.slice(0, number(schema.maxLength) ?? text.length).trim() || "a");
  },
};

/** 64 words of three letters: with its space a word is 4 characters, what this server calls a token. */
const WORDS = [..."bdfgklmn"].flatMap((first) => [..."aeio"].flatMap((vowel) => [first + vowel + "t", first + vowel + "s"]));

/** `count` words drawn from two hash words. */
function words(count, a, b) {
  let text = "";
  for (let i = 0; i < count; i++) {
    const drawn = mixed(a + Math.imul(i, 0x9e3779b1) ^ b);
    text += i ? " " + WORDS[drawn & 63] : WORDS[drawn & 63];
  }
  return text;
}

/** "20" -> [20, 20], "2..30" -> [2, 30], "" -> null. */
export function spread(replyTokens) {
  const found = /^(\d+)(?:\.\.(\d+))?$/.exec(String(replyTokens));
  return found && [Number(found[1]), Number(found[2] ?? found[1])];
}

/**
 * The text of choice `index`. Choice 0 does not depend on how many choices were asked for.
 * @param {object} asked messages; seed and schema as of parseExactly; choices, anyObject; a and b, a hash of messages and seed
 * @param {string} replyTokens see `spread`
 */
export function replyText(asked, index, replyTokens) {
  const range = spread(replyTokens);
  if (range && !asked.schema && !asked.oneOf && !asked.anyObject) {
    const a = mixed(asked.a + Math.imul(index, 0x85ebca6b));
    const [low, high] = range;
    return words(low + ((mixed(a ^ asked.b) >>> 0) % (high - low + 1)), a, asked.b);
  }
  const parts = [asked.messages, asked.seed, asked.schema];
  if (index) parts.push(index);
  const rng = new PythonRandom(digest(write(parts, true)));
  if (asked.schema) return instance(asked.schema, rng);
  if (asked.oneOf) return rng.choice(asked.oneOf);
  const text = sentences(rng);
  return asked.anyObject ? JSON.stringify({ text }) : text;
}
