"""Publishing: from shards in any order to `data/`, `rejected/` and `branches/`, byte-identical whatever the shards.

Two passes, so that memory holds one narrow range of group ids at a time: rows are spilled into ranges, then each range
is sorted by group and dialogue, given its decisions and written. Parts are cut at fixed group ids, so a group lies
whole in one; how many there are depends on the target alone.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from outputs.files import fresh_directory, replace_directory, storage_errors
from outputs.parquet import PartWriter, part_writer
from outputs.spill import load, spill
from outputs.store import read_dialogue_tables
from schemas.errors import DataError, OvertureError
from schemas.identity import stable_hash
from schemas.judgement import Realism, RewardValue, Selection
from schemas.record import to_json
from schemas.table import SCHEMA

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ROWS_A_PART = 5_000
_RANGES_A_PART = 4


@dataclass(frozen=True, slots=True)
class Decision:
    """What the run decided about one dialogue after its shard was written."""

    selection: Selection
    """`keep=False` with the reason that spoke against it, a filter's or a selector's: the row goes to `rejected/`."""
    realism: Realism | None = None
    labels: Mapping[str, str] | None = None
    rewards: Sequence[RewardValue] | None = None
    """All rewards of the dialogue; None keeps those of the shard."""


@dataclass(frozen=True, slots=True)
class Published:
    """Rows written."""

    splits: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    """By reason."""
    branches: int = 0

    @property
    def accepted(self) -> int:
        return sum(self.splits.values())


class TwoRows(DataError):
    """One id has different rows."""

    def __init__(self, dialogue_id: str):
        super().__init__(
            f"dialogue {dialogue_id}: two shards hold different rows of it; delete the stale shard and resume"
        )
        self.dialogue_id = dialogue_id


def split_of(base_case_id: str) -> Split:
    """80/10/10 by base case alone.

    The same in every run, so that a run can be extended, and two runs joined, without a leak between splits.
    """
    draw = int(stable_hash("split", base_case_id, bits=32), 16) / 2**32
    return "train" if draw < 0.8 else "validation" if draw < 0.9 else "test"


def part_count(target: int) -> int:
    return max(1, -(-target // ROWS_A_PART))


def publish(
    shards: Iterable[Path], decisions: Mapping[str, Decision] | None, run_dir: Path, target: int, recipe: str
) -> Published:
    """Writes `data/`, `rejected/` and `branches/` of a run anew. Killed at any moment, calling it again repairs it.

    `decisions`: by dialogue id, for every dialogue of the shards that is no branch; None: the shards are published
    rows and keep all they carry. `recipe`: stored with each row that is decided about.
    """
    work = fresh_directory(run_dir / "publish.tmp")
    parts = part_count(target)
    ranges = parts * _RANGES_A_PART
    cuts = [f"{(k << 32) // ranges:08x}" for k in range(1, ranges)]
    spill((t for shard in shards for t in read_dialogue_tables(shard)), work, lambda group: bisect_right(cuts, group))
    tally: Counter[tuple[str, str]] = Counter()
    for part in range(parts):
        with ExitStack() as stack:
            writers: dict[Path, PartWriter] = {}
            for number in range(part * _RANGES_A_PART, (part + 1) * _RANGES_A_PART):
                pile = load(work, number)
                if pile is None:
                    continue
                rows = _once(pile)
                if decisions is not None:
                    rows = _settle(rows, decisions, recipe)
                for (folder, name), chosen in _routed(rows, tally):
                    path = work / folder / f"{name}-{part:05d}-of-{parts:05d}.parquet"
                    if path not in writers:
                        writers[path] = stack.enter_context(part_writer(path, SCHEMA))
                    writers[path].add(chosen)
    for folder in ("rejected", "branches", "data"):
        with storage_errors(work / folder):
            (work / folder).mkdir(exist_ok=True)
        replace_directory(work / folder, run_dir / folder)
    with storage_errors(run_dir):
        if not any((run_dir / "branches").iterdir()):
            (run_dir / "branches").rmdir()
    fresh_directory(work).rmdir()
    return _published(tally)


def _published(tally: Counter[tuple[str, str]]) -> Published:
    return Published(
        splits={split: tally["data", split] for split in SPLITS if tally["data", split]},
        rejected={reason: n for (folder, reason), n in sorted(tally.items()) if folder == "rejected"},
        branches=tally["branches", "part"],
    )


def _once(table: pa.Table) -> pa.Table:
    """A row that came twice (a shard committed again under another layout) counts once.

    Raises TwoRows for two different rows of one id.
    """
    ids = table["dialogue_id"].to_pylist()
    keep = [0]
    for row in range(1, len(ids)):
        if ids[row] != ids[row - 1]:
            keep.append(row)
        elif table.slice(row, 1).to_pylist() != table.slice(row - 1, 1).to_pylist():
            raise TwoRows(ids[row])
    return table if len(keep) == len(ids) else table.take(keep)


def _settle(table: pa.Table, decisions: Mapping[str, Decision], recipe: str) -> pa.Table:
    """The rows with split, recipe name and decisions filled in; all other columns are passed through untouched."""
    found = [
        _decision(decisions, dialogue_id, branch=origin is not None)
        for dialogue_id, origin in zip(table["dialogue_id"].to_pylist(), table["origin"].to_pylist(), strict=True)
    ]
    kept_rewards = table["rewards"].to_pylist() if any(d is None or d.rewards is None for d in found) else None
    columns: dict[str, list[Any]] = {
        "recipe": [recipe] * table.num_rows,
        "split": [split_of(base) for base in table["base_case_id"].to_pylist()],
        "labels": [None if d is None or d.labels is None else to_json(dict(d.labels)) for d in found],
        "realism": [None if d is None else _realism(d.realism) for d in found],
        "selection": [None if d is None else d.selection.model_dump() for d in found],
        "rewards": [
            kept_rewards[row] if kept_rewards is not None and (d is None or d.rewards is None) else _rewards(d)
            for row, d in enumerate(found)
        ],
    }
    for name, values in columns.items():
        index = SCHEMA.get_field_index(name)
        table = table.set_column(index, SCHEMA.field(index), pa.array(values, SCHEMA.field(index).type))
    return table


def _decision(decisions: Mapping[str, Decision], dialogue_id: str, branch: bool) -> Decision | None:
    decision = decisions.get(dialogue_id)
    if decision is None and not branch:
        raise OvertureError(
            f"dialogue {dialogue_id} is in a shard, but nothing was decided about it; please report this"
        )
    return decision


def _realism(realism: Realism | None) -> dict[str, Any] | None:
    return None if realism is None else {**realism.model_dump(), "scores": to_json(realism.scores)}


def _rewards(decision: Decision | None) -> list[dict[str, Any]]:
    given = () if decision is None or decision.rewards is None else decision.rewards
    return [{**r.model_dump(mode="json"), "parts": to_json(r.parts)} for r in given]


def _routed(table: pa.Table, tally: Counter[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], pa.Table]]:
    """((folder, file name), rows), order kept; counts every row."""
    rows_of: dict[tuple[str, str], list[int]] = {}
    columns = (table["origin"].to_pylist(), table["selection"].to_pylist(), table["split"].to_pylist())
    for row, (origin, selection, split) in enumerate(zip(*columns, strict=True)):
        if origin is not None:
            place = counted = ("branches", "part")
        elif selection["keep"]:
            place = counted = ("data", split)
        else:
            place, counted = ("rejected", "part"), ("rejected", selection["reason"])
        tally[counted] += 1
        rows_of.setdefault(place, []).append(row)
    for place, rows in rows_of.items():
        yield place, table.take(rows)
