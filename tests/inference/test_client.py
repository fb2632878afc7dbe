"""The chat client against a server that does what it is told, right or wrong."""

import asyncio
import pickle
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import FAULTS, ScriptedServer

from inference.addresses import api_root
from inference.client import (
    BlockingEmbedder,
    Connections,
    chat_payload,
    request_hash,
)
from inference.faults import retry_after_s
from inference.probes import check_model, probe_structured_output, served
from inference.transport import Patience
from schemas.chat import CallKey, ChatReply, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import (
    ContextOverflow,
    InputError,
    InvalidOutput,
    NoStructuredOutput,
    Refused,
    Unreachable,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["calm", "cross"]},
        "note": {"type": "string", "maxLength": 20},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["mood", "note", "score"],
    "additionalProperties": False,
}


def request(seed: int = 1, text: str = "Hello", **changes: Any) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", text))
    plain = ChatRequest(key=CallKey(turn=0), messages=messages, sampling=Sampling(), seed=seed)
    return replace(plain, **changes)


async def ask(server: ScriptedServer | str, *requests: ChatRequest, patience: Patience | None = None, **spec: Any):
    base_url = server if isinstance(server, str) else server.base_url
    async with Connections(patience or Patience(faults_s=20)) as http:
        model = http.chat(EndpointSpec(**{"base_url": base_url, "model": "scripted", **spec}))
        return await asyncio.gather(*(model.ask(r) for r in requests))


async def test_every_sampling_parameter_is_sent_so_that_no_server_default_applies():
    sampling = Sampling(temperature=0.3, top_p=0.8, min_p=0.1, repetition_penalty=1.2, max_tokens=9)
    with ScriptedServer() as server:
        await ask(server, request(seed=7, sampling=sampling, stop=("\n",), json_schema=SCHEMA, logprobs=True))
    sent = server.requests[0]
    assert sent["model"] == "scripted" and sent["seed"] == 7 and sent["stop"] == ["\n"]
    assert (sent["temperature"], sent["top_p"], sent["min_p"], sent["top_k"], sent["max_tokens"]) == (
        0.3,
        0.8,
        0.1,
        0,
        9,
    )
    assert sent["repetition_penalty"] == sent["repeat_penalty"] == 1.2
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert sent["logprobs"] is True and sent["cache_prompt"] is True and sent["stream"] is False


async def test_a_reply_carries_counts_log_probability_and_server_times():
    extra = {
        "usage": {"prompt_tokens": 30, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 16}},
        "timings": {"cache_n": 12, "prompt_ms": 5.5, "predicted_ms": 80.0},
    }
    with ScriptedServer(lambda _: "a b", extra=orjson.dumps(extra).decode()) as server:
        [reply] = await ask(server, request(logprobs=True))
        server.behave(
            extra='{"usage": {"prompt_tokens": 30, "prompt_tokens_details": null}, "timings": {"cache_n": 12}}'
        )
        [told_by_timings] = await ask(server, request())
    assert (reply.text, reply.model, reply.finish_reason) == ("a b", "scripted", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (30, 4, 16)
    assert (reply.prefill_ms, reply.decode_ms) == (5.5, 80.0)
    assert reply.logprob is not None and reply.logprob < 0
    assert told_by_timings.cached_tokens == 12 and told_by_timings.logprob is None


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_server_loses_no_answer_and_changes_none(fault: str):
    asked = [request(seed) for seed in range(16)]
    with ScriptedServer() as good:
        expected = await ask(good, *asked)
    patience = Patience(faults_s=30, answer_s=0.25 if fault == "slow" else 600)
    with ScriptedServer(error_rate=0.3, faults=(fault,), slow_s=0.6) as bad:
        got = await ask(bad, *asked, patience=patience)
    assert [r.text for r in got] == [r.text for r in expected]
    log = bad.log()
    assert log["faults"] >= 3
    if fault != "slow":  # a slow answer is an answer to the server, not to the client that stopped waiting
        assert log["asked_after_answer"] == 0 and log["requests"] == 16 + log["faults"]


async def test_no_server_at_all_is_unreachable_after_the_given_patience():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match=rf"{base_url}/v1 could not be used.*attempts.*base_url"):
            await ask(base_url, request(), patience=Patience(faults_s=0.5))


async def test_a_server_that_always_fails_ends_as_unreachable_with_its_own_words():
    with (
        ScriptedServer(status=500, error="EngineCore encountered an issue") as server,
        pytest.raises(Unreachable, match="500: EngineCore encountered an issue"),
    ):
        await ask(server, request(), patience=Patience(faults_s=0.6))
    assert 2 <= len(server.requests) <= 5


async def test_a_server_that_comes_back_is_asked_again():
    with ScriptedServer(status=503, error="Loading model", retry_after=None) as server:
        waiting = asyncio.create_task(ask(server, request()))
        while not server.requests:
            await asyncio.sleep(0.01)
        server.behave(status=None)
        [reply] = await waiting
    assert reply.text


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "api_key_env"),
        (403, "api_key_env"),
        (404, "base_url"),
        (400, "settings"),
        (422, "settings"),
        (501, "ability"),
    ],
)
async def test_what_no_retry_mends_is_refused_at_once_with_a_remedy(status: int, remedy: str):
    with (
        ScriptedServer(status=status, error="no such thing") as server,
        pytest.raises(Refused, match=rf"answers {status}: no such thing.*{remedy}"),
    ):
        await ask(server, request())
    assert len(server.requests) == 1


