import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from queueing_server import FAULTS, QueueingServer
from scripted_server import ScriptedServer

LONG = 600_000.0
"""A service time that no test waits for, in ms."""
STORY = "The lamp in the old workshop was broken, so my uncle carried it to the market and sold it to a friend. "


def talk(*contents: str, system: str = "Be brief.") -> list[dict[str, Any]]:
    """Messages: system, then user and assistant in turns."""
    turns = [{"role": "assistant" if i % 2 else "user", "content": c} for i, c in enumerate(contents)]
    return [{"role": "system", "content": system}, *turns]


def chat(*contents: str, **fields: Any) -> dict[str, Any]:
    return {"model": "scripted", "messages": talk(*(contents or ("hello",))), **fields}


def post(url: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any, dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def ask(server: QueueingServer | ScriptedServer, body: Any, **headers: str) -> tuple[int, Any]:
    return post(f"{server.base_url}/v1/chat/completions", body, headers)[:2]


def said(server: QueueingServer | ScriptedServer, body: dict[str, Any]) -> str:
    status, answer = ask(server, body)
    assert status == 200, answer
    return answer["choices"][0]["message"]["content"]


def got(server: QueueingServer, path: str) -> bytes:
    with urllib.request.urlopen(server.base_url + path, timeout=30) as answer:
        return answer.read()


def cached(answer: dict[str, Any]) -> int:
    return answer["usage"]["prompt_tokens_details"]["cached_tokens"]


def until(holds: Callable[[], bool]) -> None:
    """Waits for what another process is about to do."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def left_open(server: QueueingServer, body: dict[str, Any]) -> socket.socket:
    """A connection with a request on it, whose answer nobody reads."""
    host, _, port = server.base_url.removeprefix("http://").partition(":")
    data = json.dumps(body).encode()
    connection = socket.create_connection((host, int(port)))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data)
    return connection


def occupancy(server: QueueingServer) -> tuple[int, int]:
    """Requests running and waiting, by the metrics."""
    metrics = server.metrics()
    return int(metrics["num_requests_running"]), int(metrics["num_requests_waiting"])


@pytest.fixture(scope="module")
def shared() -> Iterator[QueueingServer]:
    """For tests that neither change its behaviour nor read its log."""
    with QueueingServer(max_model_len=1000) as server:
        yield server


# Replies

NESTED = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 1, "maximum": 10},
        "share": {"type": "number"},
        "loss": {"type": "number", "minimum": -2.0, "maximum": 1e2},
        "turns": {"type": "array", "items": {"$ref": "#/$defs/Turn"}, "minItems": 2, "maxItems": 4},
        "why": {"type": "string", "minLength": 120, "maxLength": 200},
        "kind": {"enum": ["a", "ü", 1.0, 2, None, 12345678901234567890]},
        "exact": {"const": {"b": 1.50, "a": [0.000001, 1e20, -0.0, 3.0]}},
        "maybe": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
        "either": {"type": ["string", "integer"]},
        "large": {"type": "integer", "minimum": 0, "maximum": 9007199254740000},
        "open": {},
    },
    "$defs": {"Turn": {"type": "object", "properties": {"speaker": {"enum": ["u", "v"]}, "text": {"type": "string"}}}},
}


def formatted(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}}


REQUESTS = [
    *[chat(f"question {i}", seed=i) for i in range(30)],
    *[chat(f"question {i}", seed=i, **formatted(NESTED)) for i in range(30)],
    chat("no seed"),
    chat("null seed", seed=None),
    chat("large", seed=2**63 - 1),
    chat("large, inexact", seed=2**53 + 1),
    chat("negative", seed=-(2**62) - 1),
    chat('quotes " and \\ and \n\t\x01 and / and \x7f', seed=1),
    chat("Grüße, 你好, 🎻 \u2028 \U0001f600", seed=1),
    chat("long " * 3000, seed=1),
    chat("a", "b", "c", "d", "e", "f", seed=3),
    chat("plain string", **formatted({"type": "string"})),
    chat("one number", **formatted({"type": "number", "exclusiveMinimum": 2.5})),
    chat("a name", seed=1) | {"messages": [{"role": "user", "name": "Ann", "content": "hi"}]},
    chat("parts", seed=1, messages=[{"role": "user", "content": "x" * 127}]),
]


def test_the_same_replies_as_the_scripted_server_byte_for_byte():
    with ScriptedServer() as scripted, QueueingServer() as queueing:
        texts = [said(scripted, body) for body in REQUESTS]
        assert [said(queueing, body) for body in REQUESTS] == texts
    assert len(set(texts)) > 0.9 * len(texts)


def test_plain_replies_have_as_many_words_as_told():
    with QueueingServer(reply_tokens="20") as server:
        status, answer = ask(server, chat(seed=1))
        assert (status, answer["usage"]["completion_tokens"]) == (200, 20)
        text = answer["choices"][0]["message"]["content"]
        assert len(text.split()) == 20
        assert said(server, chat(seed=1)) == text != said(server, chat(seed=2))
        server.behave(reply_tokens="2..5")
        lengths = [len(said(server, chat(seed=i)).split()) for i in range(60)]
        assert set(lengths) == {2, 3, 4, 5}
        assert json.loads(said(server, chat(seed=1, **formatted(NESTED))))["score"] in range(1, 11)


def test_choice_0_is_the_reply_to_one_choice(shared: QueueingServer):
    _, one = ask(shared, chat(seed=5))
    _, three = ask(shared, chat(seed=5, n=3, temperature=1))
    texts = [choice["message"]["content"] for choice in three["choices"]]
    assert texts[0] == one["choices"][0]["message"]["content"]
    assert len(set(texts)) == 3
    assert [choice["index"] for choice in three["choices"]] == [0, 1, 2]
    assert three["usage"]["completion_tokens"] > one["usage"]["completion_tokens"]


def test_logprobs_spell_the_text(shared: QueueingServer):
    _, answer = ask(shared, chat(seed=5, logprobs=True, top_logprobs=3))
    choice = answer["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(t["token"] for t in tokens) == choice["message"]["content"]
    assert len(tokens) == answer["usage"]["completion_tokens"]
    for token in tokens:
        top = token["top_logprobs"]
        assert len(top) == 3 and top[0]["token"] == token["token"] and top[0]["logprob"] == token["logprob"]
        assert 0 >= top[0]["logprob"] > top[1]["logprob"] > top[2]["logprob"]
    assert ask(shared, chat(seed=5))[1]["choices"][0]["logprobs"] is None


def test_an_answer_that_would_pass_the_context_is_capped_in_silence(shared: QueueingServer):
    prompt = shared_tokens(shared, chat("x" * 3900))
    _, answer = ask(shared, chat("x" * 3900, max_tokens=900, seed=1))
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 1000 - prompt
    _, short = ask(shared, chat("hello", max_tokens=2))
    assert (short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]) == ("length", 2)


def shared_tokens(server: QueueingServer, body: dict[str, Any]) -> int:
    return post(f"{server.base_url}/tokenize", {"messages": body["messages"]})[1]["count"]


def test_a_stop_string_ends_the_text_and_is_told(shared: QueueingServer):
    whole = said(shared, chat(seed=5))
    _, answer = ask(shared, chat(seed=5, stop=[whole[10:14], "never there"]))
    choice = answer["choices"][0]
    assert choice["message"]["content"] == whole[: whole.index(whole[10:14])]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", whole[10:14])


def test_structured_outputs_without_response_format(shared: QueueingServer):
    assert said(shared, chat(structured_outputs={"choice": ["red", "blue"]})) in ("red", "blue")
    by_format = said(shared, chat(seed=1, **formatted(NESTED)))
    assert said(shared, chat(seed=1, structured_outputs={"json": NESTED})) == by_format
    assert isinstance(json.loads(said(shared, chat(response_format={"type": "json_object"}))), dict)


# Refusals, in vLLM's shapes

BAD_REQUEST = "BadRequestError"
REFUSED: list[tuple[str, Any, str, str | None, str]] = [
    ("prompt too long", chat("x" * 5000), BAD_REQUEST, "input_tokens", "maximum context length is 1000 tokens"),
    ("n with temperature 0", chat(n=2, temperature=0), BAD_REQUEST, "n", "n must be 1 when using greedy sampling"),
    ("max_tokens 0", chat(max_tokens=0), BAD_REQUEST, "max_tokens", "at least 1"),
    ("max_tokens beyond the context", chat(max_tokens=1001), BAD_REQUEST, "max_tokens", "max_model_len=1000"),
    ("five stop strings", chat(stop=list("abcde")), BAD_REQUEST, "stop", "at most 4"),
    ("an empty stop string", chat(stop=[""]), BAD_REQUEST, "stop", "empty"),
    ("many top_logprobs", chat(logprobs=True, top_logprobs=21), BAD_REQUEST, "logprobs", "20"),
    ("top_logprobs alone", chat(top_logprobs=2), BAD_REQUEST, "top_logprobs", "logprobs"),
    ("seed 2**63", chat(seed=2**63), BAD_REQUEST, "seed", "2**63"),
    ("empty messages", chat() | {"messages": []}, BAD_REQUEST, "messages", "empty"),
    ("a bad schema", chat(**formatted({"type": "thing"})), BAD_REQUEST, None, "Grammar error: Invalid type: thing"),
    (
        "uniqueItems",
        chat(**formatted({"properties": {"a": {"uniqueItems": True}}})),
        BAD_REQUEST,
        None,
        'Grammar error: Unimplemented keys: ["uniqueItems"]',
    ),
    ("contains", chat(**formatted({"items": {"contains": {}}})), BAD_REQUEST, None, '["contains"]'),
    (
        "crossed bounds",
        chat(**formatted({"type": "integer", "minimum": 5, "maximum": 3})),
        BAD_REQUEST,
        None,
        "Grammar error: there is no value between the bounds",
    ),
    ("a $ref to nowhere", chat(**formatted({"$ref": "#/$defs/none"})), BAD_REQUEST, None, "Grammar error: "),
    ("an empty choice", chat(structured_outputs={"choice": []}), BAD_REQUEST, None, "cannot be empty"),
    ("two constraints", chat(structured_outputs={"choice": ["a"], "json": {}}), BAD_REQUEST, None, "exactly one kind"),
    ("tools", chat(tools=[{"type": "function"}]), BAD_REQUEST, None, "--tool-call-parser"),
    ("a chat template", chat(chat_template="{{x}}"), BAD_REQUEST, None, "--trust-request-chat-template"),
    ("a stream", chat(stream=True), BAD_REQUEST, "stream", "does not stream"),
    ("no JSON", b'{"model": ', "Bad Request", None, "json_invalid"),
    ("a missing field", {"model": "scripted"}, "Bad Request", None, "'loc': ('body', 'messages')"),
    ("a wrong type", chat(temperature="warm"), "Bad Request", None, "temperature"),
    ("a list", [], "Bad Request", None, "dictionary"),
]


@pytest.mark.parametrize(("body", "kind", "param", "told"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_a_request_is_refused_as_vllm_does(shared: QueueingServer, body: Any, kind: str, param: str | None, told: str):
    status, answer = ask(shared, body)
    error = answer["error"]
    assert (status, error["code"], error["type"], error["param"]) == (400, 400, kind, param)
    assert told in error["message"]


def test_a_prompt_of_exactly_the_context_is_refused_as_max_tokens(shared: QueueingServer):
    fill = 4 * (1000 - shared_tokens(shared, chat("")))
    assert shared_tokens(shared, chat("x" * fill)) == 1000
    status, answer = ask(shared, chat("x" * fill))
    assert (status, answer["error"]["param"]) == (400, "max_tokens")
    assert answer["error"]["message"] == "max_tokens must be at least 1, got 0."


def test_what_is_accepted(shared: QueueingServer):
    accepted = (
        {"seed": -5},
        {"guided_choice": ["a"], "nonsense": {"x": 1}},
        {"n": None, "stop": None, "max_tokens": None},
        {"max_tokens": 1000},
        {"stop": ["a", "b", "c", "d"]},
        {"tools": [{"type": "function"}], "tool_choice": "none"},
    )
    for fields in accepted:
        assert ask(shared, chat(**fields))[0] == 200, fields
    assert said(shared, chat(seed=1, guided_choice=["a"])) == said(shared, chat(seed=1))


def test_unknown_model_and_unknown_path_differ_in_shape(shared: QueueingServer):
    status, answer = ask(shared, chat() | {"model": "other"})
    assert (status, answer["error"]["type"], answer["error"]["code"]) == (404, "NotFoundError", 404)
    assert answer["error"]["message"] == "The model `other` does not exist."
    assert post(f"{shared.base_url}/v1/nothing", {})[:2] == (404, {"detail": "Not Found"})


def test_a_wrong_content_type_is_a_bad_request(shared: QueueingServer):
    status, answer = ask(shared, chat(), **{"Content-Type": "text/plain"})
    assert (status, answer["error"]["type"]) == (400, "Bad Request")


def test_with_a_key_only_v1_is_locked():
    with QueueingServer(api_key="secret") as server:
        assert ask(server, chat()) == (401, {"error": "Unauthorized"})
        assert ask(server, chat(), Authorization="Bearer wrong")[0] == 401
        assert ask(server, chat(), Authorization="Bearer secret")[0] == 200
        assert got(server, "/health") == b""
        assert b"num_requests_running" in got(server, "/metrics")
        assert shared_tokens(server, chat()) > 0
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            got(server, "/v1/models")
        refused.value.close()


# The other paths


def test_what_the_server_tells_of_itself(shared: QueueingServer):
    assert got(shared, "/health") == b""
    assert json.loads(got(shared, "/version")) == {"version": "0.32.0"}
    model = json.loads(got(shared, "/v1/models"))["data"][0]
    assert (model["id"], model["root"], model["max_model_len"]) == ("scripted", "scripted", 1000)


def test_tokenize_counts_what_usage_counts(shared: QueueingServer):
    body = chat(STORY)
    url = f"{shared.base_url}/tokenize"
    _, told, _ = post(url, {"model": "scripted", "messages": body["messages"]})
    assert told["count"] == len(told["tokens"]) == ask(shared, body)[1]["usage"]["prompt_tokens"]
    assert told["max_model_len"] == 1000
    assert post(url, {"prompt": "x" * 41})[1]["count"] == 11
    assert post(url, {})[0] == 400
    assert post(url, {"model": "other", "prompt": "x"})[0] == 404


def test_the_request_id_names_the_answer(shared: QueueingServer):
    assert ask(shared, chat(), **{"X-Request-Id": "abc"})[1]["id"] == "chatcmpl-abc"


def test_requests_in_pieces_and_many_at_once_on_one_connection(shared: QueueingServer):
    def request(body: dict[str, Any], more: str = "") -> bytes:
        data = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\n{more}Content-Length: {len(data)}\r\n\r\n"
        return head.encode() + data

    host, _, port = shared.base_url.removeprefix("http://").partition(":")
    both = request(chat(seed=1)) + request(chat(seed=2), "Connection: close\r\n")
    with socket.create_connection((host, int(port))) as connection:
        for start in range(0, len(both), 100):
            connection.sendall(both[start : start + 100])
        answers = b""
        while chunk := connection.recv(65536):
            answers += chunk
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    for seed in (1, 2):
        assert said(shared, chat(seed=seed)).encode() in answers


def test_the_metrics_have_the_labels_and_names_of_vllm():
    with QueueingServer(cache_blocks=100, model="smol") as server:
        body = chat(STORY * 5, seed=1) | {"model": "smol"}
        usages = [ask(server, body)[1]["usage"] for _ in range(2)]
        text = got(server, "/metrics").decode()
        metrics = server.metrics()
    assert 'vllm:num_requests_running{engine="0",model_name="smol"} 0' in text
    assert 'block_size="16"' in text and 'kv_cache_size_tokens="1600"' in text
    assert metrics["prefix_cache_queries_total"] == metrics["prompt_tokens_total"] == 2 * usages[0]["prompt_tokens"]
    hits = usages[1]["prompt_tokens_details"]["cached_tokens"]
    assert metrics["prefix_cache_hits_total"] == metrics["prompt_tokens_cached_total"] == hits > 100
    assert metrics["generation_tokens_total"] == sum(u["completion_tokens"] for u in usages)
    assert metrics["kv_cache_usage_perc"] == 0 and metrics["cache_config_info"] == 1


# The prefix cache


def test_a_history_with_the_reply_in_it_comes_from_the_cache():
    with QueueingServer() as server:
        first = chat(STORY * 3, seed=1)
        _, answer = ask(server, first)
        assert cached(answer) == 0
        reply = answer["choices"][0]["message"]["content"]
        history = chat(STORY * 3, reply, "And then?", seed=1)
        _, second = ask(server, history)
        with_reply = shown(history["messages"][:3]).removesuffix("\2assistant\1")
        assert cached(second) == 16 * (len(with_reply) // 64)
        other = chat(STORY * 3, reply[:-1] + "?", "And then?", seed=1)
        assert cached(ask(server, other)[1]) == cached(second)  # the last whole block ends before the change
        assert server.log()["prefix_hits"] == 2 * cached(second)


def test_a_whole_prompt_is_never_cached_and_a_salt_parts_caches():
    with QueueingServer() as server:
        body = chat("x" * (640 - len(shown(talk("")))))
        _, answer = ask(server, body)
        assert answer["usage"]["prompt_tokens"] == 160
        assert cached(ask(server, body)[1]) == 144
        assert cached(ask(server, body | {"cache_salt": "mine"})[1]) == 0
        assert cached(ask(server, body | {"cache_salt": "mine"})[1]) > 0


def shown(messages: list[dict[str, Any]]) -> str:
    """A prompt as the server's cache sees it."""
    return "".join(f"{m['role']}\1{m['content']}\2" for m in messages) + "assistant\1"


def test_a_bounded_cache_forgets_what_was_used_longest_ago():
    with QueueingServer(cache_blocks=40, reply_tokens="4") as server:
        bodies = [
            chat(f"{i}" + "x" * 900) for i in range(3)
        ]  # 15 blocks each: two fit, with their system prompt shared
        ask(server, bodies[0])
        ask(server, bodies[1])
        assert cached(ask(server, bodies[0])[1]) > 200
        ask(server, bodies[2])  # takes the place of bodies[1]
        assert cached(ask(server, bodies[0])[1]) > 200
        assert cached(ask(server, bodies[1])[1]) < 200
        server.behave(cache_blocks=0)
        for body in bodies:
            ask(server, body)
        assert all(cached(ask(server, body)[1]) > 200 for body in bodies)
        server.reset(cache=True)
        assert cached(ask(server, bodies[0])[1]) == 0


def test_hits_are_those_of_a_plain_model_of_the_cache():
    """Against an LRU in a dozen lines, over dialogues walked at random, within a bound that evicts."""
    limit, held, rng = 60, dict[str, None](), Random(3)
    with QueueingServer(cache_blocks=limit, reply_tokens="9..40") as server:
        talks: list[list[str]] = [[f"{i} {STORY * 3}"] for i in range(12)]
        seen: list[tuple[int, int]] = []
        for step in range(150):
            mine = rng.choice(talks)
            body = chat(*mine, seed=1)
            _, answer = ask(server, body)
            reply = answer["choices"][0]["message"]["content"]
            text = shown(body["messages"]) + reply
            blocks = [text[:end] for end in range(64, len(text) + 1, 64)]
            prompt = answer["usage"]["prompt_tokens"]
            most = min((prompt - 1) // 16, (len(text) - len(reply)) // 64)
            found = next((i for i, block in enumerate(blocks[:most]) if block not in held), most)
            assert cached(answer) == 16 * found, step
            seen.append((16 * found, prompt))
            for block in reversed(blocks):
                held.pop(block, None)
                held[block] = None
            while len(held) > limit:
                held.pop(next(iter(held)))
            mine += [reply, f"and then, {step}?"]
            if len(mine) > 9:
                del mine[1:]
        log = server.log()
    assert (log["prefix_hits"], log["prefix_queries"]) == tuple(map(sum, zip(*seen, strict=True)))
    assert len({hits for hits, _ in seen}) > 8


def test_blocks_of_two_requests_stay_until_both_are_over():
    with QueueingServer(cache_blocks=40, latency_ms=LONG) as server:
        first, second = left_open(server, chat(STORY * 5)), left_open(server, chat(STORY * 5))
        until(lambda: occupancy(server) == (2, 0))
        usage = server.metrics()["kv_cache_usage_perc"]
        first.close()
        until(lambda: occupancy(server) == (1, 0))
        assert server.metrics()["kv_cache_usage_perc"] == usage > 0.1
        second.close()
        until(lambda: server.metrics()["kv_cache_usage_perc"] == 0)


def test_requests_wait_for_room_in_the_cache():
    with QueueingServer(cache_blocks=40, latency_ms=LONG) as server:
        first = left_open(server, chat("1" + "x" * 1400))
        until(lambda: occupancy(server) == (1, 0))
        assert server.metrics()["kv_cache_usage_perc"] > 0.5
        second = left_open(server, chat("2" + "x" * 1400))
        until(lambda: occupancy(server) == (1, 1))
        first.close()
        until(lambda: occupancy(server) == (1, 0))
        second.close()
        until(lambda: server.metrics()["kv_cache_usage_perc"] == 0)


# Slots, queue and time


def test_slots_are_filled_first_come_first_served():
    with QueueingServer(capacity=1, latency_ms=LONG) as server:
        blocking = left_open(server, chat("first"))
        until(lambda: occupancy(server) == (1, 0))
        same_prompt: list[socket.socket] = []
        for i in range(3):
            same_prompt.append(left_open(server, chat(STORY * (3 - i), seed=i)))
            until(lambda i=i: occupancy(server) == (1, i + 1))
        server.behave(latency_ms=0)
        blocking.close()
        # Whoever is served after a longer story finds its own in the cache.
        assert [cached(read(connection)) > 0 for connection in same_prompt] == [False, True, True]
        assert server.log()["most_running"] == 1


def read(connection: socket.socket) -> Any:
    """The answer to come on a connection, which is closed then."""
    answer = http.client.HTTPResponse(connection)
    try:
        answer.begin()
        return json.loads(answer.read())
    finally:
        answer.close()
        connection.close()


def test_leaving_frees_the_slot_and_the_place_in_the_queue():
    with QueueingServer(capacity=2, latency_ms=LONG) as server:
        open_ = [left_open(server, chat(f"{i}")) for i in range(5)]
        until(lambda: occupancy(server) == (2, 3))
        open_[4].close()
        until(lambda: occupancy(server) == (2, 2))
        open_[0].close()
        until(lambda: occupancy(server) == (2, 1))
        open_[1].close()
        open_[2].close()
        until(lambda: occupancy(server) == (1, 0))
        open_[3].close()
        until(lambda: occupancy(server) == (0, 0))
        log = server.log()
    assert (log["aborted"], log["answers"], log["in_flight"], log["most_in_flight"], log["most_running"]) == (
        5,
        0,
        0,
        5,
        2,
    )


def test_more_slots_let_the_queue_in_and_fewer_hold_it_back():
    with QueueingServer(capacity=1, latency_ms=LONG) as server:
        open_ = [left_open(server, chat(f"{i}")) for i in range(4)]
        until(lambda: occupancy(server) == (1, 3))
        server.behave(capacity=3)
        assert occupancy(server) == (3, 1)
        server.behave(capacity=1)
        assert occupancy(server) == (3, 1)
        for connection in open_:
            connection.close()
        until(lambda: occupancy(server) == (0, 0))


def test_a_full_queue_says_429_and_when_to_come_again():
    with QueueingServer(capacity=1, queue_limit=2, latency_ms=LONG, retry_after="7") as server:
        open_ = [left_open(server, chat(f"{i}")) for i in range(3)]
        until(lambda: occupancy(server) == (1, 2))
        status, answer, headers = post(f"{server.base_url}/v1/chat/completions", chat("one more"))
        assert (status, answer["error"]["code"], headers["Retry-After"]) == (429, 429, "7")
        assert server.log()["rejected"] == 1
        for connection in open_:
            connection.close()


def served_ms(server: QueueingServer, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """How long a lone request was in service by the server's own clock, which its delays do not touch."""
    server.reset()
    _, answer = ask(server, body)
    return server.log()["latency_ms"]["max"], answer["usage"]


def test_service_time_counts_what_is_computed():
    with QueueingServer(latency_ms=5, prefill_ms_per_token=0.1, token_ms=0.5) as server:
        computed = 0
        for _ in range(2):  # the second time most of the prompt is cached
            took, usage = served_ms(server, chat(STORY * 4))
            computed = usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"]
            assert took == pytest.approx(5 + 0.1 * computed + 0.5 * usage["completion_tokens"], abs=0.01)
        assert computed < 16 + 1
        server.behave(prefill_ms_per_token=0, capacity=4, batch_slope=2)
        took, usage = served_ms(server, chat())
        assert took == pytest.approx(5 + 0.5 * usage["completion_tokens"] * (1 + 2 * 1 / 4), abs=0.01)


def test_a_fuller_batch_is_slower_for_each():
    with QueueingServer(capacity=2, latency_ms=LONG, reply_tokens="10") as server:
        other = left_open(server, chat("other"))
        until(lambda: occupancy(server) == (1, 0))
        server.behave(latency_ms=0, token_ms=1, batch_slope=1)
        assert served_ms(server, chat())[0] == pytest.approx(10 * (1 + 2 / 2), abs=0.01)
        other.close()


async def test_a_saturated_queue_keeps_every_slot_busy():
    with QueueingServer(capacity=4, latency_ms=250) as server:
        await all_at_once(server, [chat(f"{i}") for i in range(16)])
        log = server.log()
    assert log["slots_busy"] > 0.75 and log["slots_busy_until_95"] > 0.75
    assert log["most_running"] == 4 and log["most_in_flight"] == 16
    assert log["span_s"] >= 1.0
    assert log["queue_ms"]["max"] > 500 and log["queue_ms"]["p50"] <= log["queue_ms"]["p95"]
    assert 4 < log["mean_in_flight"] <= 16


async def all_at_once(server: QueueingServer, bodies: list[dict[str, Any]]) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(body: dict[str, Any]) -> int:
            async with session.post(f"{server.base_url}/v1/chat/completions", json=body) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*(one(body) for body in bodies))


async def test_a_thousand_at_once_are_all_answered():
    with QueueingServer(capacity=100, latency_ms=1, reply_tokens="2..30") as server:
        assert set(await all_at_once(server, [chat(f"{i}", seed=i) for i in range(1000)])) == {200}
        log = server.log()
    assert (log["answers"], log["distinct"], log["repeated"], log["in_flight"]) == (1000, 1000, 0, 0)


# Faults


def outcome(server: QueueingServer, body: dict[str, Any]) -> str:
    """What came of one attempt, as a client sees it."""
    connection = http.client.HTTPConnection(server.base_url.removeprefix("http://"), timeout=30)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
    except ConnectionError:
        return "reset"
    except http.client.IncompleteRead:
        return "short_body"
    finally:
        connection.close()
    if answer.status != 200:
        if answer.status != 500:
            assert answer.headers["Retry-After"] == "1"
        return str(answer.status)
    try:
        choices = json.loads(data)["choices"]
    except ValueError:
        return "truncated"
    if not choices:
        return "empty_choices"
    finish, text = choices[0]["finish_reason"], choices[0]["message"]["content"]
    return {"content_filter": "refusal", "length": "length"}.get(finish, "answer" if text else "nothing")


@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "stall"])
def test_a_fault_looks_as_it_is_called(fault: str):
    with QueueingServer(error_rate=1, faults=(fault,)) as server:
        assert outcome(server, chat()) == fault
        log = server.log()
        server.behave(error_rate=0)
        assert outcome(server, chat()) == "answer"
        after = server.log()
    assert (log["faults"], log["faulted"], log["answers"], log["in_flight"]) == ({fault: 1}, 1, 0, 0)
    assert (after["answers"], after["repeated"], after["asked_after_answer"]) == (1, 1, 0)


