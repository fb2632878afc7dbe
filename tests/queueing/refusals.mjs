/** Why vLLM 0.32 refuses a chat request, in its statuses, types and words. */

import { spread } from "./replies.mjs";

/** The body of an error. */
export function problem(status, message, type, param = null) {
  return { status, body: JSON.stringify({ error: { message, type, param, code: status } }) };
}

const wrong = (message, param = null) => problem(400, message, "BadRequestError", param);

/** What the request's own checks find (a space in the type, no `param`). */
export const malformed = (message) => problem(400, message, "Bad Request");

const missing = (name) => malformed(`[{'type': 'missing', 'loc': ('body', '${name}'), 'msg': 'Field required'}]`);
const mistyped = (name, kind) => malformed(`[{'type': '${kind}_type', 'loc': ('body', '${name}'), 'msg': 'Input should be a valid ${kind}'}]`);

/** Fields with a type of their own; all others that are not known are ignored. */
const FIELDS = {
  model: "string", temperature: "number", top_p: "number", max_tokens: "integer", max_completion_tokens: "integer",
  n: "integer", seed: "integer", logprobs: "boolean", top_logprobs: "integer", stream: "boolean", tools: "list",
};

function fits(value, kind) {
  if (kind === "integer") return Number.isInteger(value);
  return kind === "list" ? Array.isArray(value) : typeof value === kind;
}

function shape(body) {
  if (body === null || typeof body !== "object" || Array.isArray(body)) return mistyped("", "dictionary");
  if (body.messages === undefined) return missing("messages");
  if (!Array.isArray(body.messages)) return mistyped("messages", "list");
  for (const message of body.messages) {
    if (message === null || typeof message !== "object" || typeof message.role !== "string") return missing("messages.role");
    const { content } = message;
    if (content != null && typeof content !== "string" && !Array.isArray(content)) return mistyped("messages.content", "string");
  }
  for (const name in body) {
    const kind = FIELDS[name];
    if (kind !== undefined && body[name] !== null && !fits(body[name], kind)) return mistyped(name, kind);
  }
  return null;
}

function sampling(body, seed) {
  const { n = 1, stop, top_logprobs: top } = body;
  if (n !== null && n < 1) return wrong(`n must be at least 1, got ${n}.`, "n");
  if (body.temperature === 0 && n > 1) return wrong(`n must be 1 when using greedy sampling, got ${n}.`, "n");
  if (body.temperature < 0) return wrong(`temperature must be non-negative, got ${body.temperature}.`, "temperature");
  const stops = typeof stop === "string" ? [stop] : (stop ?? []);
  if (!Array.isArray(stops) || stops.length > 4) return wrong("stop accepts at most 4 strings.", "stop");
  if (stops.some((text) => text === "")) return wrong("stop cannot contain an empty string.", "stop");
  if (top != null && top > 20) return wrong("Requested sample logprobs of " + top + ", which is greater than max allowed: 20", "logprobs");
  if (top != null && top > 0 && !body.logprobs) return wrong("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs");
  if (typeof body.seed === "number" && BigInt(seed) >= 2n ** 63n) return wrong("seed must be less than 2**63.", "seed");
  return null;
}

/** A model's context and how long the answer may be. */
function length(body, does, promptTokens) {
  const limit = does.max_model_len;
  const most = body.max_completion_tokens ?? body.max_tokens;
  if (most != null && most < 1) return wrong(`max_tokens must be at least 1, got ${most}.`, "max_tokens");
  if (most != null && most > limit) return wrong(`max_tokens=${most} cannot be greater than max_model_len=${limit}.`, "max_tokens");
  if (promptTokens === limit) return wrong("max_tokens must be at least 1, got 0.", "max_tokens");
  if (promptTokens < limit) return null;
  const told = `This model's maximum context length is ${limit} tokens. However, your request has at least ${limit + 1} input tokens.`;
  return wrong(`${told} Please reduce the length of the input messages.`, "input_tokens");
}

function switchedOff(body) {
  if (body.stream) return wrong("this server does not stream; ask without `stream`.", "stream");
  if (body.chat_template) return wrong("Chat template is passed with request, but --trust-request-chat-template is not set.");
  if (!body.tools?.length || body.tool_choice === "none") return null;
  if ((body.tool_choice ?? "auto") === "auto") return wrong('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set');
  return wrong("tool_choice requires --tool-call-parser to be set");
}

