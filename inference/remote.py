"""A server somebody else runs (vLLM, llama.cpp, any OpenAI-compatible one), with the same face as our own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from inference.client import check_model
from schemas.chat import EndpointSpec


class RemoteServer:
    """`with RemoteServer(spec) as server: server.endpoint`. Entering waits until it answers and serves the model.

    Raises Unreachable, or Refused with the names it serves.
    """

    def __init__(self, endpoint: EndpointSpec, *, ready_s: float = 60.0):
        self.endpoint = endpoint
        self._ready_s = ready_s

    def __enter__(self) -> Self:
        self._check(self._ready_s)
        return self

    def __exit__(self, *_: object) -> None:
        """It is not ours to stop."""

    def check(self) -> None:
        """Raises a ServerError when it is gone or no longer serves the model."""
        self._check(5.0)

    def _check(self, patience_s: float) -> None:
        with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop
            thread.submit(asyncio.run, check_model(self.endpoint, patience_s)).result()
