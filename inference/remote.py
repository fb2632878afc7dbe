"""Servers somebody else runs (vLLM, llama.cpp, any OpenAI-compatible one), with the same face as our own."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from inference.probes import check_model
from schemas.chat import EndpointSpec
from schemas.errors import ServerError

_log = logging.getLogger(__name__)


class RemoteServers:
    """`with RemoteServers(specs) as servers: servers.endpoints`. Entering waits until one answers and serves the model;
    one that does not is told of, and used as soon as it does.

    Raises Unreachable, or Refused with the names it serves.
    """

    def __init__(self, endpoints: Sequence[EndpointSpec], *, ready_s: float = 60.0):
        self.endpoints = tuple(endpoints)
        self._ready_s = ready_s

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop
            found = thread.submit(asyncio.run, self._check()).result()
        if len(found) == len(self.endpoints):
            raise found[0]
        for error in found:
            _log.info("not used yet: %s", error)
        return self

    def __exit__(self, *_: object) -> None:
        """They are not ours to stop."""

    def check(self) -> None:
        """Whether one that is not ours is gone is found by asking it."""

    async def _check(self) -> list[ServerError]:
        """What is wrong with each that failed; returns once one is well or all have failed."""
        found: list[ServerError] = []
        waiting = {asyncio.create_task(check_model(endpoint, self._ready_s)) for endpoint in self.endpoints}
        while waiting and len(found) + len(waiting) == len(self.endpoints):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if isinstance(error, ServerError):
                    found.append(error)
                elif error is not None:
                    raise error
        for task in waiting:
            task.cancel()
        return found
