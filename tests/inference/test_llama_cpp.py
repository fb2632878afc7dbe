"""A real model, small and weak, through the real engine."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from inference.client import Connections
from inference.llama_cpp import LlamaServer, LlamaSettings
from inference.probes import probe_structured_output, served
from inference.remote import RemoteServers
from inference.weights import fetch
from schemas.chat import CallKey, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import ContextOverflow, Refused

pytestmark = pytest.mark.real

HELLO = ChatRequest(
    key=CallKey(turn=0),
    messages=(
        Message("system", "You are a friendly neighbour. Answer in one short sentence."),
        Message("user", "Good morning! Did you sleep well?"),
    ),
    sampling=Sampling(max_tokens=20),
    seed=11,
)


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with LlamaServer(fetch("smollm2-135m-instruct"), "smol", LlamaSettings(slots=2, context=512)) as server:
        yield server


async def test_a_real_model_answers_with_counts_times_and_log_probability(server: LlamaServer):
    async with Connections() as http:
        reply = await http.chat(*server.endpoints).ask(replace(HELLO, logprobs=True))
        again = await http.chat(*server.endpoints).ask(HELLO)
    assert len(reply.text.split()) >= 3 and reply.model == "smol"
    assert reply.prompt_tokens > 20 and 0 < reply.completion_tokens <= 20
    assert reply.logprob is not None and reply.logprob < 0
    assert reply.prefill_ms is not None and reply.decode_ms is not None and reply.decode_ms > 0
    assert again.cached_tokens >= reply.prompt_tokens - 1, "the second prompt is in the cache"
    assert again.text == reply.text, "one at a time, with a seed"


async def test_each_of_four_conversations_finds_its_context_again(server: LlamaServer):
    """Of two slots' worth of requests at once; they share an instruction, so the server alone would mix them up."""
    said = {
        n: (
            Message("system", "You are a guest. " * 12),
            Message("user", f"I am number {n}. " + f"The {n}th of us all. " * 8),
        )
        for n in range(4)
    }
    async with Connections() as http:
        model = http.chat(*server.endpoints)
        talks = {n: model.conversation(f"dialogue {n}") for n in range(4)}
        before: dict[int, int] = {}
        for turn in range(3):
            for n, talk in talks.items():
                reply = await talk.ask(replace(HELLO, key=replace(HELLO.key, turn=turn), messages=said[n]))
                assert reply.cached_tokens >= before.get(n, 0), (turn, n)
                before[n] = reply.prompt_tokens
                said[n] = (*said[n], Message("assistant", reply.text), Message("user", "And then?"))


async def test_a_schema_holds_even_the_weakest_model(server: LlamaServer):
    schema = {
        "type": "object",
        "properties": {"slept": {"enum": ["well", "badly"]}, "hours": {"type": "integer", "minimum": 0, "maximum": 12}},
        "required": ["slept", "hours"],
        "additionalProperties": False,
    }
    async with Connections() as http:
        model = http.chat(*server.endpoints)
        held = replace(HELLO, json_schema=schema, sampling=Sampling(max_tokens=60))
        replies = await asyncio.gather(*(model.ask(replace(held, seed=seed)) for seed in range(4)))
        await probe_structured_output(model)
    assert all(r.data["slept"] in ("well", "badly") and 0 <= r.data["hours"] <= 12 for r in replies)


async def test_a_prompt_longer_than_a_slot_is_a_content_fault(server: LlamaServer):
    async with Connections() as http:
        with pytest.raises(ContextOverflow, match="512 tokens"):
            await http.chat(*server.endpoints).ask(replace(HELLO, messages=(Message("user", "word " * 700),)))


async def test_it_can_be_used_like_any_remote_server(server: LlamaServer):
    assert "smol" in await served(server.endpoints[0])
    with RemoteServers(server.endpoints) as remote:
        assert remote.endpoints == server.endpoints
        remote.check()
    with (
        pytest.raises(Refused, match="does not serve 'qwen'; it serves: 'smol'"),
        RemoteServers([EndpointSpec(server.endpoints[0].base_url, "qwen")], ready_s=5),
    ):
        pass