const TYPES = new Set(["object", "array", "string", "number", "integer", "boolean", "null"]);
const UNSUPPORTED = ["uniqueItems", "contains"];
const INSIDE = ["properties", "$defs", "definitions"];
const LISTS = ["anyOf", "oneOf", "allOf", "prefixItems"];

/** What is wrong with a JSON schema, or null. */
function grammarError(schema) {
  if (typeof schema === "boolean") return null;
  if (schema === null || typeof schema !== "object" || Array.isArray(schema)) return "schema must be an object or a boolean";
  const refused = UNSUPPORTED.filter((name) => name in schema);
  if (refused.length) return `Unimplemented keys: ${JSON.stringify(refused)}`;
  for (const kind of [schema.type ?? []].flat()) if (!TYPES.has(kind)) return `Invalid type: ${kind}`;
  if (schema.enum !== undefined && !(Array.isArray(schema.enum) && schema.enum.length)) return "enum must be a list of values";
  const parts = [...INSIDE.flatMap((name) => Object.values(schema[name] ?? {})), ...LISTS.flatMap((name) => schema[name] ?? [])];
  if (schema.items !== undefined) parts.push(schema.items);
  for (const part of parts) {
    const found = grammarError(part);
    if (found) return found;
  }
  return null;
}

function structure(body) {
  const format = body.response_format;
  if (format != null) {
    if (!["text", "json_object", "json_schema"].includes(format.type)) return malformed(`response_format: no type '${format.type}'`);
    if (format.type !== "json_schema") return null;
    if (format.json_schema?.schema === undefined) return missing("response_format.json_schema.schema");
    const found = grammarError(format.json_schema.schema);
    return found && wrong(`Grammar error: ${found}`);
  }
  const asked = body.structured_outputs;
  if (asked == null) return null;
  const kinds = Object.keys(asked).filter((name) => asked[name] != null && asked[name] !== false);
  if (kinds.length !== 1) return wrong("You must use exactly one kind of structured outputs constraint.");
  if (kinds[0] === "choice") return asked.choice.length ? null : wrong("structured_outputs.choice cannot be empty");
  if (kinds[0] === "json") {
    const found = grammarError(asked.json);
    return found && wrong(`Grammar error: ${found}`);
  }
  return kinds[0] === "json_object" ? null : wrong(`this server knows structured_outputs json, json_object and choice, not ${kinds[0]}.`);
}

export function unknownModel(name) {
  return problem(404, `The model \`${name}\` does not exist.`, "NotFoundError", "model");
}

/** The first reason to refuse a body before its prompt is looked at, or null. @param seed its seed's digits */
export function refusal(body, does, seed) {
  const found = shape(body);
  if (found) return found;
  if (body.model != null && body.model !== does.model) return unknownModel(body.model);
  if (body.messages.length === 0) return wrong("messages cannot be empty.", "messages");
  return sampling(body, seed) ?? switchedOff(body) ?? structure(body);
}

export { length as lengthRefusal };

/** What is wrong with a change of the behaviour, or null. */
export function misbehaviour(changes, defaults, faults) {
  if (changes === null || typeof changes !== "object") return "a change of behaviour is an object";
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in defaults)) return `no behaviour '${name}'; there are ${Object.keys(defaults).join(", ")}`;
    const told = `got ${JSON.stringify(value)}`;
    if (typeof defaults[name] === "number" && !(typeof value === "number" && value >= 0)) return `${name} must be a number, 0 or more, ${told}`;
    if (name === "faults") {
      const unknown = [value].flat().find((fault) => !faults.includes(fault));
      if (unknown !== undefined) return `faults: no '${unknown}'; there are ${faults.join(", ")}`;
    } else if (typeof defaults[name] === "string" && typeof value !== "string") return `${name} must be a string, ${told}`;
    const wordless = name === "reply_tokens" && value !== "" && spread(value) === null;
    if (wordless) return `reply_tokens must be a number or a range such as 2..30, ${told}`;
  }
  return null;
}
