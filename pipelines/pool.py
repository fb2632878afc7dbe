"""The local pool: worker processes, each given a job as a file, watched through their stdout.

A worker that is killed is started again: its journal makes that cheap. Whatever replaces this pool (Dask, Ray) gives
the same jobs to `pipelines.worker.work` and gets the same paths back.
"""

import math
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson

from outputs.store import read_records
from pipelines.commit import commit
from pipelines.worker import Job
from schemas import errors
from schemas.errors import OvertureError, StorageError

RESTARTS = 2
POLL_S = 0.5


@dataclass(slots=True)
class Counts:
    """Sums over all workers of one round."""

    dialogues: int = 0
    valid: int = 0
    turns: int = 0
    live: int = 0
    """Dialogues going on."""
    usage: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    """By role: fields of `services.Usage`."""
    labels: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    """By reward: of `usage`, what its labels took."""
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """By address: what `Endpoint.told` tells, added up over workers."""
    restarts: int = 0
    """Of workers that were killed."""
    peak_mb: float = 0.0
    """Of the largest worker."""
    lag_p99_ms: float = 0.0
    """Of the worker whose event loop was latest."""

    def total(self, name: str) -> float:
        """One field of usage over all roles."""
        return sum(usage.get(name, 0) for usage in self.usage.values())

    @property
    def tokens(self) -> int:
        return int(self.total("prompt_tokens") + self.total("completion_tokens"))

    def add(self, more: "Counts") -> None:
        """Those of another round."""
        self.dialogues += more.dialogues
        self.valid += more.valid
        self.turns += more.turns
        add(self.usage, more.usage)
        add(self.labels, more.labels)
        add(self.endpoints, {name: _lasting(told) for name, told in more.endpoints.items()})
        self.restarts += more.restarts
        self.peak_mb = max(self.peak_mb, more.peak_mb)
        self.lag_p99_ms = max(self.lag_p99_ms, more.lag_p99_ms)


GAUGES = frozenset({"in_flight", "limit", "waiting", "aside"})
"""Of an endpoint's fields those that say how it is now."""


def _lasting(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in GAUGES}


