"""Vectors that were asked for before, on disk: an embedder takes milliseconds a text, and runs ask for the same texts
again and again.

One SQLite file in the cache folder (`OVERTURE_CACHE`), shared by processes. Keys are hashes of model and text, no text
is stored. It is a cache: what goes wrong with it is told in a line, and the embedder is asked instead.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np

from inference.weights import cache_folder
from schemas.contracts import EmbedTexts

MOST_BYTES = 2 << 30
"""Of the file, about; beyond it the oldest quarter goes. 1.2 million vectors of 384 numbers."""
_AT_ONCE = 1024
"""Texts embedded between two commits: what an interrupted run loses at most."""
T = TypeVar("T")
_TABLE = "CREATE TABLE IF NOT EXISTS vectors(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"


def cache_file() -> Path:
    return cache_folder() / "embeddings" / "vectors-1.sqlite"


class CachedEmbed:
    """`embed`, asked once for each text on this machine. Vectors are float32 and exactly those that it gave."""

    def __init__(self, embed: EmbedTexts, model: str, tell: Callable[[str], None], most_bytes: int = MOST_BYTES):
        """`model`: whatever tells its vectors from another's. `tell`: gets a line where the file is of no use."""
        self._embed = embed
        self._model = hashlib.blake2b(model.encode(), digest_size=16).digest()
        self._tell = tell
        self._most_bytes = most_bytes
        self._path = cache_file()
        self._used = True

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return self._embed(texts)
        keys = [hashlib.blake2b(text.encode(), digest_size=16, key=self._model).digest() for text in texts]
        found = dict(self._trying(lambda db: self._read(db, keys), ()))
        if len(set(map(len, found.values()))) > 1:  # of another model that went by this name
            found = {}
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        for some in _slices(list(unknown)):
            rows = np.asarray(self._embed([unknown[key] for key in some]), dtype=np.float32)
            fresh = {key: row.tobytes() for key, row in zip(some, rows, strict=True)}
            found |= fresh
            self._trying(lambda db, fresh=fresh: self._write(db, fresh), None)
        return np.frombuffer(b"".join([found[key] for key in keys]), dtype=np.float32).reshape(len(texts), -1).copy()

    def _trying(self, use: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What `use` gives of the open file. A damaged one is made anew, once; where the file cannot be used (locked,
        read-only, disk full) it is left alone from then on.
        """
        for attempt in range(2 if self._used else 0):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with closing(sqlite3.connect(self._path, timeout=30)) as db:
                    db.execute("PRAGMA synchronous=NORMAL")  # not WAL: turning it on does not wait for a lock
                    db.execute(_TABLE)
                    return use(db)
            except (sqlite3.OperationalError, OSError) as error:
                self._leave(str(error))
                break
            except sqlite3.DatabaseError as error:
                if attempt:
                    self._leave(str(error))
                else:
                    self._tell(f"the embedding cache {self._path} is damaged ({error}); it is made anew")
                    self._remove()
        return otherwise

    def _leave(self, why: str) -> None:
        self._used = False
        self._tell(f"the embedding cache {self._path} cannot be used ({why}); texts are embedded without it")

    def _remove(self) -> None:
        for end in ("", "-journal"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def _read(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> Sequence[tuple[bytes, bytes]]:
        rows: list[tuple[bytes, bytes]] = []
        for some in _slices(list(dict.fromkeys(keys))):
            places = ",".join("?" * len(some))
            rows += db.execute(f"SELECT key, vector FROM vectors WHERE key IN ({places})", some)
        return rows

    def _write(self, db: sqlite3.Connection, vectors: Mapping[bytes, bytes]) -> None:
        with db:
            db.executemany("INSERT OR IGNORE INTO vectors(key, vector) VALUES (?, ?)", vectors.items())
            pages, free, size = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
            if (pages - free) * size > self._most_bytes:
                db.execute("DELETE FROM vectors WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 4 FROM vectors)")


def _slices(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))
