"""The permits of one endpoint in an event loop."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.flow import Answered
from inference.permits import Permits
from inference.server_metrics import ServerLoad

ANSWER = Answered(seconds=0.2, completion_tokens=16, prefilled_tokens=0)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_permits_are_given_up_to_the_limit_lowest_order_first_and_then_as_they_came():
    permits = Permits(ceiling=2)
    assert (permits.limit, permits.in_flight, permits.waiting) == (2, 0, 0)
    await permits.acquire()
    await permits.acquire(9)
    got: list[str] = []

    async def wait(name: str, order: int) -> None:
        await permits.acquire(order)
        got.append(name)

    tasks = [asyncio.create_task(wait(*w)) for w in [("late", 5), ("first", 1), ("second", 1), ("later", 5)]]
    await settle()
    assert (permits.in_flight, permits.waiting, got) == (2, 4, [])
    for _ in range(4):
        permits.release(ANSWER)
        await settle()
    assert got == ["first", "second", "late", "later"]
    assert (permits.in_flight, permits.waiting) == (2, 0)
    permits.release(None)
    permits.release(None)
    assert all(task.done() for task in tasks) and permits.in_flight == 0


async def test_a_waiter_cancelled_in_the_moment_of_its_grant_passes_the_permit_on():
    permits = Permits(ceiling=1)
    await permits.acquire()
    first, second = (asyncio.create_task(permits.acquire()) for _ in range(2))
    await settle()
    permits.release(ANSWER)
    first.cancel()
    await settle()
    assert first.cancelled() and second.done() and not second.cancelled()
    assert (permits.in_flight, permits.waiting) == (1, 0)


async def test_a_newcomer_does_not_overtake_those_who_wait():
    permits = Permits(ceiling=1)
    await permits.acquire()
    waiter = asyncio.create_task(permits.acquire())
    await settle()
    permits.release(ANSWER)
    newcomer = asyncio.create_task(permits.acquire())
    await settle()
    assert waiter.done() and not newcomer.done()
    newcomer.cancel()
    await settle()
    assert (permits.in_flight, permits.waiting) == (1, 0)


async def test_a_limit_that_comes_down_takes_no_permit_back():
    now = 0.0
    permits = Permits(ceiling=100, start=10, clock=lambda: now)
    for _ in range(10):
        await permits.acquire()
    for _ in range(60):
        permits.busy()
        now += 0.01
    assert permits.limit <= 5 and permits.in_flight == 10
    waiter = asyncio.create_task(permits.acquire())
    for held in range(9, permits.limit - 1, -1):
        permits.release(None)
        await settle()
        assert permits.in_flight == held and not waiter.done()
    permits.release(None)
    await settle()
    assert waiter.done() and permits.in_flight == permits.limit


async def test_metrics_without_a_queue_let_the_waiting_in():
    now = 0.0
    permits = Permits(ceiling=100, start=2, clock=lambda: now)
    waiters = [asyncio.create_task(permits.acquire()) for _ in range(40)]
    await settle()
    for _ in range(4):
        now += 0.2
        permits.release(ANSWER)
        permits.release(ANSWER)
        await settle()
    before = permits.limit
    permits.observe(ServerLoad(running=2, waiting=0))
    await settle()
    assert permits.limit > before and permits.in_flight == permits.limit
    for waiter in waiters:
        waiter.cancel()


async def test_wrong_use_is_told():
    with pytest.raises(RuntimeError, match="nobody held"):
        Permits(ceiling=3).release(None)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Permits(ceiling=0)


async def test_a_hundred_thousand_cancelled_waits_leave_nothing_behind():
    permits = Permits(ceiling=1)
    await permits.acquire()
    patient = asyncio.create_task(permits.acquire())
    await settle()
    for _ in range(100):
        crowd = [asyncio.create_task(permits.acquire()) for _ in range(1000)]
        await settle()
        for task in crowd:
            task.cancel()
        await settle()
        assert permits.waiting == 1 and len(permits._queue) < 2000
    permits.release(ANSWER)
    await patient
    assert (permits.in_flight, permits.waiting) == (1, 0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["release", "fault", "cancel", "run"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["busy", "waits", "idle"]), st.just(0)),
    ),
    max_size=150,
)


@given(ceiling=st.integers(1, 8), start=st.integers(1, 8), steps=STEPS)
def test_no_order_of_events_leaks_or_loses_a_permit(ceiling: int, start: int, steps: list[tuple[str, int]]):
    asyncio.run(play(ceiling, start, steps))


async def play(ceiling: int, start: int, steps: list[tuple[str, int]]) -> None:
    now = 0.0
    permits = Permits(ceiling, clock=lambda: now, start=start)
    waiting: list[asyncio.Task[None]] = []
    held: list[asyncio.Task[None]] = []
    orders: dict[asyncio.Task[None], tuple[int, int]] = {}

    async def run_loop() -> None:
        await settle()
        granted = [task for task in waiting if task.done() and not task.cancelled()]
        left = [task for task in waiting if not task.done()]
        held.extend(granted)
        waiting[:] = left
        assert permits.in_flight == len(held) and permits.waiting == len(left)
        assert not left or permits.in_flight >= permits.limit, "nobody waits while there is room"

    def acquire(order: int) -> None:
        task = asyncio.create_task(permits.acquire(order))
        orders[task] = (order, len(orders))
        waiting.append(task)

    for what, value in steps:
        now += 0.05
        before = permits.in_flight
        if what == "acquire":
            acquire(value)
        elif what in ("release", "fault") and held:
            held.pop(value % len(held))
            permits.release(Answered(0.05 * (1 + value), value, 0) if what == "release" else None)
            assert permits.in_flight <= max(before - 1, permits.limit)
        elif what == "cancel" and waiting:
            waiting.pop(value % len(waiting)).cancel()
        elif what == "busy":
            permits.busy()
        elif what in ("waits", "idle"):
            permits.observe(ServerLoad(running=4, waiting=4 if what == "waits" else 0))
        elif what == "run":
            await run_loop()
        assert 1 <= permits.limit <= ceiling
    await run_loop()
    served: list[tuple[int, int]] = []
    while waiting or held:
        now += 1
        if held:
            held.pop()
            permits.release(ANSWER)
        first = min((orders[task] for task in waiting), default=None)
        still = set(waiting)
        await run_loop()
        granted = sorted(orders[task] for task in still - set(waiting))
        assert not granted or granted[0] == first, "the lowest order first"
        served += granted
    assert permits.in_flight == 0 and permits.waiting == 0
