"""`overture contamination`: which dialogues repeat items of evaluation sets, and a run without them.

Looked at is every text of every published row, private ones too, and of the branches beside it. A group goes as a
whole, to `rejected/` with the reason `evaluation_overlap`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
from rich.console import Console

from outputs.files import atomic_file
from outputs.manifest import Manifest
from outputs.publish import Published
from pipelines.derived import Given, claim, given, rewrite
from pipelines.evaluation_sets import read_set
from pipelines.overlap import Index
from pipelines.progress import Progress
from pipelines.row_texts import rows, texts
from schemas.errors import DataError, InputError
from schemas.judgement import Interval
from schemas.table import SCHEMA

OUT = Console(highlight=False, markup=False, soft_wrap=True)
REASON = "evaluation_overlap"
_TOLD = 3
"""Overlaps printed of each set."""
_SELECTION = SCHEMA.get_field_index("selection")


@dataclass(frozen=True, slots=True)
class Order:
    path: Path
    against: tuple[str, ...]
    remove: bool = False
    out: Path | None = None
    found: Path | None = None


class Overlap(NamedTuple):
    dialogue_id: str
    group_id: str
    where: str
    """As `turns[2].text`."""
    set: str
    item: str
    shared: str


@dataclass(slots=True)
class Checked:
    """An evaluation set, and what was found of it."""

    name: str
    ids: list[str]
    index: Index
    dialogues: int = 0
    branches: int = 0
    cases: set[str] = field(default_factory=set[str])
    first: list[Overlap] = field(default_factory=list[Overlap])


@dataclass(slots=True)
class Seen:
    """All that was looked at."""

    dialogues: int = 0
    branches: int = 0
    cases: set[str] = field(default_factory=set[str])
    groups: set[str] = field(default_factory=set[str])
    """Those that overlap."""


def contamination(order: Order) -> int:
    if order.remove != (order.out is not None):
        raise InputError("contamination: --remove and --out DIR go together; one of them is missing")
    runs = given([order.path]) if order.remove else []
    sets = [_checked(spec) for spec in order.against]
    seen = Seen()
    with ExitStack() as stack:
        if runs and order.out:
            claim(order.out, _command(order), runs)
        file = stack.enter_context(atomic_file(order.found)) if order.found else None
        progress = stack.enter_context(Progress("looking"))
        for overlap in _overlaps(order.path, sets, seen, progress):
            if file:
                file.write(orjson.dumps(overlap._asdict(), option=orjson.OPT_APPEND_NEWLINE))
    if not seen.dialogues:
        raise DataError(f"{order.path}: holds no dialogue; give a file that has some")
    for checked in sets:
        OUT.print("\n".join(_told(checked, seen)))
    if runs and order.out:
        done = rewrite(
            runs[0], order.out, lambda t: _without(t, seen.groups), lambda p: _manifest(order, runs[0], p, sets, seen)
        )
        OUT.print(f"{done.accepted} dialogues are left of {runs[0].manifest.accepted}. Wrote {order.out}")
    return 0


def _command(order: Order) -> str:
    sets = " ".join(f"--against {spec}" for spec in order.against)
    return f"overture contamination {order.path} {sets} --remove --out {order.out}"


def _checked(spec: str) -> Checked:
    ids: list[str] = []

    def numbered() -> Iterator[tuple[int, str]]:
        for item in read_set(spec):
            ids.append(item.id)
            for text in item.texts:
                yield len(ids) - 1, text

    index = Index(numbered())
    if not ids:
        raise DataError(f"--against '{spec}': holds no item; give a set that has some")
    where = spec.partition("#")[0]
    return Checked(where if where.startswith("hf:") else Path(where).name, ids, index)


def _overlaps(path: Path, sets: Sequence[Checked], seen: Seen, progress: Progress) -> Iterator[Overlap]:
    for row in progress.counting(rows(path), "dialogues looked at"):
        seen.dialogues += 1
        seen.cases.add(row["base_case_id"])
        for checked in sets:
            found = list(_of_row(row, checked))
            if found:
                checked.dialogues += 1
                checked.cases.add(row["base_case_id"])
                checked.first += found[: max(0, _TOLD - len(checked.first))]
                seen.groups.add(row["group_id"])
            yield from found
    branches = path / "branches"
    for row in progress.counting(rows(branches), "branches looked at") if any(branches.glob("*.parquet")) else ():
        seen.branches += 1
        for checked in sets:
            found = list(_of_row(row, checked))
            if found:
                checked.branches += 1
                seen.groups.add(row["group_id"])
            yield from found


def _of_row(row: Mapping[str, Any], checked: Checked) -> Iterator[Overlap]:
    """Each item once a text; `messages` repeat what turns say."""
    said = {text: where for where, text in texts(row) if not where.startswith("messages[")}
    for text, where in said.items():
        for item, shared in checked.index.hits(text):
            yield Overlap(row["dialogue_id"], row["group_id"], where, checked.name, checked.ids[item], shared)


def _told(checked: Checked, seen: Seen) -> Iterable[str]:
    share = Interval.of_share(len(checked.cases) / len(seen.cases), len(seen.cases))
    short = f", {checked.index.too_short} texts too short to look for" if checked.index.too_short else ""
    short += f", {checked.index.common} set phrases" if checked.index.common else ""
    size = checked.index.nbytes / len(checked.ids)
    yield (
        f"{checked.name} ({len(checked.ids)} items{short}; {size:.0f} bytes an item): {checked.dialogues} of "
        f"{seen.dialogues} dialogues overlap, of {len(checked.cases)} of {len(seen.cases)} base cases "
        f"({share.value:.1%}, 95% interval {share.low:.1%} to {share.high:.1%})"
        + (f"; and {checked.branches} of {seen.branches} branches" if seen.branches else "")
    )
    for overlap in checked.first:
        yield f"  {overlap.dialogue_id} {overlap.where} has of {overlap.item}: {overlap.shared}"


def _without(table: pa.Table, groups: set[str]) -> pa.Table:
    """Dialogues of these groups are rejected, their branches left out."""
    of_group = [name in groups for name in table["group_id"].to_pylist()]
    branch = [origin is not None for origin in table["origin"].to_pylist()]
    dropped = {"keep": False, "reason": REASON}
    selections = [
        {**selection, **dropped} if hit and selection is not None and selection["keep"] else selection
        for hit, selection in zip(of_group, table["selection"].to_pylist(), strict=True)
    ]
    column = pa.array(selections, SCHEMA.field(_SELECTION).type)
    table = table.set_column(_SELECTION, SCHEMA.field(_SELECTION), column)
    return table.filter(pa.array([not (hit and other) for hit, other in zip(of_group, branch, strict=True)]))


def _manifest(order: Order, run: Given, published: Published, sets: Sequence[Checked], seen: Seen) -> Manifest:
    was, names = run.manifest, ", ".join(f"{s.name} ({len(s.ids)} items)" for s in sets)
    gone = was.accepted - published.accepted
    told = f"Checked against {names}: {gone} dialogues of {len(seen.groups)} groups repeated items of theirs"
    more = ["and were rejected; figures beside real dialogues are those from before"] if gone else []
    reason = "; ".join(filter(None, [was.status_reason, f"{gone} overlapped with evaluation sets"]))
    short = {"status": "short", "status_reason": reason} if gone else {}
    return was.model_copy(
        update={"command": _command(order), "limits": (*was.limits, f"{', '.join([told, *more])}."), **short}
    )
