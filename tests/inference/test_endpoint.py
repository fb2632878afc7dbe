"""One endpoint: its circuit breaker, its counts, what cancelling does, and how a conversation's bytes grow."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from asking import answering, http_answer, request
from hypothesis import given
from hypothesis import strategies as st
from queueing_server import QueueingServer

from inference import endpoint
from inference.addresses import read_endpoints
from inference.client import Connections, Transcript
from inference.endpoint import FAULTS_IN_A_ROW, LONGEST_WAIT_S, REFUSED_IN_A_ROW, Changes, Endpoint, backoff
from inference.pool import Home
from inference.transport import Patience
from schemas.chat import ChatReply, EndpointSpec, Message
from schemas.errors import InputError, Refused, Unreachable


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Back-off as it is, only shorter."""
    monkeypatch.setattr(endpoint, "FIRST_WAIT_S", 0.02)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def attempt(one: Endpoint) -> Any:
    return await one.attempt("POST", "/chat/completions", b"{}", lambda body: body["said"], Home(""), 0)


def statuses(*told: int) -> Callable[[str, bytes], bytes]:
    """The chat requests' statuses in turn, then 200; the list of models is always well."""
    left = list(told)

    def answer(path: str, _: bytes) -> bytes:
        if path.endswith("/models"):
            return http_answer(200, b'{"data": [{"id": "scripted", "aliases": ["other name"]}]}')
        status = left.pop(0) if left else 200
        return http_answer(status, b'{"said": "well"}' if status == 200 else b'{"error": "scripted"}')

    return answer


async def test_only_an_unbroken_row_of_faults_sets_an_endpoint_aside():
    almost = [500] * (FAULTS_IN_A_ROW - 1)
    async with answering(statuses(*almost, 200, *almost, 500)) as base_url, Connections() as http:
        one = http.endpoint(EndpointSpec(base_url, "scripted"))
        for _ in range(2 * FAULTS_IN_A_ROW - 1):
            await attempt(one)
        assert one.aside is None
        await attempt(one)
        assert one.aside is not None and "500" in one.aside and one.stats.set_aside == 1
        await until(lambda: one.aside is None)


async def test_the_first_fault_after_its_return_sets_it_aside_again_and_an_answer_ends_that():
    row = [500] * FAULTS_IN_A_ROW
    async with answering(statuses(*row, 500, 200, 500)) as base_url, Connections() as http:
        one = http.endpoint(EndpointSpec(base_url, "scripted"))
        for _ in row:
            await attempt(one)
        await until(lambda: one.aside is None)
        await attempt(one)
        assert one.stats.set_aside == 2
        await until(lambda: one.aside is None)
        assert await attempt(one) == "well"
        await attempt(one)
        assert one.aside is None and one.stats.set_aside == 2


async def test_nobody_listening_is_believed_sooner_than_other_faults():
    with QueueingServer() as server:
        server.kill()
        async with Connections() as http:
            one = http.endpoint(EndpointSpec(server.base_url, "scripted"))
            for _ in range(REFUSED_IN_A_ROW):
                assert one.aside is None
                await attempt(one)
            assert one.aside is not None and one.told()["faults"] == {"connection": REFUSED_IN_A_ROW}


@pytest.mark.parametrize("status", [400, 422, 501])
async def test_a_request_it_cannot_take_says_nothing_about_others(status: int):
    async with answering(statuses(status)) as base_url, Connections() as http:
        one = http.endpoint(EndpointSpec(base_url, "scripted"))
        with pytest.raises(Refused):
            await attempt(one)
        assert one.aside is None and await attempt(one) == "well"


@pytest.mark.parametrize(("status", "kind"), [(401, "unauthenticated"), (403, "forbidden"), (404, "not_found")])
async def test_a_lost_model_or_key_sets_it_aside_at_once(status: int, kind: str):
    async with answering(statuses(status)) as base_url, Connections() as http:
        one = http.endpoint(EndpointSpec(base_url, "scripted"))
        with pytest.raises(Refused):
            await attempt(one)
        assert one.aside is not None and one.told()["faults"] == {kind: 1}
        await until(lambda: one.aside is None)


