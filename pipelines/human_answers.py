"""Answers of human raters, in SQLite as they come: whoever kills the server loses none."""

import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from schemas.errors import RunError, StorageError
from schemas.trial import Answer

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rater TEXT NOT NULL,
    trial TEXT NOT NULL,
    choice TEXT NOT NULL,
    seconds REAL,
    at TEXT NOT NULL,
    source TEXT NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS once ON answers (rater, trial) WHERE undone = 0;
CREATE TABLE IF NOT EXISTS link (token TEXT NOT NULL);
"""


class Answers(AbstractContextManager["Answers"]):
    """Every answer is durable when `add` returns. An answer taken back stays in the file, marked `undone`."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._path.touch(mode=0o600)
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=10)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise RunError(f"{self._path}: not the answers of raters ({error}); move it away and run again") from error
        except OSError as error:
            raise StorageError(
                f"{self._path}: {error.strerror}; choose another --out or mend its permissions"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def token(self) -> str:
        """Of the link: random, and the same as long as the file lives, so that a page left open goes on."""
        found = self._db.execute("SELECT token FROM link").fetchone()
        if found is None:
            self._db.execute("INSERT INTO link VALUES (?)", (secrets.token_urlsafe(16),))
            return self.token()
        return found[0]

    def add(self, answer: Answer, source: str = "page") -> bool:
        """False where this rater has answered this trial: the first answer stays."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        values = (answer.rater, answer.trial, answer.choice, answer.seconds, at, source)
        done = self._db.execute(
            "INSERT OR IGNORE INTO answers (rater, trial, choice, seconds, at, source) VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )
        return done.rowcount == 1

    def add_all(self, answers: Sequence[Answer], source: str) -> int:
        """All or none; how many were new."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            new = sum(self.add(answer, source) for answer in answers)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return new

    def undo(self, rater: str) -> str | None:
        """Takes the rater's last answer back: its trial; None where there is none."""
        last = self._db.execute(
            "SELECT number, trial FROM answers WHERE rater = ? AND undone = 0 ORDER BY number DESC LIMIT 1", (rater,)
        ).fetchone()
        if last is None:
            return None
        self._db.execute("UPDATE answers SET undone = 1 WHERE number = ?", (last[0],))
        return last[1]

    def of(self, rater: str | None = None) -> list[Answer]:
        """In the order they came; of everybody by default."""
        rows = self._db.execute(
            "SELECT rater, trial, choice, seconds FROM answers "
            "WHERE undone = 0 AND (rater = ?1 OR ?1 IS NULL) ORDER BY number",
            (rater,),
        )
        return [Answer(rater=r, trial=t, choice=c, seconds=s) for r, t, c, s in rows]
