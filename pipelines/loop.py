"""The event loop of a worker: no burst of answers keeps everything else waiting."""

import asyncio
import select
import selectors

MOST_EVENTS = 8
"""Of one turn of the loop. 500 answers that arrive together are 100 ms of work; timers, permits and the journal get
their turn in between.
"""


def new_loop() -> asyncio.AbstractEventLoop:
    """A selector loop that takes at most MOST_EVENTS a turn, where the platform has epoll."""
    if not hasattr(selectors, "EpollSelector"):
        return asyncio.new_event_loop()

    class Bounded(selectors.EpollSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            wait = -1.0 if timeout is None else max(0.0, timeout)
            try:
                found = self._selector.poll(wait, MOST_EVENTS)  # pyright: ignore[reportAttributeAccessIssue]
            except InterruptedError:
                return []
            keys = self.get_map()
            return [(keys[fd], _mask(event) & keys[fd].events) for fd, event in found if fd in keys]

    return asyncio.SelectorEventLoop(Bounded())


def _mask(event: int) -> int:
    return (selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0) | (
        selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
    )
