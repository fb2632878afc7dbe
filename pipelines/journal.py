"""The journal: every answered model call, durable before anything depends on it (law 8).

One SQLite file a worker, in WAL mode, written by its owner alone; all files of a run are read, so a shard may change
its worker. A record
is keyed by (dialogue_id, branch, turn, step, attempt) and holds a hash of the request: an answer serves only the very
request it answered.
A process that dies loses nothing that was committed; a machine that loses power may lose the last moments
(`synchronous=NORMAL`), which are
then asked again.
"""

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from schemas.errors import RunError, StorageError

_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    dialogue_id TEXT, branch TEXT, turn INTEGER, step TEXT, attempt INTEGER, request TEXT NOT NULL, answer BLOB NOT
    NULL,
    PRIMARY KEY (dialogue_id, branch, turn, step, attempt)
) WITHOUT ROWID;
"""
GROUP_COMMIT_S = 0.002
"""Answers that arrive within this time share one commit."""


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
    """`with Journal(folder, name, fingerprint) as journal`: writes `<folder>/<name>.sqlite`, reads every file of the
    folder.
    """

    def __init__(self, folder: Path, name: str, fingerprint: str):
        self._folder = folder
        self._path = folder / f"{name}.sqlite"
        self._fingerprint = fingerprint
        self._pending: list[tuple[str, *tuple[str | int | bytes, ...]]] = []
        self._committed: asyncio.Future[None] | None = None
        self._connections: list[sqlite3.Connection] = []

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._own = _open(self._path)
            self._own.executescript(_TABLES)
            for path in sorted(self._folder.glob("*.sqlite")):
                connection = self._own if path == self._path else _open(path)
                self._connections.append(connection)
                _check(connection, path, self._fingerprint)
        except (OSError, sqlite3.Error) as error:
            raise _storage(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def answers(self, dialogue_id: str) -> Mapping[Place, Answer]:
        """Everything answered for one dialogue, from all files."""
        sql = "SELECT branch, turn, step, attempt, request, answer FROM calls WHERE dialogue_id = ?"
        found: dict[Place, Answer] = {}
        try:
            for connection in self._connections:
                for branch, turn, step, attempt, request, answer in connection.execute(sql, (dialogue_id,)):
                    found[Place(branch, turn, step, attempt)] = Answer(request, answer)
        except sqlite3.Error as error:
            raise _storage(self._path, error) from error
        return found

    async def put(self, dialogue_id: str, place: Place, answer: Answer) -> None:
        """Returns once the answer is committed."""
        self._pending.append((dialogue_id, *place, *answer))
        if self._committed is None:
            loop = asyncio.get_running_loop()
            self._committed = loop.create_future()
            loop.call_later(GROUP_COMMIT_S, self._flush)
        await asyncio.shield(self._committed)

    def _flush(self) -> None:
        waiting, self._committed = self._committed, None
        rows, self._pending = self._pending, []
        try:
            if rows:
                with self._own:
                    self._own.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            if waiting is None:
                raise _storage(self._path, error) from error
            if not waiting.done():
                waiting.set_exception(_storage(self._path, error))
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _check(connection: sqlite3.Connection, path: Path, fingerprint: str) -> None:
    with connection:
        connection.execute("INSERT OR IGNORE INTO about VALUES ('generation_fingerprint', ?)", (fingerprint,))
    (found,) = connection.execute("SELECT value FROM about WHERE name = 'generation_fingerprint'").fetchone()
    if found != fingerprint:
        raise RunError(
            f"{path}: journal of generation {found[:12]}, this recipe is {fingerprint[:12]}: what decides its texts "
            "(families, speakers, models, sampling or seed) has changed; give another --out, or restore the recipe"
        )


def _storage(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"journal {path}: {error}; free space or check permissions, then resume: nothing answered is lost"
    )
