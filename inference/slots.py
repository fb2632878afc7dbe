"""Which slot of a llama.cpp server computes for which conversation.

Left to itself the server takes the slot that shares most with the prompt: a new conversation overwrites a live one
whose instruction it shares. Its host-memory cache does not mend that: a prompt that shares a quarter of an entry
consumes it (ggml-org/llama.cpp pull request 24143), and states of unrelated conversations were seen to come back
(issue 27148). So requests name their slot, and the host-memory cache is off.
"""

import weakref
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class _Slot:
    id: int
    owner: Callable[[], object] = lambda: None
    """None once its conversation is gone."""
    body: bytes = b""
    """Of the last request it computed."""
    busy: bool = False


class Slots:
    """Those of one endpoint that this event loop may name."""

    def __init__(self, ids: Sequence[int]):
        self._slots = [_Slot(i) for i in ids]  # the longest unused first

    def __len__(self) -> int:
        return len(self._slots)

    @contextmanager
    def named(self, owner: object, body: bytes) -> Generator[bytes]:
        """The JSON `body` with the slot of its conversation, which is `owner` and has the slot while it lives.

        A conversation without one gets the free slot whose last prompt began most alike, or the one unused longest
        where all are owned. Unchanged while every slot is busy: the server then decides.
        """
        idle = [s for s in self._slots if not s.busy]
        if not idle:
            yield body
            return
        slot = next((s for s in idle if s.owner() is owner), None)
        if slot is None:
            free = [s for s in idle if s.owner() is None]
            slot = max(free, key=lambda s: _alike(s.body, body)) if free else idle[0]
        self._slots.remove(slot)
        self._slots.append(slot)
        slot.owner, slot.body, slot.busy = weakref.ref(owner), body, True
        try:
            yield b'%b,"id_slot":%d}' % (body[:-1], slot.id)
        finally:
            slot.busy = False


def _alike(one: bytes, other: bytes) -> int:
    """Bytes both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
