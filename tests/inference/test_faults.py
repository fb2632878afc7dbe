"""What an attempt can end in besides an answer: how it is sorted, and that nothing is lost or asked twice."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from asking import KINDS, SCHEMA, behaving, request
from hypothesis import given
from hypothesis import strategies as st
from queueing_server import QueueingServer

from inference import endpoint
from inference.client import Connections
from inference.faults import Fault, Response, error_message, is_overflow, retry_after_s, sort
from inference.transport import Patience
from schemas.chat import ChatReply, ChatRequest, EndpointSpec, Sampling
from schemas.errors import ContextOverflow, InvalidOutput, OvertureError, Refused

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
OVERFLOWS = [
    "This model's maximum context length is 2048 tokens. However, your request has at least 2049 input tokens.",
    "max_tokens must be at least 1, got 0.",
    "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
]


def sorted_into(status: int, body: bytes = b"{}", retry_after: str | None = None) -> Fault | OvertureError:
    try:
        return sort(Response(status, retry_after, None, body), f"answers {status}", "URL/models", None)
    except OvertureError as error:
        return error


@given(st.integers(300, 599))
def test_every_status_is_capacity_infrastructure_or_final(status: int):
    found = sorted_into(status)
    if isinstance(found, Fault):
        assert found.busy == (status in (429, 503))
        assert status >= 500 or status in (408, 409, 425, 429)
    else:
        assert isinstance(found, Refused) and f"{status}. " in str(found)
        assert status < 500 or status in (501, 505)


@pytest.mark.parametrize("message", OVERFLOWS)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_too_long_is_content_in_any_servers_words(message: str, status: int):
    for body in ({"error": {"message": message}}, {"message": message}, {"detail": message}):
        assert isinstance(sorted_into(status, orjson.dumps(body)), ContextOverflow)


@pytest.mark.parametrize("code", ["context_length_exceeded", "exceed_context_size_error"])
def test_a_prompt_too_long_is_content_by_its_code_alone(code: str):
    assert is_overflow(orjson.dumps({"error": {"message": "too long", "type": code, "code": 400}}))


def test_a_server_error_that_speaks_of_context_is_asked_again():
    body = orjson.dumps({"error": {"message": OVERFLOWS[0]}})
    assert sorted_into(500, body) == Fault("server_error", "answers 500")


@given(st.text(max_size=40) | st.integers().map(str) | st.floats().map(str))
def test_any_retry_after_is_a_wait_or_is_passed_over(header: str):
    wait_s = retry_after_s(header, NOW)
    assert wait_s is None or wait_s >= 0


@given(st.integers(-3600, 3600), st.sampled_from([0, 60, -480]))
def test_retry_after_as_a_date_is_the_time_until_then(seconds: int, zone_minutes: int):
    at = (NOW + timedelta(seconds=seconds)).astimezone(timezone_of(zone_minutes))
    assert retry_after_s(format_datetime(at), NOW) == max(0, seconds)


def timezone_of(minutes: int) -> Any:
    return datetime.strptime(f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}00", "%z").tzinfo


@pytest.mark.parametrize(
    "header", ["Sat, 21 Nov 2026 12:00:00 +99999999999999", "Mon, 99 Foo 0000 00:00:00 GMT", "nan"]
)
def test_a_retry_after_that_means_nothing_asks_for_no_wait(header: str):
    assert not retry_after_s(header, NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "detail", "message", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.binary(max_size=40) | json_values.map(orjson.dumps))
def test_any_body_gives_words_to_show(body: bytes):
    told = error_message(body)
    assert told and len(told) <= 500


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error": {"message": "no room", "type": "TooMany"}}', "no room TooMany"),
        (b'{"error": "Unauthorized"}', "Unauthorized"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
        (b"", "no message"),
    ],
)
def test_the_servers_own_words_are_told(body: bytes, told: str):
    assert error_message(body) == told


@pytest.fixture(scope="module")
def process() -> Iterator[QueueingServer]:
    with QueueingServer() as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Back-off as it is, only shorter."""
    monkeypatch.setattr(endpoint, "FIRST_WAIT_S", 0.02)


async def ask_all(
    server: QueueingServer, asked: list[ChatRequest], patience: Patience
) -> tuple[list[ChatReply | BaseException], dict[str, Any]]:
    """What became of each, and what the endpoint tells."""
    async with Connections(patience) as http:
        spec = EndpointSpec(server.base_url, "scripted")
        model = http.chat(spec)
        outcomes = await asyncio.gather(*(model.ask(r) for r in asked), return_exceptions=True)
        return outcomes, http.endpoint(spec).told()


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """What 24 requests are answered without faults."""
    with QueueingServer() as server:
        outcomes, _ = asyncio.run(ask_all(server, [request(seed) for seed in range(24)], Patience()))
    return [o.text for o in outcomes if isinstance(o, ChatReply)]


