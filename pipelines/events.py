"""`logs/events.jsonl` of a run directory: what happened, one JSON object a line, for whoever follows runs by machine.

Lines are only appended, each whole by one write; a crash may cut the last one, and the next run begins a line of its
own. They hold counts, addresses and the servers' complaints: no keys, no text of a dialogue.
"""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from outputs.files import storage_errors
from pipelines.pool import Counts
from pipelines.watching import Asides
from schemas.errors import InputError, ServerError, StorageError

PROGRESS_EVERY_S = 10.0


class Events:
    """The file at `path`. `counts` is looked at as often as wanted: it writes what is new."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic):
        self._path = path
        self._clock = clock
        self._round = 0
        self._asides = Asides()
        self._progressed = 0.0
        self._restarts = 0

    def tell(self, event: str, **fields: Any) -> None:
        """Appends one line. Raises StorageError."""
        line = orjson.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields})
        with storage_errors(self._path):
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(file).st_size
                cut = size and os.pread(file, 1, size - 1) != b"\n"
                os.write(file, (b"\n" if cut else b"") + line + b"\n")
            finally:
                os.close(file)

    def round(self, number: int, planned: int, accepted: int) -> None:
        self._round = number + 1
        self._asides = Asides()
        self._restarts = 0
        self._progressed = self._clock()
        self.tell("round_started", round=self._round, planned=planned, accepted=accepted)

    def counts(self, counts: Counts) -> None:
        """Of the round so far."""
        for change in self._asides.changes(counts.endpoints):
            if change.why is None:
                self.tell("endpoint_back", round=self._round, endpoint=change.endpoint)
            else:
                why = without_text(change.why)
                self.tell("endpoint_set_aside", round=self._round, endpoint=change.endpoint, why=why)
        if counts.restarts > self._restarts:
            self._restarts = counts.restarts
            self.tell("worker_restarted", round=self._round, restarts=counts.restarts)
        now = self._clock()
        if now - self._progressed >= PROGRESS_EVERY_S:
            self._progressed = now
            self.tell("progress", round=self._round, **figures(counts))

    def round_ended(self, counts: Counts) -> None:
        self.tell("round_ended", round=self._round, **figures(counts))

    def run_failed(self, error: BaseException) -> None:
        """An interruption is no failure."""
        if isinstance(error, KeyboardInterrupt):
            self.tell("run_ended", status="interrupted")
        else:
            ours = isinstance(error, ServerError | InputError | StorageError)  # another may quote what it worked on
            why = without_text(str(error).partition("\n")[0]) if ours else ""
            self.tell("run_ended", status="failed", error=type(error).__name__, why=why)


def figures(counts: Counts) -> dict[str, Any]:
    """What an event tells of the counts."""
    return {
        "dialogues": counts.dialogues,
        "valid": counts.valid,
        "turns": counts.turns,
        "live": counts.live,
        "calls": int(counts.total("calls")),
        "replayed": int(counts.total("replayed")),
        "prompt_tokens": int(counts.total("prompt_tokens")),
        "cached_tokens": int(counts.total("cached_tokens")),
        "completion_tokens": int(counts.total("completion_tokens")),
        "endpoints": {name: _told(told) for name, told in counts.endpoints.items()},
    }


def _told(told: Mapping[str, Any]) -> dict[str, Any]:
    wanted = ("in_flight", "limit", "waiting", "sent", "answered", "faults", "cancelled", "set_aside")
    return {name: told[name] for name in wanted if name in told} | {"aside": told.get("aside") is not None}


def without_text(why: str) -> str:
    """A broken answer is told with how it begins, and that may be text of a dialogue."""
    return why.partition(", beginning ")[0]
