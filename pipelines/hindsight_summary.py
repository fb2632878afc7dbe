"""What `overture hindsight` prints: how often experts stop, what is missing and why, and what questions earn."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.calibration import bootstrapped
from schemas.identity import derive
from schemas.judgement import Interval, shown

SOURCES = ("expert", "model", "other")


class Kept(NamedTuple):
    """Of a row, without its words."""

    group_id: str
    source: str
    decision: str | None
    info: bool
    reason: str | None
    graded: Mapping[str, tuple[float | None, float | None, str | None]]
    """Candidate -> R_a, product, reason."""


def kept_of(row: Mapping[str, Any]) -> Kept:
    graded = {c["source"]: (c["R_a"], c["reward_product"], c["reason"]) for c in row["candidates"]}
    info = row["info_truth"] is not None
    return Kept(row["group_id"], row["source"], row["decision_truth"], info, row["reason"], graded)


def print_summary(kept: Sequence[Kept], lost: Mapping[str, int], console: Console) -> None:
    """Means are over what is there; every interval is by group of dialogues."""
    table = _table("source", "groups", "contexts", "no decision", "no info", "ends here (stop)")
    for source in sorted({k.source for k in kept}):
        some = [k for k in kept if k.source == source]
        known = [k for k in some if k.decision is not None]
        stops = mean_of([(k.group_id, float(k.decision == "stop")) for k in known])
        missing = (sum(k.decision is None for k in some), sum(not k.info for k in some))
        table.add_row(source, str(len({k.group_id for k in some})), str(len(some)), *map(str, missing), shown(stops, 3))
    console.print(table, highlight=False)
    console.print()
    table = _table("question of", "contexts", "R_a, where one goes on", "product, of all", "missing", "why")
    for name in SOURCES:
        some = [(k, k.graded[name]) for k in kept if name in k.graded]
        if not some:
            continue
        micro = mean_of([(k.group_id, g[0]) for k, g in some if k.decision != "stop" and g[0] is not None])
        product = mean_of([(k.group_id, g[1]) for k, g in some if g[1] is not None])
        why = Counter(str(g[2]) for _, g in some if g[0] is None)
        share = f"{why.total() / len(some):.1%}"
        table.add_row(name, str(len(some)), shown(micro, 3), shown(product, 3), share, _told(why))
    console.print(table, highlight=False)
    reasons = Counter(k.reason for k in kept if k.reason)
    for what, counts in (("contexts without a truth", reasons), ("dialogues or answers lost", lost)):
        if counts:
            console.print(f"{what}: {_told(counts)}", markup=False, highlight=False, soft_wrap=True)


def mean_of(values: Sequence[tuple[str, float]], seed: int = 0) -> Interval | None:
    """Of (group, value)."""
    x = np.array([v for _, v in values], float)
    figure: Callable[[np.ndarray], float | None] = lambda rows: float(x[rows].mean()) if len(rows) else None  # noqa: E731
    return bootstrapped(figure, [g for g, _ in values], derive(seed, "hindsight"))


def _told(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items())) or "-"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
