"""How many dialogues a worker has live: as many as keep the servers busy and fit their prefix caches.

A dialogue starts only when nothing worth speaking of waits for a permit: live dialogues are finished before new ones
start, and no server stands idle. Where servers tell the size of their cache, live dialogues are bounded by what it
holds: beyond that each turn evicts the prefix of another (24 % of prefix hits instead of 78 %).
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from inference.pool import Pool

QUEUE = 0.05
"""Requests that may wait for a permit, as a share of the limit: the next is at hand when a permit comes back."""
FILL = 0.9
"""Share of a cache that live dialogues may fill."""
FIRST_GUESS = 768
"""Tokens a dialogue is taken to hold while none has ended."""
POLL_S = 0.02
AT_ONCE = 8
"""Dialogues that start in one turn of the event loop."""


class Admission:
    """`most`: dialogues live at once, whatever the servers could take. `pools`: with the sides of a dialogue that each
    serves. `workers`: that share the servers' caches.
    """

    def __init__(self, most: int, pools: Mapping[Pool, int], workers: int):
        self.live = 0
        self._most = most
        self._pools = pools
        self._workers = workers
        self._ended = dict.fromkeys(pools, 0)
        self._tokens = dict.fromkeys(pools, 0)
        self._left = asyncio.Event()
        self._fresh = 0
        """Dialogues started since this last waited: they have asked for nothing yet."""

    async def enter(self) -> None:
        """Returns when another dialogue may start."""
        while self.live and not self._room():
            self._left.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):  # a limit may grow and a permit come back at any time
                    await self._left.wait()
            self._fresh = 0
        self.live += 1
        self._fresh += 1
        if self._fresh >= AT_ONCE:  # hundreds may start at one moment, and everything else goes on in between
            await asyncio.sleep(0)
            self._fresh = 0

    def leave(self, held: Mapping[Pool, int]) -> None:
        """`held`: tokens of the dialogue's contexts at its end, by the pool that has them cached."""
        self.live -= 1
        for pool, tokens in held.items():
            self._ended[pool] += 1
            self._tokens[pool] += tokens
        self._left.set()

    def bound(self) -> int:
        """Dialogues whose contexts the caches hold together."""
        found = self._most
        for pool, sides in self._pools.items():
            if (contexts := pool.contexts) is not None:
                found = min(found, contexts // sides)
            capacity = pool.cache_tokens
            if capacity is not None:
                ended = self._ended[pool]
                each = self._tokens[pool] / ended if ended else FIRST_GUESS
                found = min(found, int(FILL * capacity / self._workers / max(each, 1)))
        return max(found, 1)

    def _room(self) -> bool:
        for pool in self._pools:
            if pool.waiting + self._fresh > max(0, pool.limit - pool.in_flight) + QUEUE * pool.limit:
                return False
        return self.live < self.bound()
