"""Parquet read, with one clear message when it is damaged."""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.errors import DataError
from schemas.record import Record, from_row
from schemas.table import SCHEMA, VERSION, migrated, version_of

_BETWEEN = frozenset({"list", "element", "item", "bag", "array", "array_element"})


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The whole file. Raises DataError for what is missing or damaged."""
    with _readable(path) as file:
        return file.read(columns=None if columns is None else list(columns))


def read_batches(path: Path, rows: int = 256, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The file piece by piece, in order."""
    with _readable(path) as file:
        yield from file.iter_batches(batch_size=rows, columns=None if columns is None else list(columns))


def count_rows(path: Path) -> int:
    with _readable(path) as file:
        return file.metadata.num_rows


def read_dialogue_tables(path: Path, rows: int = 256) -> Iterator[pa.Table]:
    """A file of the dialogue table, piece by piece, in the order of its schema; rows of an older version as today's
    have them. Raises DataError for any other file.
    """
    with _readable(path) as file:
        version = version_of(file.schema_arrow, path)
        names = SCHEMA.names if version == VERSION else None
        _require_dialogues(migrated(file.schema_arrow.empty_table(), version).schema, path)
        for batch in file.iter_batches(batch_size=rows, columns=names):
            table = migrated(pa.Table.from_batches([batch]), version)
            yield table.select(SCHEMA.names).cast(SCHEMA)


def read_leaves(path: Path, leaves: Collection[str], rows: int = 500) -> Iterator[pa.Table]:
    """Of a file of the dialogue table some columns and fields of nested ones (`turns.text`) alone, piece by piece: the
    rest stays unread, but in a file of an older version.
    """
    with _readable(path) as file:
        version = version_of(file.schema_arrow, path)
        _require_dialogues(migrated(file.schema_arrow.empty_table(), version).schema, path)
        fields = [pruned for field in SCHEMA if (pruned := _pruned(field, leaves)) is not None]
        places = [file.schema.column(n).path for n in range(len(file.schema))]
        wanted = [p for p in places if _holds(leaves, _dotted(p))] if version == VERSION else None
        for batch in file.iter_batches(batch_size=rows, columns=wanted):
            table = migrated(pa.Table.from_batches([batch]), version)
            yield table.select([f.name for f in fields]).cast(pa.schema(fields))


def read_records(paths: Iterable[Path]) -> Iterator[Record]:
    """Every row of files of the dialogue table, one at a time."""
    for path in paths:
        for table in read_dialogue_tables(path, rows=64):
            for row in table.to_pylist():
                yield _record(row, path)


def dialogue_files(path: Path) -> list[Path]:
    """The Parquet files behind a path: a file itself, a run's `data/`, or a directory of files."""
    if path.is_dir():
        inside = path / "data" if (path / "data").is_dir() else path
        if found := sorted(inside.glob("*.parquet")):
            return found
        raise DataError(
            f"{inside}: no Parquet file here; give a run directory, a directory of Parquet files or one file"
        )
    return [path]


def _dotted(place: str) -> str:
    """A leaf's path without what Parquet puts between a list and its elements."""
    return ".".join(part for part in place.split(".") if part not in _BETWEEN)


def _holds(leaves: Collection[str], name: str) -> bool:
    return any(name == leaf or name.startswith(f"{leaf}.") for leaf in leaves)


def _pruned(field: pa.Field, leaves: Collection[str]) -> pa.Field | None:
    """A column of the dialogue table with what is wanted of it."""
    inner = field.type.value_type if pa.types.is_list(field.type) else field.type
    if _holds(leaves, field.name) or not pa.types.is_struct(inner):
        return field if _holds(leaves, field.name) else None
    kept = [child for child in inner if _holds(leaves, f"{field.name}.{child.name}")]
    struct = pa.struct(kept)
    return pa.field(field.name, pa.list_(struct) if pa.types.is_list(field.type) else struct) if kept else None


def _record(row: dict[str, Any], path: Path) -> Record:
    try:
        return from_row(row)
    except (ValidationError, ValueError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise DataError(
            f"{path}: row {row['dialogue_id']!r} is not a dialogue ({first}); make the file again"
        ) from error


def _require_dialogues(schema: pa.Schema, path: Path) -> None:
    if missing := [name for name in SCHEMA.names if name not in schema.names]:
        raise DataError(
            f"{path}: not a dialogue table, it lacks {', '.join(missing[:5])}; see the card for the columns"
        )


@contextmanager
def _readable(path: Path) -> Generator[pq.ParquetFile]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
        raise DataError(
            f"{path}: damaged or not Parquet ({first}); delete it and resume the run that made it, or copy it again"
        ) from error
