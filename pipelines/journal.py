"""The journal: every answered model call, durable before anything depends on it (law 8).

One SQLite file a worker, in WAL mode, written by its owner alone; all files of a run are read, so a shard may change
its worker. A record is keyed by (dialogue_id, branch, turn, step, attempt) and holds a hash of the request: an answer
serves only the very request it answered. A process that dies loses nothing that was committed; a machine that loses
power may lose the last moments (`synchronous=NORMAL`), which are then asked again.

Records are only ever appended, and committed by a thread of the journal's own: an index kept while writing costs eight
times the CPU, since the next record of a dialogue lies nowhere near the last. So the index is made where it is needed,
by whoever opens files that hold records already.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from schemas.errors import RunError, StorageError

_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    dialogue_id TEXT NOT NULL, branch TEXT NOT NULL, turn INTEGER NOT NULL, step TEXT NOT NULL,
    attempt INTEGER NOT NULL, request TEXT NOT NULL, answer BLOB NOT NULL
);
"""
_INDEX = """
CREATE TEMP TABLE places AS SELECT dialogue_id, rowid AS record FROM calls;
CREATE INDEX temp.by_dialogue ON places (dialogue_id, record);
"""
_ANSWERS = """
SELECT branch, turn, step, attempt, request, answer FROM temp.places JOIN calls ON calls.rowid = places.record
WHERE places.dialogue_id = ? ORDER BY places.record
"""
_FIELDS = 7
GATHER_S = 0.0005
"""Answers that arrive within this time, or while others are committed, share one commit."""
MOST, MOST_BYTES = 4000, 4 << 20
"""Answers that gather: at either, `put` waits for the writer. SQLite takes 32,766 parameters a statement."""
TELL = 8
"""Callers that go on in one turn of the event loop."""
BUSY_S = 30.0
"""How long another process may hold a file."""


class Place(NamedTuple):
    """Where in a dialogue a call stands; `branch` is the path of a rollout, empty for the dialogue itself."""

    branch: str
    turn: int
    step: str
    attempt: int


class Answer(NamedTuple):
    request: str
    answer: bytes


@dataclass(slots=True)
class _Batch:
    """What one commit takes."""

    values: list[str | int | bytes] = field(default_factory=list[str | int | bytes])
    """The fields of all records, one after the other: one statement, which lets go of the interpreter once."""
    waiters: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])
    bytes: int = 0
    error: Exception | None = None

    def tell(self, most: int | None = None) -> None:
        """Tells those who wait how it ended; with `most`, that many in each turn of the loop: every one of them goes on
        at once, and together they would keep the loop from all else.
        """
        now, self.waiters = self.waiters[:most], self.waiters[len(self.waiters[:most]) :]
        for waiter in now:
            if not waiter.done() and not waiter.get_loop().is_closed():  # a caller may have been cancelled
                if self.error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(self.error)
        if self.waiters and not (loop := self.waiters[0].get_loop()).is_closed():  # else nobody waits any more
            loop.call_soon(self.tell, most)