def test_an_answer_cut_by_length_is_no_json():
    with QueueingServer(error_rate=1, faults=("length",)) as server, pytest.raises(ValueError, match=r"line 1"):
        json.loads(said(server, chat(**formatted(NESTED))))


def test_a_refusal_has_no_content():
    with QueueingServer(error_rate=1, faults=["refusal"]) as server:
        choice = ask(server, chat())[1]["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", None)


def test_a_stall_lasts_until_the_client_leaves_or_its_time_is_over():
    with QueueingServer(error_rate=1, faults=("stall",), capacity=1) as server:
        stalled = left_open(server, chat())
        until(lambda: server.log()["faults"] == {"stall": 1})
        assert occupancy(server) == (0, 0)  # it holds no slot
        assert server.log()["in_flight"] == 1
        stalled.close()
        until(lambda: server.log()["in_flight"] == 0)
        assert server.log()["aborted"] == 1
        server.behave(stall_s=0.05)
        assert outcome(server, chat("later")) == "answer"
        assert server.log()["latency_ms"]["max"] == pytest.approx(50, abs=0.01)


def test_a_fault_follows_from_messages_seed_and_attempt_alone():
    faults = ("500", "reset", "truncated", "empty_choices")
    bodies = [chat(f"{i % 8}", seed=i) for i in range(40)]

    def outcomes(order: list[int], **more: Any) -> dict[int, list[str]]:
        with QueueingServer(error_rate=0.4, faults=faults, **more) as server:
            seen: dict[int, list[str]] = {i: [] for i in order}
            for i in order * 3:
                seen[i].append(outcome(server, bodies[i]))
        return seen

    forth = outcomes(list(range(40)))
    assert outcomes(list(reversed(range(40)))) == forth
    assert outcomes(list(range(40)), fault_seed=1) != forth
    kinds = [kind for attempts in forth.values() for kind in attempts]
    assert set(kinds) == {"answer", *faults}
    assert 0.25 < 1 - kinds.count("answer") / len(kinds) < 0.55
    assert any(len(set(attempts)) > 1 for attempts in forth.values())