@pytest.mark.parametrize(("name", "back"), [("scripted", True), ("other name", True), ("gone", False)])
async def test_it_comes_back_when_it_lists_its_model_or_an_alias(name: str, back: bool):
    async with answering(statuses()) as base_url, Connections() as http:
        one = http.endpoint(EndpointSpec(base_url, name))
        one.set_aside("a test")
        if back:
            await until(lambda: one.aside is None)
        else:
            await asyncio.sleep(0.3)  # some ten probes
            assert one.aside == "a test"


async def test_every_request_sent_is_counted_once():
    with QueueingServer(error_rate=0.4, faults=("500", "truncated", "refusal"), latency_ms=5) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            asking = [asyncio.create_task(model.ask(request(seed))) for seed in range(60)]
            await until(lambda: server.log()["answers"] >= 10)
            for task in asking[::5]:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            [told] = http.told().values()
    assert told["sent"] == told["answered"] + sum(told["faults"].values()) + told["cancelled"]
    assert set(told["faults"]) == {"server_error", "broken_answer", "refused"} and told["in_flight"] == 0
    assert orjson.loads(orjson.dumps(told)) == told


async def test_a_cancelled_ask_is_aborted_on_the_server_and_gives_its_permit_back():
    with QueueingServer(capacity=4, error_rate=1, faults=("stall",)) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted", max_in_flight=8))
            asking = [asyncio.create_task(model.ask(request(seed))) for seed in range(20)]
            await until(lambda: server.log()["in_flight"] == 8)
            for task in asking:
                task.cancel()
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
            assert [type(o) for o in outcomes] == [asyncio.CancelledError] * 20
            await until(lambda: server.log()["in_flight"] == 0)
            [told] = http.told().values()
            assert (told["cancelled"], told["in_flight"], told["waiting"]) == (8, 0, 0)
            log = server.log()
            assert log["aborted"] == log["requests"] == 8
            server.behave(error_rate=0)
            assert len(await asyncio.gather(*(model.ask(request(seed)) for seed in range(20)))) == 20


@pytest.mark.parametrize("transport", [EndpointSpec("http://127.0.0.1", "m").transport, "openai"])
async def test_cancelling_aborts_whatever_the_transport(transport: Any):
    with QueueingServer(latency_ms=600_000) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted", transport=transport))
            asking = asyncio.create_task(model.ask(request()))
            await until(lambda: server.log()["in_flight"] == 1)
            asking.cancel()
            await asyncio.wait([asking])
            await until(lambda: server.log()["aborted"] == 1)
        assert server.log()["in_flight"] == 0


async def test_waiting_for_a_permit_is_no_failure_and_has_no_end():
    patience = Patience(faults_s=0.5, first_byte_s=1.0, answer_s=1.0)
    with QueueingServer(latency_ms=60) as server:
        async with Connections(patience) as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted", max_in_flight=1))
            clock = asyncio.get_running_loop().time
            began = clock()
            replies = await asyncio.gather(*(model.ask(request(seed)) for seed in range(25)))
            waited = clock() - began
            [told] = http.told().values()
        log = server.log()
    assert len(replies) == log["requests"] == 25 and log["most_in_flight"] == 1
    assert waited > patience.answer_s and told["faults"] == {}


async def test_the_lowest_order_goes_first_when_a_permit_comes_back():
    with QueueingServer(latency_ms=20) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted", max_in_flight=1))
            done: list[int] = []

            async def ask(order: int) -> None:
                await model.conversation(f"d{order}", order).ask(request(order))
                done.append(order)

            first = asyncio.create_task(ask(9))
            await until(lambda: server.log()["requests"] == 1)
            await asyncio.gather(first, *(ask(order) for order in (7, 3, 8, 1)))
    assert done == [9, 1, 3, 7, 8]


