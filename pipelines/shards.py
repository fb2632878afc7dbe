"""Shards: the unit of commit and restart, never of concurrency. One is a range of a family's groups in a round."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from outputs.store import write_table
from schemas.scenario import Value
from schemas.table import SCHEMA, Record, to_row


class Shard(Value):
    position: int
    """Of the family in the recipe."""
    start: int
    stop: int
    """Group indices [start, stop)."""
    round: int

    @property
    def name(self) -> str:
        return f"r{self.round:03d}-f{self.position:02d}-{self.start:09d}-{self.stop:09d}"

    def path(self, folder: Path) -> Path:
        """A finished shard: every dialogue of its groups. Never written twice with other content."""
        return folder / f"{self.name}.parquet"

    def partial_path(self, folder: Path) -> Path:
        """What an interrupted run had of it: whole groups only. Goes when the shard is finished."""
        return folder / f"{self.name}.partial.parquet"


def cut(position: int, start: int, stop: int, round_: int, groups_a_shard: int) -> list[Shard]:
    return [
        Shard(position=position, start=at, stop=min(at + groups_a_shard, stop), round=round_)
        for at in range(start, stop, groups_a_shard)
    ]


def commit(shard: Shard, folder: Path, records: Iterable[Record], finished: bool) -> Path:
    """One Parquet file under a deterministic name, rows sorted by id: a repeated commit overwrites itself."""
    rows = [to_row(r) for r in sorted(records, key=lambda r: r.dialogue.id)]
    path = shard.path(folder) if finished else shard.partial_path(folder)
    write_table(path, pa.Table.from_pylist(rows, schema=SCHEMA))
    if finished:
        shard.partial_path(folder).unlink(missing_ok=True)
    return path
