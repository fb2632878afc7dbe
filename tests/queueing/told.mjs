/** What the server tells beside completions: its model, its metrics, how it counts tokens. */

import { promptChain } from "./completion.mjs";
import { BLOCK_TOKENS, Chain } from "./prefix_cache.mjs";
import { malformed, unknownModel } from "./refusals.mjs";

/** What a cache without limit says of its size: clients divide by it. */
const UNLIMITED_BLOCKS = 2 ** 24;

/** Prometheus text, in vLLM's names. */
export function metrics({ does, cache, ledger, engine }) {
  const blocks = does.cache_blocks || UNLIMITED_BLOCKS;
  const labels = `engine="0",model_name="${does.model}"`;
  const metric = (name, kind, value, more = "") => `# TYPE vllm:${name} ${kind}\nvllm:${name}{${labels}${more}} ${value}\n`;
  const size = blocks * BLOCK_TOKENS;
  const info = `,block_size="${BLOCK_TOKENS}",enable_prefix_caching="True",kv_cache_size_tokens="${size}",num_gpu_blocks="${blocks}"`;
  const finished = ["stop", "length", "abort", "error", "repetition"].map(
    (reason) => `vllm:request_success_total{${labels},finished_reason="${reason}"} ${ledger.finished[reason] ?? 0}\n`,
  );
  return [
    metric("num_requests_running", "gauge", engine.running),
    metric("num_requests_waiting", "gauge", engine.waiting),
    metric("num_requests_waiting_by_reason", "gauge", engine.waiting, ',reason="capacity"'),
    metric("kv_cache_usage_perc", "gauge", Math.min(1, cache.held / blocks)),
    metric("prefix_cache_queries_total", "counter", ledger.prefixQueries),
    metric("prefix_cache_hits_total", "counter", ledger.prefixHits),
    metric("prompt_tokens_total", "counter", ledger.prefixQueries),
    metric("prompt_tokens_cached_total", "counter", ledger.prefixHits),
    metric("generation_tokens_total", "counter", ledger.generated),
    metric("num_preemptions_total", "counter", 0),
    "# TYPE vllm:request_success_total counter\n",
    ...finished,
    metric("cache_config_info", "gauge", 1, info),
  ].join("");
}

/** The one model, as /v1/models lists it. */
export function models(does) {
  const { model, max_model_len } = does;
  const data = [{ id: model, object: "model", created: 0, owned_by: "vllm", root: model, parent: null, max_model_len }];
  return JSON.stringify({ object: "list", data });
}

/** `messages` or `prompt` counted as a chat request counts them; a token's number is a hash of its 4 characters. */
export function tokenize(exchange, does) {
  let body;
  try {
    body = JSON.parse(exchange.body.utf8Slice());
  } catch (error) {
    return exchange.answer(400, malformed(error.message).body);
  }
  if (body.model != null && body.model !== does.model) return exchange.answer(404, unknownModel(body.model).body);
  const empty = typeof body.prompt !== "string" && !Array.isArray(body.messages);
  if (empty) return exchange.answer(400, malformed("prompt or messages: Field required").body);
  const chain = body.messages ? promptChain(body) : new Chain();
  if (!body.messages) chain.add(body.prompt);
  const text = body.messages ? JSON.stringify(body.messages) : body.prompt;
  const tokens = Array.from({ length: chain.tokens }, (_, i) => {
    const piece = new Chain();
    piece.add(text.slice(4 * i, 4 * i + 4));
    return (piece.a >>> 0) % 49152;
  });
  exchange.answer(200, JSON.stringify({ count: tokens.length, max_model_len: does.max_model_len, tokens, token_strs: null }));
}
