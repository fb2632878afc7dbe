"""`overture diff`: what differs between two runs: recipe, versions, counts, figures, dialogues."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import yaml
from rich.console import Console

from outputs.manifest import Manifest
from outputs.store import read_dialogue_tables
from pipelines.derived import FOLDERS, Given, given
from schemas.errors import DataError
from schemas.record import to_json
from schemas.scenario import Value
from schemas.table import SCHEMA

OUT = Console(highlight=False, markup=False, soft_wrap=True)
_WIDTH = 4
"""Bytes of a cell's digest: two different cells agree once in four thousand million."""
_TOLD = 20
"""Lines of a kind on a terminal."""


class Change(Value):
    """A value that both could have; None: it is not there."""

    key: str
    first: Any
    second: Any


class FigureChange(Value):
    """One figure of both runs, each with its 95% interval and its units."""

    name: str
    first: tuple[float, float | None, float | None, int] | None
    second: tuple[float, float | None, float | None, int] | None
    """value, low, high, n; None: this run does not have it."""
    overlap: bool | None
    """Whether the intervals do; None where one is missing."""


class Rows(Value):
    """Of one folder."""

    folder: str
    first_only: int
    second_only: int
    same: int
    other: int
    """In both, with different rows."""
    columns: dict[str, int]
    """Column -> rows that differ in it."""
    examples: dict[str, tuple[str, ...]]
    """`first_only`, `second_only`, `other` -> some ids, the first in order."""


class Difference(Value):
    first: str
    second: str
    recipe: tuple[Change, ...]
    """By dotted key of `config.resolved.yaml`."""
    versions: tuple[Change, ...]
    fingerprints: tuple[Change, ...]
    counts: tuple[Change, ...]
    """Target, rows by split, and the funnel with its reasons."""
    figures: tuple[FigureChange, ...]
    rows: tuple[Rows, ...]

    @property
    def nothing(self) -> bool:
        moved = any(r.first_only or r.second_only or r.other for r in self.rows)
        return not (self.recipe or self.versions or self.fingerprints or self.counts or moved)


def diff(first: Path, second: Path, as_json: bool) -> int:
    a, b = given([first, second])
    found = difference(a, b)
    if as_json:
        OUT.print(found.model_dump_json(indent=2), soft_wrap=True)
    else:
        OUT.print("\n".join(_told(found)))
    return 0


def difference(a: Given, b: Given) -> Difference:
    one, two = a.manifest, b.manifest
    return Difference(
        first=a.name,
        second=b.name,
        recipe=tuple(_unequal(_config(a), _config(b))),
        versions=tuple(_changes(one.versions, two.versions)),
        fingerprints=tuple(_changes(one.fingerprints, two.fingerprints)),
        counts=tuple(_changes(_counts(one), _counts(two))),
        figures=tuple(_figures(one, two)),
        rows=tuple(r for r in (_rows(a, b, folder) for folder in FOLDERS) if r is not None),
    )


def _config(run: Given) -> Any:
    path = run.run.config
    try:
        return yaml.safe_load(path.read_text()) if path.is_file() else {}
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not YAML ({str(error).splitlines()[0]}); copy it again") from None


def _unequal(first: Any, second: Any, at: str = "") -> Iterator[Change]:
    """Where two configurations part: by dotted key, stages by their class and not by their place in a list."""
    first, second = _named(first), _named(second)
    if isinstance(first, dict) and isinstance(second, dict):
        for key in dict.fromkeys([*first, *second]):
            yield from _unequal(first.get(key), second.get(key), f"{at}.{key}" if at else str(key))
    elif first != second:
        yield Change(key=at, first=first, second=second)


def _named(value: Any) -> Any:
    """A list of stages as a mapping; a class that comes again with its number."""
    if not isinstance(value, list) or not value or not all(isinstance(v, dict) and "use" in v for v in value):
        return value
    found: dict[str, Any] = {}
    for stage in value:
        name = str(stage["use"]).rpartition(".")[2]
        again = sum(key.partition(" ")[0] == name for key in found)
        found[f"{name} {again + 1}" if again else name] = stage
    return found


def _changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Change]:
    for key in dict.fromkeys([*first, *second]):
        if first.get(key) != second.get(key):
            yield Change(key=key, first=first.get(key), second=second.get(key))


def _counts(manifest: Manifest) -> dict[str, Any]:
    counts: dict[str, Any] = {"status": manifest.status, "target": manifest.target}
    counts |= {f"published.{split}": n for split, n in manifest.published.items()}
    for step in manifest.totals:
        counts[f"funnel.{step.name}"] = step.count
        counts |= {f"funnel.{step.name}.{reason}": n for reason, n in step.reasons.items()}
    return counts


Figure = tuple[float, float | None, float | None, int]


