"""Parquet read, with one clear message when it is damaged."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.errors import DataError
from schemas.record import Record, from_row
from schemas.table import SCHEMA, VERSION

_VERSION_KEY = b"overture.dialogue_table"


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The whole file. Raises DataError for what is missing or damaged."""
    with _readable(path) as file:
        return file.read(columns=None if columns is None else list(columns))


def read_batches(path: Path, rows: int = 256) -> Iterator[pa.RecordBatch]:
    """The file piece by piece, in order."""
    with _readable(path) as file:
        yield from file.iter_batches(batch_size=rows)


def count_rows(path: Path) -> int:
    with _readable(path) as file:
        return file.metadata.num_rows


def read_dialogue_tables(path: Path, rows: int = 256) -> Iterator[pa.Table]:
    """A file of the dialogue table, piece by piece, in the order of its schema. Raises DataError for any other file."""
    with _readable(path) as file:
        _require_dialogues(file.schema_arrow, path)
        for batch in file.iter_batches(batch_size=rows, columns=SCHEMA.names):
            yield pa.Table.from_batches([batch]).select(SCHEMA.names).cast(SCHEMA)


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


def _record(row: dict[str, Any], path: Path) -> Record:
    try:
        return from_row(row)
    except (ValidationError, ValueError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise DataError(
            f"{path}: row {row['dialogue_id']!r} is not a dialogue ({first}); make the file again"
        ) from error


def _require_dialogues(schema: pa.Schema, path: Path) -> None:
    found = (schema.metadata or {}).get(_VERSION_KEY, str(VERSION).encode()).decode()
    if found != str(VERSION):
        raise DataError(
            f"{path}: dialogue table version {found}, {VERSION} is read here; use the Overture that wrote it"
        )
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
