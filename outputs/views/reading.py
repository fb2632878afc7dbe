"""Rows of a view from anywhere: as a run published them, or made from any Parquet in the dialogue schema."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.parquet import part_writer
from outputs.store import dialogue_files, read_batches
from outputs.views.groups import in_groups
from outputs.views.public import leaves, public
from outputs.views.registry import VIEWS
from outputs.views.shortcuts import Chosen, Features, coded, joined, without_shortcuts
from outputs.views.view import DatasetView
from schemas.errors import DataError, InputError, did_you_mean
from schemas.table import SCHEMA


class Seen:
    """What shortcuts see of rows that are written one after the other."""

    def __init__(self, view: DatasetView):
        self._features = view.features
        self._found: list[Features] = []
        self._cases: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []

    def add(self, rows: pa.Table) -> None:
        if self._features is not None and rows.num_rows:
            self._found.append(self._features(rows))
            self._cases.append(coded(rows["base_case_id"]))
            self._keys.append(coded(_key(rows)))

    def chosen(self) -> Chosen:
        """Which of them stay."""
        if not self._found:
            return Chosen(np.zeros(0, bool), {}, reason="no_rows")
        return without_shortcuts(joined(self._found), np.concatenate(self._cases), np.concatenate(self._keys))


def _key(rows: pa.Table) -> pa.ChunkedArray:
    """What no other row has."""
    names = [name for name in ("dialogue_id", "turn", "rejected_id", "candidate_rejected") if name in rows.schema.names]
    return pc.binary_join_element_wise(*(pc.fill_null(pc.cast(rows[n], "string"), "") for n in names), "/")


def view_tables(name: str, source: Path, work: Path) -> Iterator[pa.Table]:
    """Rows of the view's schema, each with its split, never none at once, in an order that the dialogues decide.

    `source`: a run, a directory of Parquet files or one file. `work`: a scratch directory. Raises InputError for an
    unknown view, DataError for files that hold no dialogues.
    """
    if name not in VIEWS:
        raise InputError(f"no view '{name}'{did_you_mean(name, VIEWS)}")
    view = VIEWS[name]
    if (source / "views").is_dir() and not view.private:
        written = sorted((source / "views" / name).glob("*.parquet"))
        yield from (pa.Table.from_batches([batch]) for path in written for batch in read_batches(path))
        return
    files = dialogue_files(source)
    tables = made(view, files, work) if view.features is None else _without_shortcuts(view, files, work)
    yield from (table for table in tables if table.num_rows)


def made(view: DatasetView, files: Sequence[Path], work: Path) -> Iterator[pa.Table]:
    """From the dialogue table, shortcuts and all. Raises DataError for what is not as ours."""
    read = in_groups(files, SCHEMA.names if view.private else leaves(view.needs), work)
    for table in read:
        try:
            rows = view.rows(table if view.private else public(table, view.needs))
        except (ValueError, KeyError, TypeError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            where = f"{files[0].parent}: dialogues {table['dialogue_id'][0]} to {table['dialogue_id'][-1]}"
            raise DataError(f"{where} are not as the dialogue table has them ({first}); mend or drop them") from error
        yield rows


def filtered(path: Path, keep: np.ndarray) -> Iterator[pa.Table]:
    """The rows of a file that are kept."""
    start = 0
    for batch in read_batches(path):
        mask = keep[start : start + batch.num_rows]
        start += batch.num_rows
        yield pa.Table.from_batches([batch.filter(pa.array(mask))])


def _without_shortcuts(view: DatasetView, files: Sequence[Path], work: Path) -> Iterator[pa.Table]:
    seen, path = Seen(view), work / f"{view.name}.parquet"
    with part_writer(path, view.schema) as writer:
        for rows in made(view, files, work):
            seen.add(rows)
            writer.add(rows)
    yield from filtered(path, seen.chosen().keep)
    path.unlink()