def _measured(manifest: Manifest) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for m in manifest.realism:
        if m.value is not None:
            found[f"{m.family}: {m.name}"] = (m.value, m.low, m.high, m.n)
    for h in manifest.heads:
        if h.synthetic_after is not None:
            found[f"{h.family}: {h.head} = {h.label}"] = (h.synthetic_after, h.after_low, h.after_high, h.n_after)
    for r in manifest.rewards:
        if r.mean is not None:
            found[f"{r.family}: reward {r.name}, {r.policy}"] = (r.mean, r.low, r.high, r.n)
    for p in manifest.policies:
        if p.difference is not None:
            found[f"{p.family}: {p.measure}, {p.second} less {p.first}"] = (p.difference, p.low, p.high, p.n)
    return found


def _figures(first: Manifest, second: Manifest) -> Iterator[FigureChange]:
    one, two = _measured(first), _measured(second)
    for name in dict.fromkeys([*one, *two]):
        a, b = one.get(name), two.get(name)
        yield FigureChange(name=name, first=a, second=b, overlap=_overlap(a, b))


def _overlap(a: Figure | None, b: Figure | None) -> bool | None:
    if a is None or b is None or None in (a[1], a[2], b[1], b[2]):
        return None
    low, high = max(a[1] or 0.0, b[1] or 0.0), min(a[2] or 0.0, b[2] or 0.0)
    return low <= high


def _rows(a: Given, b: Given, folder: str) -> Rows | None:
    first = {name: digest for file in a.files(folder) for name, digest in _digests(file)}
    columns: Counter[str] = Counter()
    lists: dict[str, list[str]] = {"first_only": [], "second_only": [], "other": []}
    same = 0
    for file in b.files(folder):
        for name, digest in _digests(file):
            mine = first.pop(name, None)
            if mine == digest:
                same += 1
            elif mine is None:
                lists["second_only"].append(name)
            else:
                lists["other"].append(name)
                columns.update(_unlike(mine, digest))
    lists["first_only"] = list(first)
    if not same and not any(lists.values()):
        return None
    return Rows(
        folder=folder,
        same=same,
        first_only=len(lists["first_only"]),
        second_only=len(lists["second_only"]),
        other=len(lists["other"]),
        columns={name: columns[name] for name in SCHEMA.names if columns[name]},
        examples={name: tuple(sorted(ids)[:_TOLD]) for name, ids in lists.items()},
    )


def _digests(file: Path) -> Iterator[tuple[str, bytes]]:
    """(id, digest of each cell, one behind the other)"""
    for table in read_dialogue_tables(file):
        columns = [_digest_column(table.column(name)) for name in SCHEMA.names]
        for name, cells in zip(table["dialogue_id"].to_pylist(), zip(*columns, strict=True), strict=True):
            yield name, b"".join(cells)


def _digest_column(column: pa.ChunkedArray) -> list[bytes]:
    return [hashlib.blake2b(to_json(value).encode(), digest_size=_WIDTH).digest() for value in column.to_pylist()]


def _unlike(first: bytes, second: bytes) -> Iterator[str]:
    for number, name in enumerate(SCHEMA.names):
        at = slice(number * _WIDTH, (number + 1) * _WIDTH)
        if first[at] != second[at]:
            yield name


def _told(found: Difference) -> Iterator[str]:
    yield f"A: {found.first}   B: {found.second}"
    if found.nothing:
        yield "Nothing differs."
    for title, changes in (
        ("Recipe", found.recipe),
        ("Versions", found.versions),
        ("Fingerprints", found.fingerprints),
        ("Counts", found.counts),
    ):
        if changes:
            yield f"\n{title}"
            yield from (f"  {c.key}: {_value(c.first)} -> {_value(c.second)}" for c in changes[:_TOLD])
            yield from _more(len(changes))
    yield from _told_figures(found)
    for rows in found.rows:
        both = f"{rows.same} the same in both, {rows.other} with other rows"
        yield f"\nDialogues in {rows.folder}/: {both}, {rows.first_only} in A alone, {rows.second_only} in B alone"
        if rows.columns:
            yield "  they differ in " + ", ".join(f"{name} ({n})" for name, n in rows.columns.items())
        for kind, ids in rows.examples.items():
            if ids:
                yield f"  {_KINDS[kind]}: {', '.join(islice(ids, 3))}{' ...' if len(ids) > 3 else ''}"


_KINDS = {"first_only": "in A alone", "second_only": "in B alone", "other": "other rows"}


def _told_figures(found: Difference) -> Iterator[str]:
    apart = [f for f in found.figures if f.overlap is False]
    missing = [f for f in found.figures if f.first is None or f.second is None]
    overlapping = sum(f.overlap is True for f in found.figures)
    if not found.figures:
        return
    yield f"\nFigures (95% intervals): {len(apart)} apart, {overlapping} overlap, {len(missing)} of one run alone"
    for f in apart[:_TOLD]:
        yield f"  {f.name}: {_figure(f.first)} -> {_figure(f.second)}"
    yield from _more(len(apart))
    if len(apart) + overlapping >= 20:
        yield f"  of {len(apart) + overlapping} pairs, some are apart by chance alone"


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return "none"
    value, low, high, n = figure
    between = "" if low is None or high is None else f" ({low:.3g} to {high:.3g}, n {n})"
    return f"{value:.3g}{between}"


def _value(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _more(count: int) -> Iterator[str]:
    if count > _TOLD:
        yield f"  and {count - _TOLD} more; --json has all"
