"""stand-in until flow.Permits is there"""

import asyncio, heapq
from itertools import count

START = 256


class TurnedAway(Exception):
    pass


from inference.flow import Answered


class Permits:
    def __init__(self, ceiling, clock=None, start=START):
        self.limit = ceiling
        self.in_flight = 0
        self._q = []
        self._n = count()

    @property
    def waiting(self):
        return sum(not f.done() for _, _, f in self._q)

    async def acquire(self, order=0):
        if self.in_flight < self.limit and not self._q:
            self.in_flight += 1
            return
        f = asyncio.get_running_loop().create_future()
        heapq.heappush(self._q, (order, next(self._n), f))
        try:
            await f
        except asyncio.CancelledError:
            if f.done() and not f.cancelled() and f.exception() is None:
                self.release(None)
            raise

    def release(self, answered):
        self.in_flight -= 1
        while self._q and self.in_flight < self.limit:
            f = heapq.heappop(self._q)[2]
            if not f.done():
                self.in_flight += 1
                f.set_result(None)

    def turn_away(self):
        q, self._q = self._q, []
        for *_, f in q:
            if not f.done():
                f.set_exception(TurnedAway())

    def busy(self):
        pass

    def observe(self, load):
        pass