def test_the_share_of_faults_is_the_rate():
    with QueueingServer(error_rate=0.1, faults=("500", "429", "503", "truncated")) as server:
        asyncio.run(all_at_once(server, [chat(f"{i}") for i in range(1000)]))
        log = server.log()
    assert 60 < log["faulted"] < 140
    assert all(count > 8 for count in log["faults"].values()) and len(log["faults"]) == 4
    assert log["answers"] + log["faulted"] == log["requests"] == 1000
    assert log["statuses"]["500"] == log["faults"]["500"]


def test_when_the_engine_dies_all_get_500_and_then_nobody_answers():
    with QueueingServer(die_after=2, capacity=2, latency_ms=LONG) as server:
        waiting = [left_open(server, chat(f"{i}")) for i in range(2)]
        until(lambda: occupancy(server) == (2, 0))
        server.behave(capacity=3, latency_ms=0)
        assert outcome(server, chat("one")) == "answer"
        assert outcome(server, chat("two")) == "answer"
        for connection in waiting:
            assert read(connection)["error"]["message"].startswith("EngineCore encountered an issue")
        assert server.process.wait(30) == 9
        assert outcome(server, chat("three")) == "reset"  # refused, as a ConnectionError


# What can be changed, and the log


def test_a_server_can_come_back_under_another_model_name():
    with QueueingServer(model="first") as server:
        assert ask(server, chat() | {"model": "first"})[0] == 200
        server.behave(model="second")
        assert ask(server, chat() | {"model": "first"})[0] == 404
        assert ask(server, chat() | {"model": "second"})[1]["model"] == "second"
        assert json.loads(got(server, "/v1/models"))["data"][0]["id"] == "second"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"capasity": 4}, "no behaviour 'capasity'; there are port, model, capacity"),
        ({"capacity": "four"}, 'capacity must be a number, 0 or more, got "four"'),
        ({"faults": ["500", "fire"]}, "faults: no 'fire'; there are 500, 429"),
        ({"reply_tokens": "a few"}, 'reply_tokens must be a number or a range such as 2..30, got "a few"'),
    ],
)
def test_a_change_that_means_nothing_is_refused(shared: QueueingServer, changes: Any, told: str):
    with pytest.raises(ValueError) as refused:
        shared.behave(**changes)
    assert told in str(refused.value)