@pytest.mark.parametrize("style", ["vllm", "vllm_exact", "llama_cpp"])
async def test_a_prompt_too_long_is_a_content_fault_in_every_servers_words(style: str):
    with ScriptedServer(context_limit=10, context_style=style) as server:
        with pytest.raises(ContextOverflow) as caught:
            await ask(server, request(text="word " * 50))
        assert caught.value.reason == "context_overflow"
        assert len(server.requests) == 1
        await ask(server, request(text="word"))


async def test_retry_after_is_obeyed_and_one_beyond_all_patience_ends_at_once():
    with ScriptedServer(error_rate=0.5, faults=("429",), retry_after="1") as server:
        started = asyncio.get_running_loop().time()
        await ask(server, *(request(seed) for seed in range(8)))
        assert asyncio.get_running_loop().time() - started >= 1.0
        server.behave(status=429, retry_after="3600")
        with pytest.raises(Unreachable, match=r"asks to wait 3600 s.*max_in_flight"):
            await ask(server, request(), patience=Patience(faults_s=60))


def test_retry_after_is_read_as_seconds_or_as_a_date():
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s("2.5", now) == 2.5
    assert retry_after_s("Sat, 21 Nov 2026 12:00:30 GMT", now) == 30.0
    assert retry_after_s("Sat, 21 Nov 2026 11:00:00 GMT", now) == 0.0
    assert retry_after_s("soon", now) is None and retry_after_s(None, now) is None


async def test_a_busy_server_is_waited_for_while_it_still_answers_others():
    refused: list[int] = []

    def reply(body: dict[str, Any]) -> str | int:
        if body["messages"][-1]["content"] != "unlucky" or len(refused) >= 4:
            return "fine"
        refused.append(429)
        return 429

    with ScriptedServer(reply) as server:
        async with Connections(Patience(faults_s=0.6)) as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            unlucky = asyncio.create_task(model.ask(request(text="unlucky")))
            while not unlucky.done():
                await model.ask(request(text="lucky"))
                await asyncio.sleep(0.05)
            assert (await unlucky).text == "fine" and len(refused) == 4
            refused.clear()
            with pytest.raises(Unreachable, match="429"):
                await model.ask(request(text="unlucky"))


async def test_the_key_reaches_the_server_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    key = "sk-very-secret-value"
    monkeypatch.setenv("MY_KEY", key)
    with ScriptedServer(api_key=key) as server:
        [reply] = await ask(server, request(), api_key_env="MY_KEY")
        assert reply.text
        assert await served(EndpointSpec(server.base_url, "", api_key_env="MY_KEY")) == ["scripted"]
        server.behave(status=400, error=f"bad request by {key}")
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted", api_key_env="MY_KEY"))
            with pytest.raises(Refused) as caught:
                await model.ask(request())
            assert key not in f"{caught.value!r} {model!r} {model.__dict__!r}"
            assert "***" in str(caught.value)
        server.behave(status=None)
        with pytest.raises(Refused, match=r"401: Unauthorized.*wants a key: set api_key_env"):
            await ask(server, request())
        monkeypatch.setenv("MY_KEY", "another-key")
        with pytest.raises(Refused, match="the key in MY_KEY is not accepted"):
            await ask(server, request(), api_key_env="MY_KEY")
        monkeypatch.delenv("MY_KEY")
        with pytest.raises(InputError, match=r"MY_KEY .* is not set"):
            await ask(server, request(), api_key_env="MY_KEY")


async def test_structured_output_is_parsed_and_valid():
    with ScriptedServer() as server:
        replies: list[ChatReply] = await ask(server, *(request(seed, json_schema=SCHEMA) for seed in range(20)))
    for reply in replies:
        assert (
            reply.data["mood"] in ("calm", "cross") and 1 <= reply.data["score"] <= 5 and len(reply.data["note"]) <= 20
        )


@pytest.mark.parametrize(
    ("behaviour", "answer", "reason"),
    [
        ({"cut_short": True}, {"mood": "calm", "note": "n", "score": 1}, "cut_short"),
        ({}, "Sure! Here it is.", "invalid_json"),
        ({}, '{"mood": "calm", "note": "n", "score": NaN}', "invalid_json"),
        ({}, {"mood": "calm", "note": "n"}, "schema_mismatch"),
        ({}, {"mood": "calm", "note": "n", "score": 9}, "schema_mismatch"),
    ],
)
async def test_an_answer_outside_its_schema_is_invalid_output(behaviour: dict[str, Any], answer: Any, reason: str):
    with ScriptedServer(lambda _: answer, **behaviour) as server, pytest.raises(InvalidOutput) as caught:
        await ask(server, request(json_schema=SCHEMA))
    assert caught.value.reason == reason
    assert len(server.requests) == 1