@pytest.mark.parametrize("fault", KINDS)
async def test_a_fault_is_retried_until_answered_and_counted_under_its_kind(
    process: QueueingServer, fault: str, texts: list[str]
):
    patience = Patience(faults_s=60, first_byte_s=1.0 if fault == "stall" else 60)
    needed = 8 if fault == "stall" else 24
    with behaving(process, error_rate=0.3, faults=(fault,), fault_seed=5, retry_after="0") as server:
        outcomes, told = await ask_all(server, [request(seed) for seed in range(needed)], patience)
        log = server.log()
    assert [o.text if isinstance(o, ChatReply) else o for o in outcomes] == texts[:needed]
    assert told["faults"] == {KINDS[fault]: log["faulted"]} and log["faulted"] >= 2
    assert (told["sent"], told["answered"]) == (log["requests"], needed)
    assert log["requests"] == needed + log["faulted"] and log["asked_after_answer"] == 0
    assert told["in_flight"] == 0


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_busy_server_is_asked_again_when_it_said(process: QueueingServer, form: str):
    with behaving(process, error_rate=1, faults=("429",)) as server:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        if form == "seconds":
            until = datetime.now(UTC) + timedelta(seconds=0.8)
        server.behave(retry_after=format_datetime(until, usegmt=True) if form == "date" else "0.8")
        asking = asyncio.create_task(ask_all(server, [request()], Patience()))
        while not server.log()["faulted"]:
            await asyncio.sleep(0.02)
        server.behave(error_rate=0)
        [outcome], told = await asking
        assert datetime.now(UTC) >= until and server.log()["requests"] == 2
    assert isinstance(outcome, ChatReply) and told["faults"] == {"rate_limit": 1}


async def test_a_busy_server_is_never_set_aside_however_often_it_says_so(process: QueueingServer):
    with behaving(process, capacity=1, queue_limit=1, latency_ms=5, retry_after="0") as server:
        outcomes, told = await ask_all(server, [request(seed) for seed in range(40)], Patience())
        log = server.log()
    assert all(isinstance(o, ChatReply) for o in outcomes)
    assert told["faults"] == {"rate_limit": log["rejected"]} and log["rejected"] > 8
    assert told["set_aside"] == 0 and log["requests"] == 40 + log["rejected"]


@pytest.mark.parametrize(
    ("fault", "reason"), [("refusal", "refused"), ("length", "cut_short"), ("max_tokens", "cut_short")]
)
async def test_an_unusable_answer_is_raised_at_once_with_its_reason(process: QueueingServer, fault: str, reason: str):
    asked = [request(seed, json_schema=SCHEMA) for seed in range(12)]
    rate = 1
    if fault == "max_tokens":
        few = Sampling(max_tokens=2)
        asked, rate = [replace(r, sampling=few) for r in asked], 0
    with behaving(process, error_rate=rate, faults=("refusal" if fault == "refusal" else "length",)) as server:
        outcomes, told = await ask_all(server, asked, Patience())
        assert server.log()["requests"] == 12
    assert [o.reason if isinstance(o, InvalidOutput) else o for o in outcomes] == [reason] * 12
    assert told["sent"] == told["answered"] + sum(told["faults"].values()) == 12
    assert told["faults"] == ({"refused": 12} if fault == "refusal" else {}) and told["set_aside"] == 0


async def test_an_answer_cut_short_is_one_where_no_schema_is_broken_by_it(process: QueueingServer):
    with behaving(process, error_rate=1, faults=("length",)) as server:
        [outcome], told = await ask_all(server, [request()], Patience())
    assert isinstance(outcome, ChatReply) and outcome.finish_reason == "length" and told["answered"] == 1


async def test_prompts_from_just_short_enough_to_too_long_are_answered_or_overflow(process: QueueingServer):
    asked = [request(text="x" * size) for size in range(200, 240)]
    with behaving(process, max_model_len=64) as server:
        outcomes, told = await ask_all(server, asked, Patience())
        assert server.log()["requests"] == 40
    fits = [isinstance(o, ChatReply) for o in outcomes]
    assert fits == sorted(fits, reverse=True) and 0 < sum(fits) < 40
    wrong = [o for o in outcomes if not isinstance(o, ChatReply)]
    assert all(isinstance(o, ContextOverflow) for o in wrong)
    assert any("got 0" in str(o) for o in wrong) and any("maximum context length" in str(o) for o in wrong)
    assert told["faults"] == {"context_overflow": len(wrong)} and told["set_aside"] == 0


async def test_an_engine_that_dies_and_is_started_again_answers_all_and_none_twice():
    with QueueingServer(latency_ms=20, die_after=5) as mortal:
        port = int(mortal.base_url.rpartition(":")[2])
        asking = asyncio.create_task(ask_all(mortal, [request(seed) for seed in range(20)], Patience()))
        while mortal.process.poll() is None:
            await asyncio.sleep(0.02)
        with QueueingServer(port=port) as next_life:
            outcomes, told = await asking
            log = next_life.log()
    assert all(isinstance(o, ChatReply) for o in outcomes)
    assert log["answers"] == log["requests"] == 15 and told["answered"] == 20
    assert told["sent"] == 20 + sum(told["faults"].values()) and told["set_aside"] >= 1


async def test_an_unknown_model_is_refused_once_and_counted(process: QueueingServer):
    with behaving(process, model="another") as server:
        [outcome], told = await ask_all(server, [request()], Patience())
        assert server.log()["requests"] == 1
    assert isinstance(outcome, Refused) and outcome.kind == "not_found" and "does not exist" in str(outcome)
    assert told["faults"] == {"not_found": 1} and told["aside"] is not None


async def test_faults_of_every_kind_together_lose_nothing(process: QueueingServer):
    asked = [request(seed) for seed in range(150)]
    kinds = [fault for fault in KINDS if fault != "stall"]
    with behaving(process, capacity=16, latency_ms=5, error_rate=0.3, faults=kinds, retry_after="0") as server:
        outcomes, told = await ask_all(server, asked, Patience())
        log = server.log()
    assert all(isinstance(o, ChatReply) for o in outcomes)
    assert log["requests"] == 150 + log["faulted"] and log["asked_after_answer"] == 0
    by_kind: dict[str, int] = {}
    for fault, count in log["faults"].items():
        by_kind[KINDS[fault]] = by_kind.get(KINDS[fault], 0) + count
    assert told["faults"] == by_kind and len(log["faults"]) == len(kinds)