async def test_metrics_are_read_while_it_serves(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(endpoint, "METRICS_EVERY_S", 0.05)
    with QueueingServer(cache_blocks=100, capacity=1, latency_ms=600_000) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            one = model.pool.endpoints[0]
            await http.watch(0)
            asking = [asyncio.create_task(model.ask(request(seed))) for seed in range(2)]
            await until(lambda: one.load is not None and (one.load.running, one.load.waiting) == (1, 1))
            assert one.load is not None and one.load.kv_tokens == 1600 == model.pool.cache_tokens
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)


async def test_changes_wake_all_who_wait_and_only_until_then():
    changes = Changes()
    waiting = [asyncio.create_task(changes.wait(60)) for _ in range(3)]
    await asyncio.sleep(0)
    changes.tell()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await changes.wait(0.01) is False


@given(st.binary(max_size=20), st.integers(0, 10_000))
def test_a_back_off_is_between_half_and_all_of_a_doubling_wait(seed: bytes, attempt: int):
    most = min(LONGEST_WAIT_S, endpoint.FIRST_WAIT_S * 2.0 ** min(attempt, 30))
    assert most / 2 <= backoff(seed, attempt) <= most
    assert backoff(seed, attempt) == backoff(seed, attempt)


def test_equal_attempts_of_different_requests_are_spread():
    waits = {round(backoff(str(i).encode(), 8), 3) for i in range(200)}
    assert len(waits) > 100


contents = st.sampled_from(["", "a", "b", "Wörter 🙂", 'a "quote"\n', "\u2028"])
messages = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), contents), max_size=5)


@given(st.lists(messages.map(tuple), max_size=6))
def test_a_transcript_renders_what_a_fresh_one_would(asked: list[tuple[Message, ...]]):
    kept = Transcript()
    for each in asked:
        rendered = kept.render(each)
        assert rendered == Transcript().render(each)
        assert orjson.loads(b"[" + rendered + b"]") == [{"role": m.role, "content": m.content} for m in each]


@given(st.lists(st.builds(Message, st.just("user"), contents), min_size=1, max_size=6))
def test_a_longer_request_begins_with_the_bytes_of_the_last(said: list[Message]):
    kept = Transcript()
    before = b""
    for size in range(1, len(said) + 1):
        now = kept.render(tuple(said[:size]))
        assert now.startswith(before)
        before = now


hosts = st.sampled_from(["http://a:1", "http://b:2/v1", "https://c", "http://127.0.0.1:8000/"])
lines = st.one_of(hosts, hosts.map("  {}  # a note".format), st.just("# http://d:1"), st.just(""))


@given(listed=st.lists(lines, max_size=6), end=st.sampled_from(["", "\n"]))
def test_endpoints_are_read_in_order_once_each_without_notes(
    listed: list[str], end: str, tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.getbasetemp() / "endpoints.txt"
    path.write_text("\n".join(listed) + end)
    wanted = list(dict.fromkeys(x.partition("#")[0].strip() for x in listed if not x.startswith("#") and x))
    if wanted:
        assert read_endpoints(path) == wanted
    else:
        with pytest.raises(InputError, match="lists no endpoint"):
            read_endpoints(path)


@pytest.mark.parametrize("written", ["http://a:1\nhttp:/", "a:1", "http://a:1 http://b:1", "ftp://a"])
def test_a_file_with_a_slip_is_an_input_error(written: str, tmp_path: Path):
    path = tmp_path / "endpoints.txt"
    path.write_text(written)
    with pytest.raises(InputError):
        read_endpoints(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_endpoints(tmp_path / "missing.txt")


async def test_a_set_aside_endpoint_that_is_alone_is_waited_for_as_long_as_patience_lasts():
    with QueueingServer() as server:
        server.kill()
        async with Connections(Patience(faults_s=0.6)) as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            with pytest.raises(Unreachable, match=rf"^{server.base_url}/v1 could not be used: .*then resume"):
                await model.ask(request())
            with QueueingServer(port=int(server.base_url.rpartition(":")[2])):
                await until(lambda: model.pool.endpoints[0].aside is None)
                assert isinstance(await model.ask(request()), ChatReply)
