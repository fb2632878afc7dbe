"""A spooled shard becomes Parquet: in the process that owns the workers, which has Arrow in memory anyway (70 MB)."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pj

from outputs.parquet import write_table
from pipelines.shards import Shard
from schemas.table import SCHEMA


def commit(shard: Shard, folder: Path, siblings: int) -> Path | None:
    """One Parquet file under a deterministic name, rows sorted by id: a repeated commit overwrites itself.

    A shard whose rows are not all there is kept as a partial one, its whole groups of `siblings` dialogues only; None
    when it has none. Raises StorageError.
    """
    spool = shard.spool_path(folder)
    rows = _read(spool)
    finished = rows.num_rows == (shard.stop - shard.start) * siblings
    groups, ids = rows["group_id"].to_pylist(), rows["dialogue_id"].to_pylist()
    members = Counter(groups)
    whole = sorted((n for n, group in enumerate(groups) if members[group] == siblings), key=ids.__getitem__)
    path = shard.path(folder) if finished else shard.partial_path(folder)
    if whole:
        write_table(path, rows.take(whole))
    if finished:
        shard.partial_path(folder).unlink(missing_ok=True)
    spool.unlink()
    return path if whole else None


def _read(spool: Path) -> pa.Table:
    """Straight from JSON to Arrow: `Table.from_pylist` would import pandas."""
    size = spool.stat().st_size
    if not size:
        return SCHEMA.empty_table()
    reading = pj.ReadOptions(use_threads=False, block_size=size + 1)
    parsing = pj.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error")
    rows = pj.read_json(spool, read_options=reading, parse_options=parsing)
    return rows.replace_schema_metadata(SCHEMA.metadata)