def add(total: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Adds numbers up, however deep; of anything else the last counts."""
    for name, value in more.items():
        if isinstance(value, dict):
            add(total.setdefault(name, {}), cast("dict[str, Any]", value))
        elif isinstance(value, int | float) and value is not True and value is not False:
            total[name] = total.get(name, 0) + value
        else:
            total[name] = total.get(name) or value


class _Worker:
    def __init__(
        self,
        job: Job,
        folder: Path,
        events: "queue.Queue[tuple[_Worker, Mapping[str, Any] | None]]",
        committing: ThreadPoolExecutor,
    ):
        self.job = job
        self._committing = committing
        self._commits: list[Future[Path | None]] = []
        self.latest: Mapping[str, Any] = {}
        self.before: list[Mapping[str, Any]] = []
        """Last counts of earlier lives."""
        self.found: Counter[str] = Counter()
        """Counts of the shards that an earlier life has finished."""
        self.restarts = 0
        self.error: Mapping[str, Any] | None = None
        self.ended = False
        self._spec = folder / f"{job.name}.json"
        self._log_path = folder / f"{job.name}.log"
        self._events = events
        self.start()

    def start(self) -> None:
        try:
            self._spec.write_text(self.job.model_dump_json())
            log = self._log_path.open("ab")
        except OSError as error:
            raise StorageError(
                f"{self._spec}: {error.strerror}; free space or check permissions, then resume"
            ) from None
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pipelines.worker", str(self._spec)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the owner's to handle
            )
        assert self.process.stdout is not None
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                if line.endswith(b"\n"):  # a kill may cut the last one
                    self._events.put((self, orjson.loads(line)))
        self._events.put((self, None))

    def stop(self) -> None:
        """Asks it to commit what it has and leave."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone already
            self.process.stdin.write(b"stop\n")
            self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def restart(self) -> None:
        self.kill()
        self.settle()
        self.restarts += 1
        self.before.append(self.latest)
        self.found.clear()
        self.latest = {}
        self.start()

    def commit(self, name: str) -> None:
        """Makes Parquet of a shard it has spooled."""
        shard = next(s for s in self.job.shards if s.name == name)
        siblings = self.job.recipe.families[shard.position].siblings
        self._commits.append(self._committing.submit(commit, shard, self.job.folder, siblings))

    def settle(self) -> None:
        """Returns when all that it spooled is committed. Raises StorageError."""
        while self._commits:
            self._commits.pop().result()

    def log_tail(self) -> str:
        lines = self._log_path.read_text(errors="replace").splitlines() if self._log_path.exists() else []
        return "\n".join(lines[-8:])


def play_all(
    jobs: Sequence[Job],
    folder: Path,
    on_counts: Callable[[Counts], None],
    should_stop: Callable[[Counts], bool],
    check: Callable[[], None] = lambda: None,
) -> Counts:
    """Runs every job to its end, or until `should_stop`; the last counts.

    `check` raises when a server of ours died. Raises what ended a worker: ServerError and StorageError kinds, or
    OvertureError for a bug.
    """
    folder.mkdir(parents=True, exist_ok=True)
    events: queue.Queue[tuple[_Worker, Mapping[str, Any] | None]] = queue.Queue()
    workers: list[_Worker] = []
    stopping = False
    with ThreadPoolExecutor(1) as committing:
        try:
            workers += [_Worker(job, folder, events, committing) for job in jobs]
            checked = -math.inf
            while not all(w.ended for w in workers):
                if time.monotonic() - checked >= POLL_S:  # however many events there are
                    check()
                    checked = time.monotonic()
                with suppress(queue.Empty):
                    worker, event = events.get(timeout=POLL_S)
                    _note(worker, event, stopping)
                counts = _counts(workers)
                on_counts(counts)
                if not stopping and should_stop(counts):
                    stopping = True
                    for worker in workers:
                        worker.stop()
            return _counts(workers)
        finally:
            for worker in workers:
                worker.kill()


def _note(worker: _Worker, event: Mapping[str, Any] | None, stopping: bool) -> None:
    if event is not None:
        if "error" in event:
            worker.error = event["error"]
        if "spooled" in event:
            worker.commit(event["spooled"])
        if "found" in event:
            worker.found.update(_counted(Path(event["found"])))
        worker.latest = {**worker.latest, **event}
        return
    code = worker.process.wait()
    if code == 0 or (code < 0 and stopping):
        worker.settle()
        worker.ended = True
    elif worker.error is not None and worker.error["ours"]:
        kind: type[OvertureError] = getattr(errors, worker.error["kind"], OvertureError)
        raise kind(worker.error["message"])
    elif code < 0 and worker.restarts < RESTARTS:
        worker.restart()
    else:
        raise OvertureError(f"worker {worker.job.name} ended with code {code}:\n{worker.log_tail()}")


def _counted(shard: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for record in read_records([shard]):
        counts.update(dialogues=1, valid=int(record.selection is None), turns=len(record.dialogue.turns))
    return counts


def _counts(workers: Sequence[_Worker]) -> Counts:
    total = Counts()
    for worker in workers:
        now = worker.latest
        progress = worker.found + Counter(now.get("progress", {}))  # a new life counts its replayed dialogues again
        total.dialogues += progress.get("dialogues", 0)
        total.valid += progress.get("valid", 0)
        total.turns += progress.get("turns", 0)
        total.live += progress.get("live", 0)
        add(total.usage, now.get("usage", {}))
        add(total.labels, now.get("labels", {}))
        add(total.endpoints, now.get("endpoints", {}))
        for life in worker.before:
            add(total.usage, life.get("usage", {}))
            add(total.labels, life.get("labels", {}))
            add(total.endpoints, {name: _lasting(told) for name, told in life.get("endpoints", {}).items()})
        total.restarts += worker.restarts
        end = now.get("end", {})
        total.peak_mb = max(total.peak_mb, end.get("peak_mb", 0.0))
        total.lag_p99_ms = max(total.lag_p99_ms, end.get("lag_p99_ms", 0.0))
    return total
