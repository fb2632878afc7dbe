"""The endpoints of one model: whose prefix is where, how load is bounded, what happens when some fail, join or leave."""

import asyncio
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import answering, http_answer, request
from queueing_server import QueueingServer
from scripted_server import ScriptedServer

from inference import client, endpoint
from inference.client import Connections, Conversation, HttpChatModel
from inference.pool import PLACE, Home, Pool
from inference.transport import Patience
from schemas.chat import ChatReply, EndpointSpec, Message
from schemas.errors import ContentError, Refused, Unanswered, Unreachable


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Back-off as it is, only shorter."""
    monkeypatch.setattr(endpoint, "FIRST_WAIT_S", 0.02)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


def chat(http: Connections, *servers: QueueingServer | ScriptedServer, **spec: Any) -> HttpChatModel:
    return http.chat(*(EndpointSpec(server.base_url, "scripted", **spec) for server in servers))


def port(server: QueueingServer) -> int:
    return int(server.base_url.rpartition(":")[2])


# Affinity


@asynccontextmanager
async def endpoints(
    count: int, silent: bool = False, **spec: Any
) -> AsyncGenerator[tuple[Pool, Callable[[Home], Any], dict[str, set[str]]]]:
    """Endpoints of one server in this loop; what asks for a home; and the endpoints each key was asked at."""
    asked: dict[str, set[str]] = defaultdict(set)

    def answer(path: str, body: bytes) -> bytes:
        if body:
            asked[body.decode()].add(path.split("/")[1])
        return http_answer(200, b'{"said": "well"}')

    async with answering(answer, drip_s=3600 if silent else 0.0) as base_url, Connections() as http:
        pool = http.pool([EndpointSpec(f"{base_url}/e{i}/v1", "scripted", **spec) for i in range(count)])

        async def ask(home: Home) -> str:
            return await pool.call("POST", "/chat/completions", home.key.encode(), lambda body: body["said"], home)

        yield pool, ask, asked


async def test_the_calls_of_one_conversation_stay_on_one_endpoint_and_equal_keys_meet():
    async with endpoints(4) as (_, ask, asked):
        homes = [Home(f"dialogue {i}/user") for i in range(60)] + [Home(f"dialogue {i}/user") for i in range(60)]
        for _ in range(3):
            for home in homes:
                await ask(home)
    assert len(asked) == 60 and all(len(where) == 1 for where in asked.values())
    assert set.union(*asked.values()) == {"e0", "e1", "e2", "e3"}


async def placed(ask: Callable[[Home], Any], count: int = 300) -> list[Any]:
    homes = [Home(f"dialogue {i}/user") for i in range(count)]
    for home in homes:
        await ask(home)
    return [home.endpoint for home in homes]


async def test_only_the_homes_of_an_endpoint_that_leaves_or_joins_move():
    async with endpoints(4) as (pool, ask, _):
        four = pool.endpoints
        before = await placed(ask)
        assert all(40 <= share <= 120 for share in Counter(before).values())
        pool.replace(four[:3])
        after = await placed(ask)
        moved = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a is not b]
        assert moved == [i for i, a in enumerate(before) if a is four[3]]
        assert set(after) == set(four[:3])
        pool.replace(four[::-1])
        assert await placed(ask) == before


async def test_a_home_on_an_endpoint_that_leaves_moves_and_one_elsewhere_stays():
    async with endpoints(3) as (pool, ask, _):
        homes = [Home(str(i)) for i in range(30)]
        for home in homes:
            await ask(home)
        before = [home.endpoint for home in homes]
        gone = pool.endpoints[0]
        pool.replace(pool.endpoints[1:])
        for home in homes:
            await ask(home)
        for was, home in zip(before, homes, strict=True):
            assert home.endpoint is not gone and (was is gone or home.endpoint is was)


@pytest.mark.parametrize("one_key", [False, True])
async def test_no_endpoint_is_given_a_home_above_its_share_of_the_load(one_key: bool):
    async with endpoints(4, silent=True) as (pool, ask, _):
        asking: list[asyncio.Task[Any]] = []
        for i in range(80):
            home = Home("the same" if one_key else str(i))
            before = {e: e.waiting_room for e in pool.endpoints}
            asking.append(asyncio.create_task(ask(home)))
            await until(lambda home=home: home.endpoint is not None)
            assert home.endpoint is not None and before[home.endpoint] < PLACE * (i + 1) / 4 + 1
        assert sum(e.waiting_room for e in pool.endpoints) == 80
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)


async def test_an_overloaded_home_is_left_for_good_and_one_with_room_is_not():
    async with endpoints(4, silent=True, max_in_flight=6) as (pool, ask, _):
        home = Home("dialogue/user")

        async def call() -> asyncio.Task[Any]:
            sent = sum(e.waiting_room for e in pool.endpoints)
            task = asyncio.create_task(ask(home))
            await until(lambda: sum(e.waiting_room for e in pool.endpoints) == sent + 1)
            return task

        asking = [await call()]
        first = home.endpoint
        assert first is not None
        while home.endpoint is first:
            asking.append(await call())
        assert len(asking) == first.permits.limit + 1 == 7  # it had room for six
        second = home.endpoint
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        again = await call()
        assert home.endpoint is second is not first
        again.cancel()
        await asyncio.wait([again])


async def test_a_home_that_waits_stays_where_others_wait_as_long():
    async with endpoints(2, silent=True, max_in_flight=2) as (pool, ask, _):
        homes = [Home(str(i)) for i in range(12)]
        asking = [asyncio.create_task(ask(home)) for home in homes]
        await until(lambda: sum(e.waiting_room for e in pool.endpoints) == 12)
        before = [home.endpoint for home in homes]
        asking += [asyncio.create_task(ask(home)) for home in homes]
        await until(lambda: sum(e.waiting_room for e in pool.endpoints) == 24)
        assert [home.endpoint for home in homes] == before and pool.waiting == 20
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)


async def test_a_home_leaves_a_full_endpoint_for_one_that_joins():
    async with endpoints(2, silent=True, max_in_flight=6) as (pool, ask, _):
        full, joins = pool.endpoints
        pool.replace([full])
        homes = [Home(str(i)) for i in range(12)]
        asking = [asyncio.create_task(ask(home)) for home in homes]
        await until(lambda: full.waiting_room == 12)
        pool.replace([full, joins])
        asking.append(asyncio.create_task(ask(homes[0])))
        await until(lambda: joins.waiting_room == 1)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)


async def test_a_larger_endpoint_is_given_more():
    async with answering(lambda *_: http_answer(200, b"{}"), drip_s=3600) as base_url, Connections() as http:
        pool = http.pool([EndpointSpec(f"{base_url}/e{i}/v1", "m", max_in_flight=4 * 4**i) for i in range(2)])
        small, large = pool.endpoints
        asking: list[asyncio.Task[Any]] = []
        for i in range(20):
            asking.append(asyncio.create_task(pool.call("POST", "/x", b"x", lambda body: body, Home(str(i)))))
        await until(lambda: small.waiting_room + large.waiting_room == 20)
        assert small.waiting_room <= 1.25 * 20 / 5 + 2 and large.waiting_room >= 14
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)


async def test_the_same_endpoint_named_twice_is_one():
    async with Connections() as http:
        specs = [EndpointSpec(f"http://127.0.0.1:1{end}", "m") for end in ("", "/", "/v1")]
        pool = http.pool(specs)
        assert len(pool.endpoints) == 1
        pool.replace([http.endpoint(spec) for spec in specs])
        assert len(pool.endpoints) == 1


async def dialogues(model: HttpChatModel, count: int, turns: int) -> None:
    """All at once, each turn after turn; all begin with the same words."""
    shared = Message("system", "You are a tutor who never tells the answer at once. " * 4)

    async def one(conversation: Conversation, name: str) -> None:
        said = [shared, Message("user", f"{name} asks something long enough to fill a block of the cache. " * 2)]
        for turn in range(turns):
            reply = await conversation.ask(replace(request(turn), messages=tuple(said)))
            said += [Message("assistant", reply.text), Message("user", f"On turn {turn}, {name} wants to know more.")]

    await asyncio.gather(*(one(model.conversation(f"{i}/user"), f"Student {i}") for i in range(count)))


async def prefix_hits(servers: Sequence[QueueingServer]) -> tuple[int, int]:
    """Tokens found in the caches, and tokens looked up."""
    async with Connections() as http:
        await dialogues(chat(http, *servers), 40, 6)
    logs = [server.log() for server in servers]
    return sum(log["prefix_hits"] for log in logs), sum(log["prefix_queries"] for log in logs)


async def test_four_caches_are_hit_as_often_as_one():
    with ExitStack() as stack:
        servers = [stack.enter_context(QueueingServer(latency_ms=30)) for _ in range(4)]
        four, asked = await prefix_hits(servers)
        assert all(server.log()["requests"] > 0 for server in servers)
        servers[0].reset(cache=True)
        one, asked_of_one = await prefix_hits(servers[:1])
    head = 3 * 256 // 4  # what all begin with is new to three caches more
    assert asked == asked_of_one
    assert four >= 0.99 * (one - head) and one > asked / 2


# Failing


async def test_what_a_killed_endpoint_had_is_asked_of_the_others_and_it_is_used_again_when_it_is_back():
    with QueueingServer(latency_ms=40) as first, QueueingServer(latency_ms=40) as second:
        async with Connections() as http:
            model = chat(http, first, second)
            asking = [asyncio.create_task(model.ask(request(seed, f"{seed}"))) for seed in range(120)]
            asking += [asyncio.create_task(model.conversation(str(i)).ask(request(i, "x"))) for i in range(120)]
            await until(lambda: first.log()["answers"] >= 1)
            first.kill()
            replies = await asyncio.gather(*asking)
            told = http.told()
            log = second.log()
            one = model.pool.endpoints[0]
            assert all(isinstance(r, ChatReply) for r in replies)
            assert sum(t["answered"] for t in told.values()) == 240
            assert log["answers"] == told[model.pool.endpoints[1].shown]["answered"] and log["asked_after_answer"] == 0
            assert one.aside is not None
            with QueueingServer(port=port(first)) as again:
                await until(lambda: one.aside is None)
                await asyncio.gather(*(model.conversation(str(i)).ask(request(i, "y")) for i in range(40)))
                assert again.log()["answers"] >= 1


async def test_a_server_that_comes_back_with_another_model_is_set_aside_while_others_serve():
    with QueueingServer() as first, QueueingServer() as second:
        async with Connections() as http:
            model = chat(http, first, second)
            await asyncio.gather(*(model.conversation(str(i)).ask(request(i)) for i in range(20)))
            assert first.log()["answers"] > 0
            first.behave(model="another")
            await asyncio.gather(*(model.conversation(str(i)).ask(request(i, "y")) for i in range(20)))
            one = model.pool.endpoints[0]
            assert one.aside is not None and "does not exist" in one.aside
            before = first.log()["requests"]
            await asyncio.gather(*(model.conversation(str(i)).ask(request(i, "z")) for i in range(20)))
            assert first.log()["requests"] == before
            first.behave(model="scripted")
            await until(lambda: one.aside is None)


async def test_a_server_that_is_alone_and_comes_back_with_another_model_ends_as_refused():
    with QueueingServer(latency_ms=600_000) as server:
        async with Connections() as http:
            model = chat(http, server)
            asking = [asyncio.create_task(model.ask(request(seed))) for seed in range(10)]
            await until(lambda: server.log()["in_flight"] == 10)
            server.kill()
            await until(lambda: model.pool.endpoints[0].aside is not None)
            with QueueingServer(port=port(server), model="another"):
                outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(o, Refused) and o.kind == "not_found" for o in outcomes)
    assert "does not serve 'scripted' any more; it serves: 'another'" in str(outcomes[0])


async def test_a_server_that_wants_another_key_ends_as_refused_also_for_those_who_wait():
    with QueueingServer(latency_ms=100) as server:
        async with Connections() as http:
            model = chat(http, server, max_in_flight=2)
            asking = [asyncio.create_task(model.ask(request(seed))) for seed in range(10)]
            await until(lambda: server.log()["requests"] == 2)
            server.behave(api_key="new")
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
    refused = [o for o in outcomes if isinstance(o, Refused)]
    assert 8 <= len(refused) == sum(not isinstance(o, ChatReply) for o in outcomes)
    assert {o.kind for o in refused} == {"unauthenticated"}


async def test_one_poisoned_request_ends_as_unanswered_while_others_are_answered():
    def reply(body: dict[str, Any]) -> str | int:
        return 500 if body["messages"][-1]["content"] == "poison" else "fine"

    with ScriptedServer(reply) as first, ScriptedServer(reply) as second:
        async with Connections(Patience(faults_s=1.0)) as http:
            model = chat(http, first, second)
            poison = asyncio.create_task(model.ask(request(text="poison")))
            lucky = 0
            while not poison.done():
                assert (await model.conversation(str(lucky)).ask(request(lucky, "lucky"))).text == "fine"
                lucky += 1
                await asyncio.sleep(0.01)
            with pytest.raises(Unanswered, match="500") as caught:
                await poison
    assert isinstance(caught.value, ContentError) and caught.value.reason == "unanswered"


async def test_all_endpoints_gone_is_one_clear_message_once_patience_has_ended():
    with QueueingServer(latency_ms=600_000) as first, QueueingServer(latency_ms=600_000) as second:
        async with Connections(Patience(faults_s=1.0)) as http:
            model = chat(http, first, second)
            asking = [asyncio.create_task(model.conversation(str(i)).ask(request(i))) for i in range(40)]
            await until(lambda: first.log()["in_flight"] + second.log()["in_flight"] == 40)
            clock = asyncio.get_running_loop().time
            began = clock()
            first.kill()
            second.kill()
            outcomes = await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), 120)
            assert clock() - began >= 1.0
    assert all(isinstance(o, Unreachable) for o in outcomes)
    for told in map(str, outcomes):
        assert "could not be used: " in told and "check that the server runs and that base_url is right" in told
        assert told.count("To mend it") == 1 and "Traceback" not in told


async def test_a_file_of_endpoints_is_followed_while_requests_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "FOLLOW_S", 0.02)
    path = tmp_path / "endpoints.txt"
    with QueueingServer(latency_ms=10) as first, QueueingServer(latency_ms=10) as second:
        path.write_text(f"{first.base_url}\n")
        async with Connections() as http:
            model = chat(http, first)
            http.follow(model.pool, str(path), EndpointSpec(first.base_url, "scripted"))
            asked = answered = 0
            over = False

            async def talk(name: int) -> None:
                nonlocal asked, answered
                while not over:
                    conversation = model.conversation(f"{name} {asked}")
                    for _ in range(4):
                        asked += 1
                        reply = await conversation.ask(request(asked, f"{name}"))
                        answered += bool(reply.text)

            def rewrite(text: str) -> None:
                new = tmp_path / "new.txt"
                new.write_text(text)
                new.replace(path)

            def served(server: QueueingServer) -> int:
                return server.log()["answers"]

            talking = [asyncio.create_task(talk(i)) for i in range(16)]
            await until(lambda: served(first) > 20)
            assert served(second) == 0
            rewrite(f"{first.base_url}\n{second.base_url}\n")
            await until(lambda: served(second) > 20)
            for wrong in ("", "# nothing", f"{second.base_url}\nhttp:/", "\udcff"):
                path.write_bytes(wrong.encode(errors="surrogateescape"))
                await asyncio.sleep(0.1)  # some readings of it
                assert len(model.pool.endpoints) == 2
            rewrite(f"{second.base_url}\n")
            await until(lambda: len(model.pool.endpoints) == 1 and first.log()["in_flight"] == 0)
            left, before = served(first), served(second)
            await until(lambda: served(second) > before + 50)
            assert served(first) == left
            over = True
            await asyncio.gather(*talking)
            assert asked == answered == served(first) + served(second)


async def test_requests_that_wait_at_an_endpoint_that_leaves_go_elsewhere():
    with QueueingServer(error_rate=1, faults=("stall",)) as silent, QueueingServer() as well:
        async with Connections() as http:
            model = chat(http, silent, max_in_flight=2)
            asking = [asyncio.create_task(model.ask(request(seed))) for seed in range(12)]
            await until(lambda: silent.log()["in_flight"] == 2 and model.pool.waiting == 10)
            model.pool.replace([http.endpoint(EndpointSpec(well.base_url, "scripted"))])
            await until(lambda: sum(task.done() for task in asking) == 10)
            assert well.log()["answers"] == 10
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)


# Fairness

ASKER = """
import asyncio, sys
sys.path.insert(0, "tests")
from asking import request
from inference.client import Connections
from schemas.chat import EndpointSpec

