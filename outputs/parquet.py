"""Parquet, written whole or not at all. Equal rows are equal bytes: fixed row groups, codec and format version, no
library metadata, one chunk a row group.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outputs.files import atomic_file

ROW_GROUP = 500
_WRITE: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "write_page_checksum": True,
}


class PartWriter:
    """One Parquet file being filled, in row groups of a fixed size whatever sizes the rows arrive in."""

    def __init__(self, file: Any, schema: pa.Schema):
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, **_WRITE)
        self._pending = schema.empty_table()

    def add(self, rows: pa.Table) -> None:
        pending = pa.concat_tables([self._pending, rows])
        while pending.num_rows >= ROW_GROUP:
            self._write(pending.slice(0, ROW_GROUP))
            pending = pending.slice(ROW_GROUP)
        self._pending = pending

    def close(self) -> None:
        if self._pending.num_rows:
            self._write(self._pending)
        self._writer.close()

    def _write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=ROW_GROUP)


@contextmanager
def part_writer(path: Path, schema: pa.Schema) -> Generator[PartWriter]:
    """A Parquet file under `path` once the block has ended."""
    with atomic_file(path) as file:
        writer = PartWriter(file, schema)
        try:
            yield writer
        finally:
            writer.close()  # unclosed, it complains once the file is gone


def write_table(path: Path, table: pa.Table) -> None:
    """`table` under `path`, durable on return. Raises StorageError when the disk is full, read-only or not ours."""
    kept = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"pandas"}
    table = table.replace_schema_metadata(kept or None)
    with part_writer(path, table.schema) as writer:
        writer.add(table)