class Journal:
    """`with Journal(folder, name, fingerprint) as journal`: writes `<name>.sqlite`, reads every file of the folder.

    For one event loop. `fingerprint`: of generation. Entering raises RunError for a file of another one, StorageError
    for a bad disk.
    """

    def __init__(self, folder: Path, name: str, fingerprint: str):
        self._folder = folder
        self._path = folder / f"{name}.sqlite"
        self._fingerprint = fingerprint
        self._readers: list[sqlite3.Connection] = []
        """Of the files that held records when this journal was opened, the own one last."""
        self._gathering = _Batch()
        self._committing: _Batch | None = None
        self._due = False
        """What gathers has waited long enough, and follows as soon as the writer is free."""
        self._failed = False
        self._room = asyncio.Event()
        self._handed: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name=f"journal {name}", daemon=True)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._own = stack.enter_context(
                    closing(sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False))
                )
                _prepare(self._own, self._fingerprint)
                others = (p for p in sorted(self._folder.glob("*.sqlite")) if p != self._path)
                for path in (*others, self._path):
                    reader = stack.enter_context(closing(_read_only(path)))
                    if _same(reader, path, self._fingerprint) and _indexed(reader):
                        self._readers.append(reader)
            except (OSError, sqlite3.Error) as error:
                raise _storage(self._path, error) from error
            self._opened = stack.pop_all()
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Commits what is left. Raises StorageError when that cannot be."""
        self._handed.put(None)
        self._writer.join()
        self._due = False
        self._settle()
        rest, self._gathering = self._gathering, _Batch()
        with self._opened:
            rest.error = self._commit(rest.values)
        rest.tell()
        if rest.error is not None:
            raise rest.error

    def answers(self, dialogue_id: str) -> Mapping[Place, Answer]:
        """What was answered for a dialogue before this journal was opened, in any file; of equal places the own
        file's, and the last. A fresh run is not looked through.
        """
        found: dict[Place, Answer] = {}
        try:
            for reader in self._readers:
                for branch, turn, step, attempt, request, answer in reader.execute(_ANSWERS, (dialogue_id,)):
                    found[Place(branch, turn, step, attempt)] = Answer(request, answer)
        except sqlite3.Error as error:
            raise _storage(self._path, error) from error
        return found

    async def put(self, dialogue_id: str, place: Place, answer: Answer) -> None:
        """Returns once the answer is committed; a cancelled caller's answer is committed all the same.

        Raises StorageError when it could not be. It is kept then, and committed with the next, or on leaving.
        """
        while self._full():
            self._room.clear()
            await self._room.wait()
        loop = asyncio.get_running_loop()
        batch = self._gathering
        if not batch.waiters:
            loop.call_later(GATHER_S, self._hand_over)
        waiter = loop.create_future()
        batch.waiters.append(waiter)
        batch.values += (dialogue_id, *place, *answer)
        batch.bytes += len(answer.answer)
        await waiter

    def _full(self) -> bool:
        """Whether to wait for the writer; not where the last commit failed, or nobody would try again."""
        gathered = self._gathering
        return not self._failed and (len(gathered.values) >= MOST * _FIELDS or gathered.bytes >= MOST_BYTES)

    def _hand_over(self) -> None:
        """What has gathered, to the writer, if it is free."""
        self._due = self._committing is not None
        if not self._due and self._gathering.waiters:
            self._committing, self._gathering = self._gathering, _Batch()
            self._handed.put(self._committing)
            self._room.set()

    def _settle(self) -> None:
        """Tells those who wait how the commit ended. What could not be committed goes first in the next."""
        batch, self._committing = self._committing, None
        if batch is None:  # told on leaving
            return
        self._failed = batch.error is not None
        if self._failed:
            self._gathering.values[:0] = batch.values
            self._gathering.bytes += batch.bytes
            self._room.set()
        batch.tell(TELL)
        if self._due:
            self._hand_over()

    def _write(self) -> None:
        """The writer thread: it touches the connection and the batch it was handed, nothing else."""
        while (batch := self._handed.get()) is not None:
            batch.error = self._commit(batch.values)
            with suppress(RuntimeError):  # the loop has ended: __exit__ settles it
                batch.waiters[0].get_loop().call_soon_threadsafe(self._settle)

    def _commit(self, values: list[str | int | bytes]) -> Exception | None:
        step = MOST * _FIELDS
        try:
            for at in range(0, len(values), step):
                part = values[at : at + step]
                rows = ",".join(["(?,?,?,?,?,?,?)"] * (len(part) // _FIELDS))
                self._own.execute(f"INSERT INTO calls VALUES {rows}", part)
        except sqlite3.Error as error:
            return _storage(self._path, error)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: whoever waits is told, else they wait for ever
            return error
        return None


def _prepare(own: sqlite3.Connection, fingerprint: str) -> None:
    own.execute("PRAGMA journal_mode=WAL")
    own.execute("PRAGMA synchronous=NORMAL")
    own.executescript(_TABLES)
    own.execute("INSERT OR IGNORE INTO about VALUES ('generation_fingerprint', ?)", (fingerprint,))


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)


def _same(connection: sqlite3.Connection, path: Path, fingerprint: str) -> bool:
    """False for a file whose owner is just making it: nothing is answered there yet. Raises RunError."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone() is None:
        return False
    row = connection.execute("SELECT value FROM about WHERE name = 'generation_fingerprint'").fetchone()
    if row is not None and row[0] != fingerprint:
        raise RunError(
            f"{path}: journal of generation {row[0][:12]}, this recipe is {fingerprint[:12]}: what decides its texts "
            "(families, speakers, models, sampling or seed) has changed; give another --out, or restore the recipe"
        )
    return True


def _indexed(reader: sqlite3.Connection) -> bool:
    """Makes its records findable by dialogue, in a temporary file; False where there are none."""
    if reader.execute("SELECT 1 FROM calls LIMIT 1").fetchone() is None:
        return False
    reader.executescript(_INDEX)
    return True


def _storage(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"journal {path}: {error}; free space or check permissions, then resume: nothing answered is lost"
    )
