"""A spooled shard becomes Parquet: in the process that owns the workers, which has Arrow in memory anyway (70 MB)."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pj

from outputs.parquet import write_table
from pipelines.shards import Shard, branches_of
from schemas.table import SCHEMA


def commit(shard: Shard, folder: Path, siblings: int) -> Path | None:
    """One Parquet file under a deterministic name, rows sorted by id: a repeated commit overwrites itself.

    A shard whose rows are not all there is kept as a partial one, its whole groups of `siblings` dialogues only; None
    when it has none. Branches of its dialogues lie in a file of their own, which is there before the shard is. Raises
    StorageError.
    """
    spool = shard.spool_path(folder)
    rows = _read(spool)
    groups, ids = rows["group_id"].to_pylist(), rows["dialogue_id"].to_pylist()
    own = [origin is None for origin in rows["origin"].to_pylist()]
    members = Counter(group for group, dialogue in zip(groups, own, strict=True) if dialogue)
    finished = members.total() == (shard.stop - shard.start) * siblings
    whole = sorted((n for n, group in enumerate(groups) if members[group] == siblings), key=ids.__getitem__)
    path = shard.path(folder) if finished else shard.partial_path(folder)
    if whole:
        _write(branches_of(path), rows, [n for n in whole if not own[n]])
        write_table(path, rows.take([n for n in whole if own[n]]))
    if finished:
        partial = shard.partial_path(folder)
        for old in (partial, branches_of(partial)):
            old.unlink(missing_ok=True)
    spool.unlink()
    return path if whole else None


def _write(path: Path, rows: pa.Table, branches: list[int]) -> None:
    """What an earlier commit wrote goes, where there are none now."""
    if branches:
        write_table(path, rows.take(branches))
    else:
        path.unlink(missing_ok=True)


def _read(spool: Path) -> pa.Table:
    """Straight from JSON to Arrow: `Table.from_pylist` would import pandas."""
    size = spool.stat().st_size
    if not size:
        return SCHEMA.empty_table()
    reading = pj.ReadOptions(use_threads=False, block_size=size + 1)
    parsing = pj.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error")
    rows = pj.read_json(spool, read_options=reading, parse_options=parsing)
    return rows.replace_schema_metadata(SCHEMA.metadata)
