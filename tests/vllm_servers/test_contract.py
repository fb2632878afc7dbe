"""What our client relies on, asked of a real vLLM server: two of the tiny random Llama, in fp32.

Those that end a server come last.
"""

import asyncio
import math
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import psutil
import pytest
from install import Built

from inference.client import Connections, HttpChatModel
from inference.probes import check_model, probe_structured_output, served
from inference.server_metrics import parse_metrics
from inference.transport import Patience
from inference.vllm import VllmServers
from schemas.chat import CallKey, ChatReply, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import ContextOverflow, InvalidOutput, Refused, Unreachable

pytestmark = pytest.mark.real

WEATHER = {
    "type": "object",
    "properties": {"sky": {"enum": ["clear", "grey"]}, "rain": {"type": "boolean"}},
    "required": ["sky", "rain"],
    "additionalProperties": False,
}

GAUGES = """
num_requests_running num_requests_waiting num_requests_waiting_by_reason kv_cache_usage_perc cache_config_info
"""
COUNTERS = """
prefix_cache_queries_total prefix_cache_hits_total prompt_tokens_total prompt_tokens_cached_total
prompt_tokens_by_source_total generation_tokens_total num_preemptions_total request_success_total
"""
HISTOGRAMS = """
time_to_first_token_seconds inter_token_latency_seconds request_time_per_output_token_seconds
e2e_request_latency_seconds request_queue_time_seconds request_prefill_time_seconds request_decode_time_seconds
"""


def asked(text: str = "Good morning! How did you sleep?", *, seed: int = 5, **sampling: Any) -> ChatRequest:
    return ChatRequest(
        key=CallKey(turn=0),
        messages=(Message("system", "You are a friendly neighbour."), Message("user", text)),
        sampling=Sampling(**{"temperature": 1.0, "max_tokens": 24, **sampling}),
        seed=seed,
    )


async def ask(endpoint: EndpointSpec, *requests: ChatRequest) -> list[ChatReply]:
    """All at once."""
    async with Connections() as http:
        model = http.chat(endpoint)
        return list(await asyncio.gather(*(model.ask(request) for request in requests)))


