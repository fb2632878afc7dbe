"""The journal: every answered model call, durable before anything depends on it (law 8).

One SQLite file a worker, in WAL mode, written by its owner alone; all files of a run are read, so a shard may change
its worker. A record is keyed by (dialogue_id, branch, turn, step, attempt) and holds a hash of the request: an answer
serves only the very request it answered. A process that dies loses nothing that was committed; a machine that loses
power may lose the last moments (`synchronous=NORMAL`), which are then asked again.
"""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple, Self

from schemas.errors import RunError, StorageError

_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    dialogue_id TEXT, branch TEXT, turn INTEGER, step TEXT, attempt INTEGER,
    request TEXT NOT NULL, answer BLOB NOT NULL,
    PRIMARY KEY (dialogue_id, branch, turn, step, attempt)
) WITHOUT ROWID;
"""
GROUP_COMMIT_S = 0.002
"""Answers that arrive within this time share one commit."""
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


class Journal:
    """`with Journal(folder, name, fingerprint) as journal`: writes `<name>.sqlite`, reads every file of the folder.

    `fingerprint`: of generation. Entering raises RunError for a file of another one, StorageError for a bad disk.
    """

    def __init__(self, folder: Path, name: str, fingerprint: str):
        self._folder = folder
        self._path = folder / f"{name}.sqlite"
        self._fingerprint = fingerprint
        self._pending: list[tuple[str, *tuple[str | int | bytes, ...]]] = []
        self._committed: asyncio.Future[None] | None = None
        self._connections: list[sqlite3.Connection] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._own = stack.enter_context(closing(sqlite3.connect(self._path, timeout=BUSY_S)))
                _prepare(self._own, self._fingerprint)
                self._connections = [self._own]
                _same(self._own, self._path, self._fingerprint)
                for path in sorted(self._folder.glob("*.sqlite")):
                    if path != self._path:
                        other = stack.enter_context(closing(_read_only(path)))
                        if _same(other, path, self._fingerprint):
                            self._connections.append(other)
            except (OSError, sqlite3.Error) as error:
                raise _storage(self._path, error) from error
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Raises StorageError when what is still to be committed cannot be."""
        with self._opened:
            error = self._flush()
        if error is not None:
            raise error

    def answers(self, dialogue_id: str) -> Mapping[Place, Answer]:
        """Everything answered for one dialogue, from all files; of equal places the own file's."""
        sql = "SELECT branch, turn, step, attempt, request, answer FROM calls WHERE dialogue_id = ?"
        found: dict[Place, Answer] = {}
        try:
            for connection in reversed(self._connections):
                for branch, turn, step, attempt, request, answer in connection.execute(sql, (dialogue_id,)):
                    found[Place(branch, turn, step, attempt)] = Answer(request, answer)
        except sqlite3.Error as error:
            raise _storage(self._path, error) from error
        return found

    async def put(self, dialogue_id: str, place: Place, answer: Answer) -> None:
        """Returns once the answer is committed; a cancelled caller's answer is committed all the same."""
        self._pending.append((dialogue_id, *place, *answer))
        if self._committed is None:
            loop = asyncio.get_running_loop()
            self._committed = loop.create_future()
            loop.call_later(GROUP_COMMIT_S, self._flush)
        await asyncio.shield(self._committed)

    def _flush(self) -> StorageError | None:
        """Commits what is pending and tells those who wait. What could not be committed stays pending."""
        if not self._pending:
            return None
        waiting, self._committed = self._committed, None
        error = self._commit()
        if waiting is None:
            return error
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)
            waiting.exception()  # those who waited may all be gone: then nobody else retrieves it
        return error

    def _commit(self) -> StorageError | None:
        try:
            with self._own:
                self._own.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)", self._pending)
        except sqlite3.Error as error:
            return _storage(self._path, error)
        self._pending = []
        return None


def _prepare(own: sqlite3.Connection, fingerprint: str) -> None:
    own.execute("PRAGMA journal_mode=WAL")
    own.execute("PRAGMA synchronous=NORMAL")
    own.executescript(_TABLES)
    with own:
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


def _storage(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"journal {path}: {error}; free space or check permissions, then resume: nothing answered is lost"
    )
