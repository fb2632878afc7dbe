"""How late an event loop is: what a callback that is due must wait for."""

import asyncio
from bisect import bisect_left
from itertools import accumulate
from typing import Self

EVERY_S = 0.02
_EDGES_MS = [0.1 * 1.2**n for n in range(64)]
"""0.1 ms to 10 s; each bin a fifth wider than the last."""


class Lag:
    """`async with Lag() as lag`: measures from then on."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_EDGES_MS) + 1)
        self._most = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._measure())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _measure(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.note((clock() - due) * 1000)

    def note(self, late_ms: float) -> None:
        self._counts[bisect_left(_EDGES_MS, late_ms)] += 1
        self._most = max(self._most, late_ms)

    def quantile_ms(self, share: float) -> float:
        """Upper edge of the bin that holds the quantile, at most the largest; 0 when nothing was measured."""
        wanted = share * sum(self._counts)
        for edge, seen in zip([*_EDGES_MS, float("inf")], accumulate(self._counts), strict=True):
            if wanted and seen >= wanted:
                return round(min(edge, self._most), 2)
        return 0.0