async def test_the_probe_tells_a_server_that_ignores_schemas():
    with ScriptedServer() as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            await probe_structured_output(model)
            server.behave(ignore_response_format=True)
            with pytest.raises(NoStructuredOutput, match=r"does not hold answers to a JSON schema.*vLLM or llama.cpp"):
                await probe_structured_output(model)
            server.behave(status=401)
            with pytest.raises(Refused):
                await probe_structured_output(model)


async def test_never_more_in_flight_than_permitted_and_waiting_for_a_permit_has_no_limit():
    with ScriptedServer(latency_ms=100) as server:
        await ask(
            server,
            *(request(seed) for seed in range(30)),
            max_in_flight=3,
            patience=Patience(faults_s=0.3, answer_s=0.5),
        )
    assert server.log()["most_in_flight"] == 3


async def test_two_models_of_one_server_share_its_permits():
    with ScriptedServer(latency_ms=50) as server:
        async with Connections() as http:
            models = [
                http.chat(EndpointSpec(server.base_url + end, "scripted", max_in_flight=2)) for end in ("", "/v1")
            ]
            await asyncio.gather(*(models[seed % 2].ask(request(seed)) for seed in range(12)))
    assert server.log()["most_in_flight"] == 2


async def test_a_wrong_model_name_is_refused_with_the_names_that_are_served():
    with ScriptedServer(model="qwen") as server:
        with pytest.raises(Refused, match="404"):
            await ask(server, request())
        with pytest.raises(Refused, match="does not serve 'qwem'; it serves: 'qwen'"):
            await check_model(EndpointSpec(server.base_url, "qwem"), 5)
        await check_model(EndpointSpec(server.base_url, "qwen"), 5)


def test_a_base_url_may_or_may_not_end_in_its_version():
    assert api_root("http://h:1") == api_root("http://h:1/") == api_root("http://h:1/v1/") == "http://h:1/v1"
    for wrong in ("h:1", "ftp://h", "", "http://"):
        with pytest.raises(InputError, match="URL"):
            api_root(wrong)


texts = st.text(max_size=20)


@given(texts, texts, st.integers(0, 2**63 - 1), st.floats(0, 2), st.lists(texts, max_size=2))
def test_the_request_hash_is_of_what_decides_the_text_and_nothing_else(
    text: str, other: str, seed: int, temperature: float, stop: list[str]
):
    base = request(seed, text, sampling=Sampling(temperature=temperature), stop=tuple(stop))
    same = replace(base, key=CallKey(turn=3, step="check", attempt=2), logprobs=True)
    assert request_hash(base, "m") == request_hash(same, "m")
    changed = [
        request_hash(base, "n"),
        request_hash(replace(base, seed=seed + 1), "m"),
        request_hash(replace(base, json_schema=SCHEMA), "m"),
        request_hash(replace(base, stop=(*stop, "x")), "m"),
        request_hash(replace(base, sampling=Sampling(temperature=temperature, max_tokens=34)), "m"),
        request_hash(replace(base, messages=(*base.messages, Message("assistant", other))), "m"),
    ]
    assert len({request_hash(base, "m"), *changed}) == 7


def test_the_request_hash_is_the_same_in_another_process():
    code = (
        "from inference.client import request_hash; from schemas.chat import *;"
        "print(request_hash(ChatRequest(CallKey(0), (Message('user', 'é'),), Sampling(), 5, json_schema={'b': 1, 'a': 2}), 'm'))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    here = ChatRequest(CallKey(0), (Message("user", "é"),), Sampling(), 5, json_schema={"a": 2, "b": 1})
    assert there == request_hash(here, "m")


def test_every_field_of_sampling_is_in_the_payload():
    odd = Sampling(temperature=0.11, top_p=0.12, min_p=0.13, repetition_penalty=1.14, max_tokens=15)
    sent = chat_payload(request(sampling=odd), "m").values()
    assert all(value in sent for value in odd.model_dump().values())


async def test_embeddings_are_unit_rows_in_the_order_of_the_texts():
    texts = [f"I bought bread number {i}" for i in range(150)] + ["Where is the museum?"]
    with ScriptedServer(error_rate=0.0) as server:
        async with Connections() as http:
            embedder = http.embedder(EndpointSpec(server.base_url, "scripted"))
            rows = await embedder.embed(texts)
            alone = await embedder.embed(texts[100:101])
            assert (await embedder.embed([])).shape[0] == 0
        assert server.log()["embedded"] == 152
    assert rows.dtype == np.float32 and rows.shape == (151, 64)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.array_equal(alone[0], rows[100])
    assert rows[0] @ rows[1] > 0.8 > rows[0] @ rows[150]


def test_the_blocking_embedder_can_be_sent_to_another_process():
    with ScriptedServer() as server:
        embed = pickle.loads(pickle.dumps(BlockingEmbedder(EndpointSpec(server.base_url, "scripted"))))
        assert embed(["a text", "another"]).shape == (2, 64)
    with pytest.raises(InputError, match="URL"):
        BlockingEmbedder(EndpointSpec("nowhere", "scripted"))(["a"])
