"""Shards: the unit of commit and restart, never of concurrency. One is a range of a family's groups in a round."""

from pathlib import Path

import orjson

from schemas.errors import StorageError
from schemas.record import Record, to_row
from schemas.scenario import Value


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

    def spool_path(self, folder: Path) -> Path:
        """Its rows while it is open."""
        return folder / f"{self.name}.spool"


def branches_of(path: Path) -> Path:
    """The rows of branches of a shard's dialogues, if there are any: where whoever reads dialogues does not look."""
    return path.parent / "branches" / path.name


def round_of(path: Path) -> int:
    """Of a shard's file, by its name."""
    return int(path.name[1:4])


def cut(position: int, start: int, stop: int, round_: int, groups_a_shard: int) -> list[Shard]:
    return [
        Shard(position=position, start=at, stop=min(at + groups_a_shard, stop), round=round_)
        for at in range(start, stop, groups_a_shard)
    ]


class Spool:
    """The rows of an open shard, JSON a line, in a file of its worker's: memory holds none of them.

    It is no record of anything: with a worker that dies it is played again from the journal. Raises StorageError.
    """

    def __init__(self, shard: Shard, folder: Path):
        self._path = shard.spool_path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        except OSError as error:
            raise self._storage(error) from None
        self.rows = 0
        """Dialogues: branches of them are none."""

    def add(self, record: Record) -> None:
        try:
            self._file.write(orjson.dumps(to_row(record)) + b"\n")
        except OSError as error:
            raise self._storage(error) from None
        self.rows += record.dialogue.origin is None

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._storage(error) from None

    def _storage(self, error: OSError) -> StorageError:
        return StorageError(f"{self._path}: {error.strerror}; free space or check permissions, then resume")
