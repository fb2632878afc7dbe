"""How far a verb has come that works by itself for a while: a line that changes on a terminal, one every so often
elsewhere.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import TypeVar

import numpy as np
from rich.console import Console

from pipelines.display import LINE_EVERY_S, TABLE_EVERY_S, teller
from schemas.contracts import EmbedTexts

T = TypeVar("T")


class Progress:
    """A context manager. What is begun is told at once, how much of it is done now and then."""

    def __init__(self, doing: str, console: Console | None = None, clock: Callable[[], float] = time.monotonic):
        self._stack = ExitStack()
        self._clock = clock
        console = console or Console(file=sys.stderr)
        self._every = TABLE_EVERY_S if console.is_terminal else LINE_EVERY_S
        self._tell = teller(doing, console, self._stack)
        self._last = clock()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begins(self, what: str) -> None:
        self._last = self._clock()
        self._tell(what)

    def counting(self, items: Iterable[T], what: str, of: int | None = None) -> Iterator[T]:
        """`of`: how many there will be at the most, where that is known."""
        total = "" if of is None else f" of {of:,}"
        for n, item in enumerate(items, 1):
            yield item
            self._counted(f"{what}: {n:,}{total}")

    def embedding(self, embed: EmbedTexts) -> EmbedTexts:
        """The same, counting what it is asked for."""
        texts = 0

        def counted(some: Sequence[str]) -> np.ndarray:
            nonlocal texts
            found = embed(some)
            texts += len(some)
            self._counted(f"embedding: {texts:,} texts that were not known")
            return found

        return counted

    def _counted(self, told: str) -> None:
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            self._tell(told)
