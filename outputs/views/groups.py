"""Dialogues in whole groups, a few thousand at a time, from files in any order."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.files import fresh_directory
from outputs.spill import load, spill
from outputs.store import count_rows, read_leaves
from schemas.identity import stable_hash

AT_A_TIME = 2_000
"""Dialogues, and what they may weigh: what was said before each turn of a long one takes many times its own size."""
BYTES = 16 << 20


def in_groups(files: Sequence[Path], leaves: Collection[str], work: Path) -> Iterator[pa.Table]:
    """Columns and fields (`turns.text`) of the dialogue table, each group whole and in one table.

    Files whose group ids ascend, as those of a run do, are read as they lie; others are put in order first, in `work`.
    """
    read = (table for path in files for table in _read(path, leaves))
    yield from _pieces(read if _ascending(files) else _in_order(read, files, work))


def _read(path: Path, leaves: Collection[str]) -> Iterator[pa.Table]:
    """A dialogue from elsewhere without a group is a group."""
    for table in read_leaves(path, {"dialogue_id", "group_id", *leaves}):
        groups = pc.coalesce(table["group_id"], table["dialogue_id"])
        yield table.set_column(table.schema.get_field_index("group_id"), "group_id", groups)


def _ascending(files: Sequence[Path]) -> bool:
    last = ""
    for table in (t for path in files for t in _read(path, ())):
        ids = [last, *table["group_id"].to_pylist()]
        if any(a > b for a, b in pairwise(ids)):
            return False
        last = ids[-1]
    return True


def _in_order(read: Iterable[pa.Table], files: Sequence[Path], work: Path) -> Iterator[pa.Table]:
    piles = ceil(sum(count_rows(path) for path in files) / AT_A_TIME)
    place = fresh_directory(work / "groups.tmp")
    spill(read, place, lambda group: int(stable_hash(group, bits=32), 16) * piles >> 32)
    for number in range(piles):
        pile = load(place, number)
        if pile is not None:
            yield pile
    fresh_directory(place).rmdir()


def _pieces(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut between two groups."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(t.num_rows for t in held) >= AT_A_TIME or sum(t.nbytes for t in held) >= BYTES:
            rows = pa.concat_tables(held)
            ids = rows["group_id"].to_numpy()
            whole = int(np.flatnonzero(ids != ids[-1])[-1]) + 1 if ids[0] != ids[-1] else 0
            if whole:
                yield rows.slice(0, whole)
            held = [rows.slice(whole)]
    if rest := [t for t in held if t.num_rows]:
        yield pa.concat_tables(rest)
