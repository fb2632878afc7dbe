"""How late a loop is."""

import asyncio
import time

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipelines.lag import Lag


async def test_a_loop_that_was_blocked_is_as_late_as_it_was_blocked():
    async with Lag() as lag:
        for _ in range(3):
            await asyncio.sleep(0.03)
            time.sleep(0.15)
        await asyncio.sleep(0.03)
    assert lag.quantile_ms(1.0) >= 100
    assert lag.quantile_ms(0.01) <= lag.quantile_ms(0.5) <= lag.quantile_ms(1.0)


async def test_nothing_measured_is_no_lag_and_leaving_ends_the_measuring():
    before = len(asyncio.all_tasks())
    async with Lag() as lag:
        assert lag.quantile_ms(0.99) == 0.0
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


@given(st.lists(st.floats(0, 60_000), min_size=1, max_size=40), st.floats(0.01, 1))
def test_a_quantile_is_a_number_that_holds_its_share_of_what_was_seen(seen: list[float], share: float):
    lag = Lag()
    for late_ms in seen:
        lag.note(late_ms)
    found = lag.quantile_ms(share)
    assert orjson.loads(orjson.dumps(found)) == found
    assert sum(ms <= found + 0.01 for ms in seen) >= share * len(seen) - 1e-9
    assert found <= max(seen) + 0.01
