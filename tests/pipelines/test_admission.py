"""How many dialogues are live: never more than allowed, none while much waits, no more than the caches hold."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asking import request
from queueing_server import QueueingServer

from inference import endpoint
from inference.client import Connections, HttpChatModel
from inference.pool import Pool
from pipelines.admission import FILL, FIRST_GUESS, Admission
from schemas.chat import EndpointSpec, Message


@pytest.fixture(autouse=True)
def quick_metrics(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(endpoint, "METRICS_EVERY_S", 0.02)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def play(admission: Admission, model: HttpChatModel, count: int) -> list[tuple[int, int, int]]:
    """So many dialogues of three growing prompts, as the worker plays them: (live, bound, waiting) as each starts."""

    async def dialogue(index: int) -> None:
        conversation = model.conversation(f"{index}/user", index)
        said = (Message("system", f"You are student {index}. " + "Be brief and kind to everyone. " * 20),)
        held = 0
        try:
            for turn in range(3):
                said = (*said, Message("user", f"Turn {turn} of dialogue {index}"))
                reply = await conversation.ask(replace(request(turn), messages=said))
                held = reply.prompt_tokens + reply.completion_tokens
        finally:
            admission.leave({model.pool: held})

    seen: list[tuple[int, int, int]] = []
    async with asyncio.TaskGroup() as tasks:
        for index in range(count):
            await admission.enter()
            seen.append((admission.live, admission.bound(), model.pool.waiting))
            tasks.create_task(dialogue(index))
    return seen


async def test_never_more_are_live_than_allowed():
    with QueueingServer(latency_ms=5) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            admission = Admission(5, {model.pool: 1}, 1)
            seen = await play(admission, model, 40)
            assert max(live for live, *_ in seen) == 5 and admission.live == 0
        log = server.log()
    assert log["most_in_flight"] <= 5 and log["answers"] == 120


async def test_a_dialogue_starts_only_when_nothing_much_waits_and_then_it_does():
    with QueueingServer(capacity=4, latency_ms=10) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted", max_in_flight=4))
            admission = Admission(1000, {model.pool: 1}, 1)
            seen = await play(admission, model, 40)
        log = server.log()
    assert {waiting for *_, waiting in seen} == {0}  # of four permits 5% are none
    assert max(live for live, *_ in seen) <= 5  # the fifth waits for a permit
    assert log["answers"] == 120 and log["most_in_flight"] == 4


async def test_one_may_start_when_there_is_nothing_else_whatever_the_caches_say():
    with QueueingServer(cache_blocks=1) as server:
        async with Connections() as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            await http.watch(0)
            await until(lambda: model.pool.cache_tokens == 16)
            admission = Admission(100, {model.pool: 1}, 1)
            assert admission.bound() == 1
            assert [live for live, *_ in await play(admission, model, 3)] == [1, 1, 1]


async def test_live_dialogues_fit_the_caches_that_the_metrics_tell():
    tokens = 400 * 16
    with (
        QueueingServer(cache_blocks=400, capacity=64, latency_ms=5) as server,
        QueueingServer() as boundless,
    ):
        async with Connections() as http:
            perfect = http.chat(EndpointSpec(boundless.base_url, "scripted"))
            await play(Admission(1000, {perfect.pool: 1}, 1), perfect, 60)
            model = http.chat(EndpointSpec(server.base_url, "scripted"))
            await http.watch(0)
            await until(lambda: model.pool.cache_tokens == tokens)
            admission = Admission(1000, {model.pool: 1}, 1)
            assert admission.bound() == int(FILL * tokens / FIRST_GUESS)
            assert Admission(1000, {model.pool: 1}, 2).bound() == int(FILL * tokens / FIRST_GUESS / 2)
            seen = await play(admission, model, 60)
            assert 160 <= FILL * tokens / admission.bound() <= 400  # what a dialogue holds, no longer what was guessed
            assert all(live <= bound < 60 for live, bound, _ in seen)
        assert server.log()["prefix_hits"] >= 0.9 * boundless.log()["prefix_hits"]


async def test_a_server_that_does_not_tell_its_cache_bounds_nothing():
    with QueueingServer(cache_blocks=10) as tells:
        async with Connections() as http:
            pools: list[Pool] = [http.chat(EndpointSpec(tells.base_url, "scripted")).pool]
            silent = http.chat(EndpointSpec(tells.base_url, "scripted"), EndpointSpec("http://127.0.0.1:9", "m")).pool
            await http.watch(0)
            await until(lambda: pools[0].cache_tokens == 160)
            assert silent.cache_tokens is None and Admission(77, {silent: 1}, 1).bound() == 77
            assert Admission(77, dict.fromkeys([*pools, silent], 1), 1).bound() == 1


async def test_the_cache_of_a_server_that_is_set_aside_holds_nothing():
    with QueueingServer(cache_blocks=100) as first, QueueingServer(cache_blocks=50) as second:
        async with Connections() as http:
            pool = http.chat(*(EndpointSpec(s.base_url, "scripted") for s in (first, second))).pool
            await http.watch(0)
            await until(lambda: pool.cache_tokens == 150 * 16)
            first.kill()
            pool.endpoints[0].set_aside("killed")
            assert pool.cache_tokens == 50 * 16


async def test_leaving_wakes_who_waits_to_enter():
    admission = Admission(2, {}, 1)
    await admission.enter()
    await admission.enter()
    third = asyncio.create_task(admission.enter())
    await asyncio.sleep(0.1)
    assert not third.done() and admission.live == 2
    admission.leave({})
    await asyncio.wait_for(third, 60)
    assert admission.live == 2
