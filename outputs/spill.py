"""Rows put in order on disk, in memory that holds one pile of them at a time: spilled first, then loaded and sorted."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc

from outputs.files import storage_errors

BYTES = 32 << 20
"""Held before they are spilled."""


def spill(tables: Iterable[pa.Table], work: Path, pile_of: Callable[[str], int]) -> None:
    """Appends every row to the file of its pile. `pile_of`: by group id, so that a group lies whole in one pile."""
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if size >= BYTES:
            _append(held, work, pile_of)
            held, size = [], 0
    if held:
        _append(held, work, pile_of)


def load(work: Path, number: int) -> pa.Table | None:
    """A pile, sorted by group and within it by dialogue; None where nothing was spilled into it."""
    tables: list[pa.Table] = []
    path = _pile(work, number)
    if not path.exists():
        return None
    with path.open("rb") as file:  # one Arrow stream after another
        size = path.stat().st_size
        while file.tell() < size:
            tables.append(ipc.open_stream(file).read_all())
    return pa.concat_tables(tables).sort_by([("group_id", "ascending"), ("dialogue_id", "ascending")])


def _append(held: list[pa.Table], work: Path, pile_of: Callable[[str], int]) -> None:
    table = pa.concat_tables(held)
    rows_of: dict[int, list[int]] = {}
    for row, group_id in enumerate(table["group_id"].to_pylist()):
        rows_of.setdefault(pile_of(group_id), []).append(row)
    for number, rows in rows_of.items():
        path = _pile(work, number)
        options = ipc.IpcWriteOptions(compression="zstd")
        with storage_errors(path), path.open("ab") as file, ipc.new_stream(file, table.schema, options=options) as out:
            out.write_table(table.take(rows))


def _pile(work: Path, number: int) -> Path:
    return work / f"{number}.arrow"
