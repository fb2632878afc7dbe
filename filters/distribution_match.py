"""Real-like groups, exactly as many as wanted: optimal budgeted rejection sampling (Verine et al. 2024; methods §26).

A group's inclusion probability is `pi = min(1, c w)`, with its density ratio real/synthetic `w` and the one `c` for
which the probabilities add up to the target: the choice closest to the real distribution, by any f-divergence, that a
pool of this size allows. Systematic sampling over groups sorted by their labels then draws exactly the target.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.contracts import Selector
from schemas.identity import derive
from schemas.judgement import Judged, Selection


@dataclass(frozen=True, slots=True)
class _Group:
    id: str
    size: int
    cell: str
    logw: float | None


class DistributionMatch(Selector):
    """Keeps exactly `target` dialogues (as whole groups allow) whose partner side is distributed as the reference's."""

    minimum: int = 100
    """Candidates below which nothing is matched: the estimates would be noise."""

    def sketch(self, judged: Judged) -> dict[str, Any]:
        cell = "|".join(f"{head}={label}" for head, label in sorted(judged.labels.items()))
        return {"logw": judged.realism.combined, "cell": cell}

    def select(
        self, sketches: pa.Table, reference: pa.Table | None, target: int, seed: int
    ) -> Iterator[tuple[str, Selection]]:
        if sketches.num_rows == 0:
            return
        groups = _groups(sketches)
        if reference is None or all(group.logw is None for group in groups):
            chosen, pi, reason, lost = _first(groups, target, seed), None, "no_reference", "over_target"
        elif sketches.num_rows < self.minimum:
            chosen, pi, reason, lost = _first(groups, target, seed), None, "too_few_to_match", "over_target"
        else:
            chosen, pi = _matched(groups, target, seed)
            reason, lost = "ok", "over_represented"
        logw = {group.id: group.logw for group in groups}
        for name, group in zip(sketches["dialogue_id"].to_pylist(), sketches["group_id"].to_pylist(), strict=True):
            keep = group in chosen
            yield (
                name,
                Selection(
                    logw=logw[group],
                    pi=None if pi is None else pi[group],
                    keep=keep,
                    reason=reason if keep else lost,
                ),
            )


def inclusion(logw: Sequence[float], sizes: Sequence[int], target: int) -> np.ndarray:
    """`min(1, c w)` for every group, with `sum(size * pi) = target`; all 1 when the target takes everything.

    Exact, without iteration: the groups with the largest `w` are certain; `c` follows from how many they are.
    """
    w, size = np.asarray(logw, dtype=float), np.asarray(sizes, dtype=float)
    if target >= size.sum():
        return np.ones(len(w))
    if target <= 0:
        return np.zeros(len(w))
    order = np.argsort(-w, kind="stable")
    w_down, size_down = w[order], size[order]
    certain = np.concatenate([[0.0], np.cumsum(size_down)[:-1]])
    rest = np.logaddexp.accumulate((w_down + np.log(size_down))[::-1])[::-1]
    left = target - certain
    log_c = np.log(np.where(left > 0, left, np.nan)) - rest
    fits = np.flatnonzero(log_c + w_down <= 1e-12)
    first = int(fits[0]) if len(fits) else int(np.sum(left > 0)) - 1  # none fits only if sizes differ
    pi = np.ones(len(w))
    pi[order[first:]] = np.exp(np.minimum(0.0, log_c[first] + w_down[first:]))
    return pi


def _groups(sketches: pa.Table) -> list[_Group]:
    """Sorted by id, so that the order of the rows does not count. A group's log ratio is the mean of its members'."""
    members: dict[str, list[tuple[str, str, float | None]]] = {}
    columns = (sketches[name].to_pylist() for name in ("dialogue_id", "group_id", "cell", "logw"))
    for name, group, cell, logw in zip(*columns, strict=True):
        members.setdefault(group, []).append((name, cell, logw))
    groups: list[_Group] = []
    for group in sorted(members):
        rows = sorted(members[group], key=lambda row: row[0])
        known = [logw for _, _, logw in rows if logw is not None]
        groups.append(_Group(group, len(rows), rows[0][1], sum(known) / len(known) if known else None))
    return groups


def _first(groups: list[_Group], target: int, seed: int) -> set[str]:
    return _fill([], sorted(groups, key=lambda g: derive(seed, "first", g.id)), target)


def _matched(groups: list[_Group], target: int, seed: int) -> tuple[set[str], dict[str, float]]:
    known = [group.logw for group in groups if group.logw is not None]
    neutral = float(np.median(known))  # a group nobody could score is neither real-like nor not
    logw = [neutral if group.logw is None else group.logw for group in groups]
    pi = inclusion(logw, [group.size for group in groups], target)
    order = sorted(range(len(groups)), key=lambda i: (groups[i].cell, logw[i], groups[i].id))
    start = derive(seed, "systematic") / 2**63
    drawn = [order[i] for i in systematic(pi[order], start)]
    rest = sorted(set(range(len(groups))) - set(drawn), key=lambda i: (-pi[i], groups[i].id))
    chosen = _fill([groups[i] for i in drawn], [groups[i] for i in rest], target)
    return chosen, {group.id: float(p) for group, p in zip(groups, pi, strict=True)}


def systematic(pi: np.ndarray, start: float) -> list[int]:
    """Positions drawn with probabilities `pi`, `round(sum(pi))` of them exactly; `start` in [0, 1)."""
    count = round(float(pi.sum()))
    cumulative = np.cumsum(pi)
    positions = np.searchsorted(cumulative, start + np.arange(count), side="right")
    for i in range(1, count):  # rounding of the sums must neither draw a position twice nor run over the end
        positions[i] = max(positions[i], positions[i - 1] + 1)
    return np.minimum(positions, len(pi) - count + np.arange(count)).tolist()


def _fill(drawn: list[_Group], rest: list[_Group], target: int) -> set[str]:
    """Those drawn, then the rest in order, as long as they fit: with groups of one size that is exactly those drawn."""
    chosen: set[str] = set()
    total = 0
    for group in (*drawn, *rest):
        if total + group.size <= target:
            chosen.add(group.id)
            total += group.size
    return chosen
