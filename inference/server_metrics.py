"""What a server says of itself in its `/metrics`: vLLM and llama.cpp, as one value.

Both write Prometheus text. Counters are cumulative since the server's start and count the requests of all its clients.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')

_VLLM = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv_usage",
    "vllm:gpu_cache_usage_perc": "kv_usage",
    "vllm:prefix_cache_queries_total": "prefix_queries",
    "vllm:prefix_cache_hits_total": "prefix_hits",
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:prompt_tokens_cached_total": "cached_tokens",
    "vllm:generation_tokens_total": "generation_tokens",
}
_LLAMA_CPP = {
    "llamacpp:requests_processing": "running",
    "llamacpp:requests_deferred": "waiting",
    "llamacpp:kv_cache_usage_ratio": "kv_usage",  # older servers only
    "llamacpp:prompt_tokens_total": "prefilled",  # without those from its cache, where vLLM's count has them
    "llamacpp:prompt_tokens_cached_total": "cached_tokens",
    "llamacpp:tokens_predicted_total": "generation_tokens",
}
_WANTED = _VLLM | _LLAMA_CPP
_CACHE_CONFIG = "vllm:cache_config_info"


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """The state of one server, its engines together. None: this server does not tell."""

    running: int
    waiting: int
    """Requests in the server's queue."""
    kv_usage: float | None = None
    """Share of the KV cache in use, 0 to 1; of several engines the fullest."""
    kv_tokens: int | None = None
    """Tokens the KV cache holds, all engines together."""
    prefix_queries: int | None = None
    """Prompt tokens looked up in the prefix cache, cumulative like all that follow."""
    prefix_hits: int | None = None
    """Of these, tokens found there."""
    prompt_tokens: int | None = None
    """Of all prompts, the cached ones included."""
    cached_tokens: int | None = None
    """Prompt tokens that needed no prefill."""
    generation_tokens: int | None = None


@dataclass(slots=True)
class _Found:
    """Samples by our names, one for each engine (and, in one engine, for each model name)."""

    values: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    capacities: dict[str, int] = field(default_factory=dict[str, int])

    def total(self, name: str) -> int | None:
        found = self.values.get(name)
        return None if found is None else round(sum(found))


def parse_metrics(text: str) -> ServerLoad | None:
    """None when it is not the text of such a server, or it tells nothing yet (vLLM with several API servers before the
    first request). Lines that are unknown, broken or not a number are passed over."""
    found = _Found()
    for line in text.splitlines():
        if line.startswith(("vllm:", "llamacpp:")):
            _read_line(line, found)
    running, waiting = found.total("running"), found.total("waiting")
    if running is None and waiting is None:
        return None
    cached, queries, hits = (found.total(name) for name in ("cached_tokens", "prefix_queries", "prefix_hits"))
    prompt = found.total("prompt_tokens")
    prefilled = found.total("prefilled")
    if prefilled is not None:
        prompt = prefilled + (cached or 0)
        if cached is not None:
            queries, hits = prompt, cached
    usage = found.values.get("kv_usage")
    return ServerLoad(
        running=running or 0,
        waiting=waiting or 0,
        kv_usage=min(1.0, max(usage)) if usage else None,
        kv_tokens=sum(found.capacities.values()) or None,
        prefix_queries=queries,
        prefix_hits=hits,
        prompt_tokens=prompt,
        cached_tokens=cached,
        generation_tokens=found.total("generation_tokens"),
    )


def _read_line(line: str, found: _Found) -> None:
    """`name value` or `name{labels} value`, either with a time stamp behind."""
    head, brace, rest = line.partition("{")
    if brace:
        labels, closed, tail = rest.rpartition("}")
        if not closed:
            return
        name, numbers = head.strip(), tail.split()
    else:
        name, *numbers = line.split()
        labels = ""
    if name == _CACHE_CONFIG:
        config = dict(_LABEL.findall(labels))
        tokens = _capacity(config)
        if tokens:
            found.capacities[config.get("engine", "")] = tokens
        return
    ours = _WANTED.get(name)
    value = _number(numbers)
    if ours is not None and value is not None:
        found.values.setdefault(ours, []).append(value)


def _number(parts: Iterable[str]) -> float | None:
    for part in parts:
        try:
            value = float(part)
        except ValueError:
            return None
        return value if math.isfinite(value) and value >= 0 else None
    return None


def _capacity(config: dict[str, str]) -> int | None:
    """Newer servers tell the tokens; else blocks times their size. A value may be the text "None"."""
    told = config.get("kv_cache_size_tokens", "")
    if told.isdecimal():
        return int(told)
    blocks, size = config.get("num_gpu_blocks", ""), config.get("block_size", "")
    return int(blocks) * int(size) if blocks.isdecimal() and size.isdecimal() else None
