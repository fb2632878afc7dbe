"""A spooled shard becomes Parquet: in the process that owns the workers, which has Arrow in memory anyway (70 MB)."""

from collections import Counter
from pathlib import Path

import orjson
import pyarrow as pa

from outputs.parquet import write_table
from pipelines.shards import Shard
from schemas.table import SCHEMA


def commit(shard: Shard, folder: Path, siblings: int) -> Path | None:
    """One Parquet file under a deterministic name, rows sorted by id: a repeated commit overwrites itself.

    A shard whose rows are not all there is kept as a partial one, its whole groups of `siblings` dialogues only; None
    when it has none. Raises StorageError.
    """
    spool = shard.spool_path(folder)
    rows = [orjson.loads(line) for line in spool.read_bytes().splitlines()]
    finished = len(rows) == (shard.stop - shard.start) * siblings
    members = Counter(row["group_id"] for row in rows)
    whole = sorted((r for r in rows if members[r["group_id"]] == siblings), key=lambda r: r["dialogue_id"])
    path = shard.path(folder) if finished else shard.partial_path(folder)
    if whole:
        write_table(path, pa.Table.from_pylist(whole, schema=SCHEMA))
    if finished:
        shard.partial_path(folder).unlink(missing_ok=True)
    spool.unlink()
    return path if whole else None
