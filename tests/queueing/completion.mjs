/** A chat request understood, and its completion. */

import { parseExactly } from "./exact_json.mjs";
import { CHARS_PER_TOKEN, Chain, mixed } from "./prefix_cache.mjs";
import { replyText } from "./replies.mjs";

/** Marks of a chat template: they close a role and a message. */
const ROLE_END = "\u0001";
const MESSAGE_END = "\u0002";

/** All of a prompt as one chain of blocks, up to where the assistant is to speak. */
export function promptChain(body) {
  const chain = new Chain();
  if (body.cache_salt) chain.add(body.cache_salt + MESSAGE_END);
  for (const message of body.messages) {
    const { role, content } = message;
    chain.add(role + ROLE_END);
    chain.add(typeof content === "string" ? content : JSON.stringify(content ?? null));
    if (message.tool_calls) chain.add(JSON.stringify(message.tool_calls));
    chain.add(MESSAGE_END);
  }
  chain.add("assistant" + ROLE_END);
  return chain;
}

/**
 * What decides the reply's text.
 * @param {string} text the body as sent: numbers of a schema and large seeds are read from it exactly
 */
export function understood(body, text, chain) {
  const { response_format: format, structured_outputs: outputs } = body;
  const inexact = format != null || outputs != null || (body.seed != null && !Number.isSafeInteger(body.seed));
  const exact = inexact ? parseExactly(text) : body;
  const seed = exact.seed ?? null;
  const salt = mixed(seed === null ? 0 : Number(body.seed) | 0) ^ Math.floor((body.seed ?? 0) / 4294967296);
  return {
    messages: body.messages,
    seed,
    schema: exact.response_format?.json_schema?.schema ?? exact.structured_outputs?.json ?? null,
    oneOf: outputs?.choice ?? null,
    anyObject: format?.type === "json_object" || outputs?.json_object === true,
    choices: body.n ?? 1,
    a: mixed(chain.a ^ salt),
    b: chain.b,
  };
}

export const tokensOf = (text) => Math.ceil(text.length / CHARS_PER_TOKEN);

/** One choice: its text as the limits leave it, and why it ends. */
export function choice(asked, body, index, does, room) {
  let text = replyText(asked, index, does.reply_tokens);
  let finish = "stop";
  let stopReason = null;
  const most = Math.min(body.max_completion_tokens ?? body.max_tokens ?? room, room);
  if (tokensOf(text) > most) {
    text = text.slice(0, most * CHARS_PER_TOKEN);
    finish = "length";
  }
  const stops = typeof body.stop === "string" ? [body.stop] : (body.stop ?? []);
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at < 0) continue;
    text = text.slice(0, at);
    finish = "stop";
    stopReason = stop;
  }
  return { text, finish, stopReason, tokens: tokensOf(text) };
}

/** Log-probabilities of a text's tokens (4 characters each), by a hash: the sampled token is the likeliest. */
function logprobs(text, top) {
  const one = (token, rank, seed) => {
    const logprob = -((mixed(seed + rank) >>> 0) % 100) / 100 - rank;
    return { token, logprob, bytes: [...Buffer.from(token)] };
  };
  const content = (text.match(/[^]{1,4}/gu) ?? []).map((token, i) => {
    const seed = mixed(i * 131 + token.charCodeAt(0));
    const likely = Array.from({ length: top }, (_, rank) => one(rank ? token + "'".repeat(rank) : token, rank, seed));
    return { ...one(token, 0, seed), top_logprobs: likely };
  });
  return { content };
}

function choiceText({ text, finish, stopReason }, index, body) {
  const told = body.logprobs ? JSON.stringify(logprobs(text ?? "", body.top_logprobs ?? 0)) : "null";
  const message = `{"role":"assistant","content":${JSON.stringify(text)},"refusal":null,"tool_calls":[],"reasoning":null}`;
  const end = `"finish_reason":"${finish}","stop_reason":${JSON.stringify(stopReason)},"token_ids":null`;
  return `{"index":${index},"message":${message},"logprobs":${told},${end}}`;
}

/**
 * The body of an answer. Written by hand: JSON.stringify of the whole costs as much as the prefix cache.
 * @param job for the prompt's tokens, and those of them that were cached
 */
export function completionText(choices, body, model, id, job) {
  const generated = choices.reduce((sum, { tokens }) => sum + tokens, 0);
  const prompt = job.promptTokens;
  const usage =
    `{"prompt_tokens":${prompt},"total_tokens":${prompt + generated},"completion_tokens":${generated},` +
    `"prompt_tokens_details":{"cached_tokens":${job.cached}}}`;
  return (
    `{"id":"chatcmpl-${id}","object":"chat.completion","created":${Math.floor(Date.now() / 1000)},"model":${JSON.stringify(model)},` +
    `"choices":[${choices.map((made, i) => choiceText(made, i, body)).join(",")}],` +
    `"usage":${usage},"prompt_logprobs":null,"prompt_token_ids":null,"kv_transfer_params":null}`
  );
}