def http(endpoint: EndpointSpec, path: str, body: dict[str, Any] | None = None) -> bytes:
    """Past our client. Raises HTTPError."""
    key = os.environ.get(endpoint.api_key_env or "", "")
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(endpoint.base_url + path, body and orjson.dumps(body), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
        return answer.read()


def chat(endpoint: EndpointSpec, request: ChatRequest, **fields: Any) -> dict[str, Any]:
    """The raw answer to the same question."""
    body = {
        "model": endpoint.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "max_tokens": request.sampling.max_tokens,
        "seed": request.seed,
    }
    return orjson.loads(http(endpoint, "/v1/chat/completions", body | fields))


def metrics(endpoint: EndpointSpec) -> dict[str, float]:
    """Name without labels -> sum over labels."""
    sums: dict[str, float] = {}
    for line in http(endpoint, "/metrics").decode().splitlines():
        if found := re.match(r"(vllm:\w+)(?:\{.*\})? (\S+)$", line):
            sums[found[1]] = sums.get(found[1], 0.0) + float(found[2])
    return sums


async def being_answered(model: HttpChatModel, request: ChatRequest) -> "asyncio.Task[ChatReply]":
    """Under way on the server, by a short answer to what was asked after it: on busy cores `/metrics` tells too late."""
    for _ in range(8):  # on busy cores a server may hold answers back until the long one is written
        task = asyncio.create_task(model.ask(request))
        await asyncio.create_task(model.ask(asked(seed=6, max_tokens=4)))
        if not task.done():
            return task
    pytest.fail("the long answer was never seen under way")


async def until(holds: Callable[[], bool], within_s: float) -> bool:
    """`holds` is asked in a thread: it may block."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if await asyncio.to_thread(holds):
            return True
        await asyncio.sleep(0.05)
    return False


def context_of(endpoint: EndpointSpec) -> int:
    """Tokens; skips what would have to fill a large one."""
    tokens: int = orjson.loads(http(endpoint, "/v1/models"))["data"][0]["max_model_len"]
    if tokens > 32_768:
        pytest.skip(f"a context of {tokens} tokens is too large to be filled here")
    return tokens


def prompt_of(endpoint: EndpointSpec, tokens: int) -> ChatRequest:
    """A request whose prompt has this many tokens."""
    words = tokens - 60
    while True:
        request = asked(" a" * words)
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        count: int = orjson.loads(http(endpoint, "/tokenize", {"model": endpoint.model, "messages": messages}))["count"]
        if count == tokens:
            return request
        words += tokens - count


def tree(servers: VllmServers, replica: int) -> list[psutil.Process]:
    """`vllm serve` first, then what it started."""
    return psutil.Process(servers.replicas[replica].pid).children(recursive=True)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


# Answers


async def test_a_chat_is_answered_with_its_counts(endpoint: EndpointSpec):
    (reply,) = await ask(endpoint, asked())
    assert reply.text and reply.model == endpoint.model
    assert reply.prompt_tokens > 15 and 0 < reply.completion_tokens <= 24
    assert reply.finish_reason in ("stop", "length")


async def test_a_schema_is_kept_and_its_data_come_back(endpoint: EndpointSpec):
    held = [replace(asked(seed=seed, max_tokens=200), json_schema=WEATHER) for seed in range(6)]
    replies = await ask(endpoint, *held)
    assert all(r.data["sky"] in ("clear", "grey") and isinstance(r.data["rain"], bool) for r in replies)


async def test_the_probe_of_structured_output_finds_it(endpoint: EndpointSpec):
    async with Connections() as http:
        await probe_structured_output(http.chat(endpoint))


async def test_json_that_was_cut_is_told_as_such(endpoint: EndpointSpec):
    story = {"type": "object", "properties": {"story": {"type": "string", "minLength": 200}}, "required": ["story"]}
    with pytest.raises(InvalidOutput) as cut:
        await ask(endpoint, replace(asked(max_tokens=16), json_schema=story))
    assert cut.value.reason == "cut_short"


async def test_a_seed_repeats_an_answer_in_fp32_whatever_else_is_asked(servers: VllmServers):
    first, *others = servers.endpoints
    (alone,) = await ask(first, asked(seed=1))
    batch = await ask(first, *(asked(seed=seed) for seed in range(12)))
    assert batch[1].text == alone.text
    assert len({reply.text for reply in batch}) == 12
    for other in others:
        assert [r.text for r in await ask(other, *(asked(seed=s) for s in range(12)))] == [r.text for r in batch]


async def test_the_log_probability_is_the_sum_over_the_tokens(endpoint: EndpointSpec):
    request = replace(asked(temperature=0.0), logprobs=True)
    (reply,) = await ask(endpoint, request)
    raw = chat(endpoint, request, logprobs=True)["choices"][0]
    assert raw["message"]["content"] == reply.text
    assert reply.logprob is not None and math.isfinite(reply.logprob) and reply.logprob < 0
    assert reply.logprob == pytest.approx(sum(t["logprob"] for t in raw["logprobs"]["content"]), abs=0.01)


async def test_words_that_are_given_are_weighed_as_the_model_weighs_them(servers: VllmServers, vllm: Built):
    import torch  # here alone: slow to import
    from transformers import AutoModelForCausalLM, AutoTokenizer

    given = "I slept well, thank you. And you?"
    request = asked()
    request = replace(request, messages=(*request.messages, Message("assistant", given)), weigh_last=5)
    [reply] = await ask(servers.endpoints[0], request)
    assert "".join(token.text for token in reply.tokens).strip() == given
    assert all(5 <= len(token.likely) <= 6 for token in reply.tokens)

    tokenizer = AutoTokenizer.from_pretrained(vllm.tiny)
    chat = [{"role": m.role, "content": m.content} for m in request.messages]
    whole = tokenizer.apply_chat_template(chat, continue_final_message=True, return_tensors="pt", return_dict=True)
    ids = whole["input_ids"]
    with torch.inference_mode():
        scores = AutoModelForCausalLM.from_pretrained(vllm.tiny, dtype=torch.float32)(ids).logits.log_softmax(-1)[0]
    told = [(int(token.id), token.likely[token.id]) for token in reply.tokens]
    places = range(ids.shape[1] - len(told), ids.shape[1])
    wanted = [(int(ids[0, n]), scores[n - 1, ids[0, n]].item()) for n in places]
    assert [i for i, _ in told] == [i for i, _ in wanted]
    assert [v for _, v in told] == pytest.approx([v for _, v in wanted], abs=0.02)


async def test_candidates_of_one_prefix_come_in_one_answer(servers: VllmServers):
    (endpoint, _) = servers.endpoints
    request = replace(asked(), logprobs=True)
    (one,) = await ask(endpoint, request)
    (several,) = await ask(endpoint, replace(request, n=3))
    (again,) = await ask(endpoint, replace(request, n=3))
    texts = [several.text, *(other.text for other in several.others)]
    assert len(set(texts)) == 3 and one.others == ()
    assert one.text == texts[0], "the first is what n = 1 gives"
    assert [again.text, *(other.text for other in again.others)] == texts, "a seed repeats all"
    assert several.prompt_tokens == one.prompt_tokens, "the prefix is counted once"
    assert one.completion_tokens < several.completion_tokens <= 3 * 24
    assert several.logprob == pytest.approx(one.logprob, abs=0.01)
    assert all(other.logprob is not None and other.logprob < 0 for other in several.others)
    assert all(other.finish_reason in ("stop", "length") for other in several.others)


# Metrics and the prefix cache


async def test_the_metrics_have_the_names_we_read(endpoint: EndpointSpec):
    await ask(endpoint, asked())
    wanted = {f"vllm:{name}" for name in (GAUGES + COUNTERS).split()}
    wanted |= {f"vllm:{name}_{part}" for name in HISTOGRAMS.split() for part in ("sum", "count", "bucket")}
    found = metrics(endpoint)
    assert not wanted - found.keys()
    assert 0 <= found["vllm:kv_cache_usage_perc"] <= 1


async def test_an_endpoint_reads_its_servers_metrics_while_it_is_asked(endpoint: EndpointSpec):
    request = asked(" ".join(f"In room {i} there is a chair." for i in range(40)))
    await ask(endpoint, request, asked())
    async with Connections() as http:
        await http.chat(endpoint).ask(request)
        await http.watch(60)
        assert await until(lambda: http.endpoint(endpoint).load is not None, 60)
        load = http.endpoint(endpoint).load
    assert load is not None
    assert (load.running, load.waiting) == (0, 0)
    assert load.kv_usage is not None and 0 <= load.kv_usage <= 1
    assert (load.kv_tokens or 0) >= context_of(endpoint)
    assert (load.prefix_queries or 0) > (load.prefix_hits or 0) > 0
    assert (load.prompt_tokens or 0) > (load.cached_tokens or 0) > 0
    assert (load.generation_tokens or 0) > 0


async def test_the_reader_of_metrics_sums_what_the_server_tells(endpoint: EndpointSpec):
    await ask(endpoint, asked())
    load, sums = parse_metrics(http(endpoint, "/metrics").decode()), metrics(endpoint)
    assert load is not None
    assert load.prefix_queries == sums["vllm:prefix_cache_queries_total"]
    assert load.prefix_hits == sums["vllm:prefix_cache_hits_total"]
    assert load.prompt_tokens == sums["vllm:prompt_tokens_total"]
    assert load.cached_tokens == sums["vllm:prompt_tokens_cached_total"]
    assert load.generation_tokens == sums["vllm:generation_tokens_total"]


async def test_a_prompt_that_begins_like_another_is_taken_from_the_cache(endpoint: EndpointSpec):
    head = " ".join(f"In room {i} there are {i % 7} chairs." for i in range(time.time_ns() % 1000, 2000)[:40])
    before = metrics(endpoint)
    (first,) = await ask(endpoint, asked(f"{head} How many rooms?"))
    (second,) = await ask(endpoint, asked(f"{head} Which room is largest?"))
    assert first.prompt_tokens > 300
    assert second.cached_tokens > 0.7 * second.prompt_tokens > first.cached_tokens
    hits = metrics(endpoint)["vllm:prefix_cache_hits_total"] - before["vllm:prefix_cache_hits_total"]
    assert hits == first.cached_tokens + second.cached_tokens


async def test_a_cancelled_request_stops_on_the_server(endpoint: EndpointSpec):
    async with Connections() as http:
        task = await being_answered(http.chat(endpoint), asked(max_tokens=1900))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = metrics(endpoint)["vllm:generation_tokens_total"]
        assert await until(lambda: metrics(endpoint)["vllm:num_requests_running"] == 0, 60)
    written = metrics(endpoint)["vllm:generation_tokens_total"]
    await asyncio.sleep(0.5)
    assert metrics(endpoint)["vllm:generation_tokens_total"] == written, "nothing more is written"
    assert written - before < 1500, "it did not run to its end"


# Refusals


@pytest.mark.parametrize("over", [0, 1, 200])
async def test_a_prompt_as_long_as_the_context_or_longer_overflows_it(endpoint: EndpointSpec, over: int):
    request = prompt_of(endpoint, context_of(endpoint) + over)
    with pytest.raises(ContextOverflow):
        await ask(endpoint, request)


async def test_an_answer_is_capped_where_the_context_ends(endpoint: EndpointSpec):
    context = context_of(endpoint)
    request = prompt_of(endpoint, context - 20)
    (reply,) = await ask(endpoint, replace(request, sampling=Sampling(temperature=1.0, max_tokens=50)))
    assert (reply.prompt_tokens, reply.completion_tokens, reply.finish_reason) == (context - 20, 20, "length")


async def test_an_unknown_model_is_refused_by_name(endpoint: EndpointSpec):
    with pytest.raises(Refused, match="no-such-model"):
        await ask(replace(endpoint, model="no-such-model"), asked())
    with pytest.raises(Refused, match=f"does not serve 'no-such-model'; it serves: .*{re.escape(endpoint.model)}"):
        await check_model(replace(endpoint, model="no-such-model"), 30)
    await check_model(endpoint, 30)
    assert endpoint.model in await served(endpoint)


# Ends


async def test_sigterm_lets_answers_finish_and_leaves_no_process(servers: VllmServers):
    endpoint, processes = servers.endpoints[0], tree(servers, 0)
    async with Connections(Patience(faults_s=5)) as http:
        task = await being_answered(http.chat(endpoint), asked(max_tokens=200))
        processes[0].send_signal(signal.SIGTERM)
        reply = await task
        assert reply.completion_tokens == 200 and reply.finish_reason == "length"
        assert await until(lambda: not any(map(alive, processes)), 60)
        with pytest.raises(Unreachable):
            await http.chat(endpoint).ask(asked())
    with pytest.raises(Unreachable, match=r"ended \(exit code 0\)"):
        await until(lambda: servers.check() is not None, 30)


async def test_a_dead_engine_is_told_in_time_by_client_and_owner(servers: VllmServers):
    endpoint, processes = servers.endpoints[1], tree(servers, 1)
    (engine,) = [p for p in processes if "EngineCore" in " ".join((p.name(), *p.cmdline()))]
    async with Connections(Patience(faults_s=5, answer_s=60)) as http:
        task = await being_answered(http.chat(endpoint), asked(max_tokens=1900))
        engine.kill()
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await task
        assert time.monotonic() - began < 60
    assert await until(lambda: not any(map(alive, processes)), 60)
    with pytest.raises(Unreachable, match=r"replica 2 of 2.* ended"):
        servers.replicas[1].check()
