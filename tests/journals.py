"""What stands in a run's journal, read from outside, also while its workers write it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

CHAT = "step NOT LIKE 'embed/%'"
"""Chat calls."""


def journalled(out: Path, columns: str = "1", where: str = "1", worker: str = "") -> Iterator[tuple[Any, ...]]:
    """Rows of the calls under `out/journal`. A file whose worker is just making it has none."""
    for path in sorted((out / "journal").glob(f"{worker}*.sqlite")):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as file:
            if file.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
                yield from file.execute(f"SELECT {columns} FROM calls WHERE {where}")