async def main():
    done = 0
    async with Connections(clients=2) as http:
        model = http.chat(EndpointSpec(sys.argv[1], "scripted"))

        async def talk(name):
            nonlocal done
            while True:
                await model.conversation(str(name)).ask(request(done, f"{sys.argv[2]} {name}"))
                done += 1

        talking = [asyncio.create_task(talk(i)) for i in range(48)]
        for _ in range(2):  # a line: tell how many were answered
            await asyncio.to_thread(sys.stdin.readline)
            print(done, flush=True)
        for task in talking:
            task.cancel()

asyncio.run(main())
"""


async def test_two_processes_on_one_small_server_get_a_fair_share_each():
    """Depends on the flow control; the bounds are far from what it reaches."""
    with QueueingServer(capacity=8, latency_ms=20) as server, ExitStack() as stack:
        askers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", ASKER, server.base_url, name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for name in ("one", "two")
        ]

        def tell() -> list[int]:
            for asker in askers:
                assert asker.stdin is not None
                asker.stdin.write("\n")
                asker.stdin.flush()
            return [json.loads(asker.stdout.readline()) for asker in askers if asker.stdout is not None]

        await until(lambda: server.log()["most_in_flight"] > 48)  # both ask
        before = tell()
        answered = server.log()["answers"]
        await until(lambda: server.log()["answers"] >= answered + 400)
        shares = [now - was for was, now in zip(before, tell(), strict=True)]
    assert sum(shares) >= 300 and min(shares) >= 0.2 * sum(shares)
