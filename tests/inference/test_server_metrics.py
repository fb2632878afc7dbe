"""What servers say of themselves, read from their own text."""

import asyncio
import urllib.request
from typing import Any

import orjson
import pytest

from inference.llama_cpp import LlamaServer, LlamaSettings
from inference.server_metrics import ServerLoad, parse_metrics
from inference.weights import fetch

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="smol"} 43.0
vllm:num_requests_waiting{engine="0",model_name="smol"} 21.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="smol",reason="capacity"} 21.0
vllm:kv_cache_usage_perc{engine="0",model_name="smol"} 0.9375
vllm:prefix_cache_queries_total{engine="0",model_name="smol"} 120000.0
vllm:prefix_cache_hits_total{engine="0",model_name="smol"} 96000.0
vllm:prompt_tokens_total{engine="0",model_name="smol"} 1.2e+05
vllm:prompt_tokens_cached_total{engine="0",model_name="smol"} 96000.0
vllm:prompt_tokens_created{engine="0",model_name="smol"} 1.7e+09
vllm:generation_tokens_total{engine="0",model_name="smol"} 5000.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="smol"} 7.0
vllm:cache_config_info{block_size="32",cache_dtype="auto",engine="0",kv_cache_size_tokens="23296",num_gpu_blocks="728"} 1.0
process_resident_memory_bytes 6.1e+08
"""


def test_vllm_tells_what_runs_what_waits_and_its_cache():
    assert parse_metrics(VLLM) == ServerLoad(
        running=43,
        waiting=21,
        kv_usage=0.9375,
        kv_tokens=23296,
        prefix_queries=120000,
        prefix_hits=96000,
        prompt_tokens=120000,
        cached_tokens=96000,
        generation_tokens=5000,
    )


def test_engines_are_added_up_and_the_fullest_cache_counts():
    second = VLLM.replace('engine="0"', 'engine="1"').replace("0.9375", "0.5").replace("} 43.0", "} 7.0")
    load = parse_metrics(VLLM + second)
    assert load is not None
    assert (load.running, load.waiting, load.kv_usage, load.kv_tokens) == (50, 42, 0.9375, 2 * 23296)
    assert (load.prefix_queries, load.generation_tokens) == (240000, 10000)


def test_a_server_that_does_not_tell_its_cache_in_tokens_tells_blocks():
    text = VLLM.replace('kv_cache_size_tokens="23296"', 'kv_cache_size_tokens="None"')
    load = parse_metrics(text)
    assert load is not None and load.kv_tokens == 728 * 32
    load = parse_metrics(text.replace('num_gpu_blocks="728"', 'num_gpu_blocks="None"'))
    assert load is not None and load.kv_tokens is None


def test_llama_cpp_counts_prefilled_tokens_where_vllm_counts_prompts():
    text = """\
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 100
llamacpp:prompt_tokens_cached_total 116
llamacpp:tokens_predicted_total 360
llamacpp:requests_processing 2
llamacpp:requests_deferred 4
"""
    assert parse_metrics(text) == ServerLoad(
        running=2,
        waiting=4,
        prefix_queries=216,
        prefix_hits=116,
        prompt_tokens=216,
        cached_tokens=116,
        generation_tokens=360,
    )
    older = parse_metrics(text.replace("llamacpp:prompt_tokens_cached_total 116\n", ""))
    assert older is not None and (older.prompt_tokens, older.cached_tokens, older.prefix_hits) == (100, None, None)


@pytest.mark.parametrize(
    "text", ["", "<html>not found</html>", "process_cpu_seconds_total 3\n", "vllm:prompt_tokens_total 3\n"]
)
def test_what_is_not_such_a_server_gives_nothing(text: str):
    assert parse_metrics(text) is None


def test_broken_lines_cost_only_themselves():
    text = """\
vllm:num_requests_running{engine="0",model_name="odd } \\" name"} 5.0 1700000000000
vllm:num_requests_running{engine="1" 6.0
vllm:num_requests_running
vllm:num_requests_waiting{engine="0"} NaN
vllm:num_requests_waiting{engine="1"} +Inf
vllm:num_requests_waiting{engine="2"} three
vllm:kv_cache_usage_perc{engine="0"} -1
vllm:kv_cache_usage_perc{engine="1"} 1.02
vllm:generation_tokens_total{engine="0"}
vllm:cache_config_info 1.0
vllm:something_new{a="b"} 9
"""
    assert parse_metrics(text) == ServerLoad(running=5, waiting=0, kv_usage=1.0)


@pytest.mark.real
async def test_a_real_llama_cpp_server_tells_its_queue_and_its_tokens():
    with LlamaServer(fetch("smollm2-135m-instruct"), "smol", LlamaSettings(slots=1, context=512, threads=1)) as server:
        url = server.process.base_url
        assert look(url) == ServerLoad(0, 0, None, None, 0, 0, 0, 0, 0)
        asks = [asyncio.create_task(asyncio.to_thread(ask, url, number)) for number in range(6)]
        seen: list[ServerLoad | None] = []
        while not all(task.done() for task in asks):
            seen.append(await asyncio.to_thread(look, url))
            await asyncio.sleep(0.01)
        usages = [task.result() for task in asks]
        after = look(url)
    assert max(load.running for load in seen if load) == 2
    assert max(load.waiting for load in seen if load) >= 2
    assert after is not None and (after.running, after.waiting) == (0, 0)
    assert after.generation_tokens == sum(usage["completion_tokens"] for usage in usages)
    assert after.prompt_tokens == sum(usage["prompt_tokens"] for usage in usages)
    assert after.cached_tokens == sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in usages)


def look(base_url: str) -> ServerLoad | None:
    with urllib.request.urlopen(f"{base_url}/metrics", timeout=60) as answer:
        return parse_metrics(answer.read().decode())


def ask(base_url: str, number: int) -> dict[str, Any]:
    """The usage of one long answer."""
    message = {"role": "user", "content": f"Tell me a long story about {number} friends."}
    body = orjson.dumps({"messages": [message], "max_tokens": 60, "seed": number})
    request = urllib.request.Request(f"{base_url}/v1/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return orjson.loads(answer.read())["usage"]
