"""Permission to ask one endpoint: as many at once as the law of flow control says, in one asyncio event loop."""

import asyncio
import heapq
import time
from collections.abc import Callable

from inference.flow import START, Answered, Law
from inference.server_metrics import ServerLoad


class TurnedAway(Exception):
    """No permit of this endpoint is to be waited for any more."""


class Permits:
    """The permits of one endpoint in one event loop. Each `acquire` that returned is followed by one `release`.

    A wait has no limit of time and is nobody's fault. The control runs inside these calls: no timer, no task.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float] = time.monotonic, start: int = START):
        if ceiling < 1 or start < 1:
            raise ValueError(f"permits need a ceiling and a start of at least 1, not {ceiling} and {start}")
        self._law = Law(ceiling, start)
        self._clock = clock
        self._in_flight = 0
        self._waiting = 0
        self._arrivals = 0
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []

    @property
    def limit(self) -> int:
        return self._law.limit

    @property
    def in_flight(self) -> int:
        """Above the limit for a while after it came down."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        return self._waiting

    async def acquire(self, order: int = 0) -> None:
        """Waits for a permit: the lowest `order` first, equals as they came."""
        if self._in_flight < self._law.limit and not self._waiting:
            self._take()
            return
        granted = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        self._waiting += 1
        heapq.heappush(self._queue, (order, self._arrivals, granted))
        self._grant()  # those before it may all be cancelled and not know it yet
        try:
            await granted
        except asyncio.CancelledError:
            if granted.cancelled():
                self._forget()
            elif granted.exception() is None:  # granted in the same moment: the permit goes on to the next
                self.release(None)
            raise

    def release(self, answered: Answered | None) -> None:
        """Gives the permit back, to the first in the queue. None (a fault, a cancelled request) is no measurement."""
        if self._in_flight == 0:
            raise RuntimeError("a permit was released that nobody held")
        self._in_flight -= 1
        if answered is None:
            self._law.lost()
        else:
            self._law.answered(self._clock(), answered)
        if self._waiting:
            self._grant()

    def busy(self) -> None:
        """The server answered 429 or 503: the limit comes down by the share of refusals, once in a round trip."""
        self._law.busy(self._clock())

    def observe(self, load: ServerLoad) -> None:
        """The server's own count, its other clients' requests included; about once a second where it has one."""
        self._law.observe(self._clock(), load)
        self._grant()

    def turn_away(self) -> None:
        """Every waiter's `acquire` raises TurnedAway: the endpoint is set aside, others may have room."""
        waiting, self._queue = self._queue, []
        for _, _, granted in waiting:
            if not granted.done():
                self._waiting -= 1
                granted.set_exception(TurnedAway())

    def _take(self) -> None:
        self._in_flight += 1
        self._law.sent(self._clock(), self._in_flight)

    def _grant(self) -> None:
        while self._queue and self._in_flight < self._law.limit:
            granted = heapq.heappop(self._queue)[2]
            if not granted.done():
                self._waiting -= 1
                granted.set_result(None)
                self._take()

    def _forget(self) -> None:
        """A cancelled waiter's entry stays until it is popped, or until most entries are such."""
        self._waiting -= 1
        if len(self._queue) > 2 * self._waiting + 64:
            self._queue = [entry for entry in self._queue if not entry[2].done()]
            heapq.heapify(self._queue)