def test_a_flag_that_means_nothing_ends_the_start(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(RuntimeError, match="did not start"), QueueingServer(capacity=-1):
        pass
    assert "capacity must be a number, 0 or more, got -1" in capfd.readouterr().err


def test_the_log_tells_repeated_bodies_and_those_answered_before():
    with QueueingServer() as server:
        body, changed = chat(seed=1), chat(seed=1, top_p=0.9)
        for asked in (body, body, changed, body):
            ask(server, asked)
        ask(server, chat(n=0))
        log = server.log()
        assert (log["requests"], log["answers"], log["distinct"]) == (5, 4, 3)
        assert (log["repeated"], log["asked_after_answer"]) == (2, 2)
        assert log["statuses"] == {"200": 4, "400": 1}
        assert 0 < log["cpu_s"] < 30
        assert abs(log["first_request_s"] - time.time()) < 60
        assert 0 <= log["last_answer_s"] - log["first_request_s"] == pytest.approx(log["span_s"], abs=0.002)
        server.reset()
        zeroed = server.log()
    assert (zeroed["requests"], zeroed["distinct"], zeroed["prefix_queries"], zeroed["span_s"]) == (0, 0, 0, None)
    assert zeroed["latency_ms"] is zeroed["queue_ms"] is zeroed["slots_busy"] is None


def test_a_lone_request_after_another_gives_the_share_of_its_slot():
    with QueueingServer(capacity=2, latency_ms=40) as server:
        for i in range(3):
            ask(server, chat(f"{i}"))
        log = server.log()
    # One of two slots is busy for 3 x 40 ms of the span, and one request in flight.
    assert log["slots_busy"] == pytest.approx(3 * 40 / 2 / (1000 * log["span_s"]), abs=0.01)
    assert log["mean_in_flight"] == pytest.approx(3 * 40 / (1000 * log["span_s"]), abs=0.02)


def test_an_answer_that_nobody_took_is_counted_as_unread():
    with QueueingServer() as server:
        connection = left_open(server, chat())
        until(lambda: server.log()["answers"] == 1)
        connection.recv(1, socket.MSG_PEEK)  # it lies in the client's socket
        connection.close()
        until(lambda: server.log()["unread"] == 1)
        ask(server, chat("taken"))
        with left_open(server, chat("taken as well")) as taken:
            assert taken.recv(65536)
        until(lambda: server.log()["answers"] == 3)
        assert (server.log()["unread"], server.log()["aborted"]) == (1, 0)


def test_the_server_ends_with_its_parent():
    code = "from queueing_server import QueueingServer\nwith QueueingServer() as s:\n print(s.base_url, flush=True)\n input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    host, _, port = parent.stdout.readline().strip().removeprefix("http://").partition(":")
    socket.create_connection((host, int(port))).close()
    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    def refused() -> bool:
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            return True
        return False

    until(refused)


def test_killed_it_is_gone_at_once():
    with QueueingServer() as server:
        server.kill()
        assert server.process.returncode == -signal.SIGKILL
        assert outcome(server, chat()) == "reset"


def test_the_load_generator_prints_what_the_server_sustains():
    script = Path(__file__).parents[1] / "benchmarks" / "load.mjs"
    command = ["node", str(script), "--requests", "2000", "--warmup", "100", "--connections", "8"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "requests/s:" in printed and "2000 answers, 2000 distinct bodies" in printed and " 0 cached" in printed
