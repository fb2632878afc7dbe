"""The embedding model in a process of its own, so that neither workers nor the main process load torch for it."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Self

import orjson

from inference.client import BlockingEmbedder
from inference.process import OwnedProcess
from schemas.chat import EndpointSpec
from schemas.contracts import EmbedTexts
from schemas.errors import DataError


class EmbeddingServer:
    """`with EmbeddingServer(folder, name="minilm") as server: server.endpoints`. Loopback only, on a free port."""

    def __init__(self, folder: Path, name: str, *, threads: int = 2, ready_s: float = 180.0, log: Path | None = None):
        self._folder = folder
        self._name = name
        options = orjson.dumps({"folder": str(folder), "name": name, "threads": threads}).decode()
        self.process = OwnedProcess(
            f"embedding server of {folder.name}", "inference.embedding_child", [options], ready_s=ready_s, log=log
        )

    def __enter__(self) -> Self:
        if not (self._folder / "config.json").is_file():
            raise DataError(f"{self._folder} is no sentence-transformers model folder: it has no config.json")
        self.process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    @property
    def endpoints(self) -> tuple[EndpointSpec, ...]:
        return (EndpointSpec(base_url=self.process.base_url, model=self._name, max_in_flight=32),)

    def check(self) -> None:
        """Raises Unreachable with the end of the server's log when it is gone."""
        self.process.check()


@contextmanager
def started_when_asked(start: Callable[[], EmbeddingServer]) -> Generator[EmbedTexts]:
    """An embedder whose server starts with the first text: behind a cache that has every vector, none does."""
    with ExitStack() as stack:

        @cache
        def embedder() -> BlockingEmbedder:
            return BlockingEmbedder(stack.enter_context(start()).endpoints[0])

        yield lambda texts: embedder()(texts)
