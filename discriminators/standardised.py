"""Shares of labels on several sides, all as if their learners had acted like those of the published dialogues."""

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from discriminators.heads import context
from discriminators.two_sample.points import Points
from discriminators.user_turns import Sample
from schemas.judgement import Interval, Z


class Marked(NamedTuple):
    """One label of one turn."""

    group: str
    """The independent unit."""
    given: str
    """What it is compared given: `heads.context` of a head, or an act of the learner."""
    label: str


class LabelShare(NamedTuple):
    """Of the turns whose `given` all sides have, weighted as the published dialogues have it. `n`: groups."""

    label: str
    real: Interval
    before: Interval | None
    after: Interval
    floor: tuple[float, float]
    """Where the share of one more real sample with as many groups as the published ones would lie, 95 times of 100 (of
    rare labels more often)."""


class _Side(NamedTuple):
    shares: np.ndarray
    """[labels]"""
    variance: np.ndarray
    """[labels]: of a share, by groups."""
    groups: int


def marked(samples: Iterable[Sample], head: str) -> list[Marked]:
    """The turns that have a label of the head."""
    return [Marked(s.group, context(t, head), t.labels[head]) for s in samples for t in s.turns if head in t.labels]


def label_shares(real: Sequence[Marked], before: Sequence[Marked], after: Sequence[Marked]) -> list[LabelShare]:
    """By label, in the order of the alphabet. Empty where two groups of either side have no `given` in common.

    A share is the mean over `given` of the share within. The intervals are Wilson's for as many independent turns as
    those of the groups are worth (Kish's effective size); the mix of `given` is taken as it is.
    """
    sides = [real, after, *([before] if before else [])]
    places = sorted(set.intersection(*({m.given for m in side} for side in sides)))
    labels = sorted({m.label for side in sides for m in side if m.given in places})
    counts = [_counts(side, places, labels) for side in sides]
    if not places or min(len(side) for side in counts) < 2:
        return []
    mix = counts[1].sum(axis=(0, 2))
    found = [_side(side, mix / mix.sum()) for side in counts]
    one = found[0]
    floors = _floors(one, one.groups / found[1].groups)
    columns = [_intervals(side, side.groups) for side in found]
    return [
        LabelShare(
            label,
            columns[0][n],
            columns[2][n] if before else None,
            columns[1][n],
            floors[n],
        )
        for n, label in enumerate(labels)
    ]


def head_points(real: Iterable[Sample], synthetic: Iterable[Sample], head: str) -> tuple[Points, Points]:
    """As `two_sample.heads` wants them: features are label numbers."""
    return label_points(marked(real, head), marked(synthetic, head))


def label_points(real: Sequence[Marked], synthetic: Sequence[Marked]) -> tuple[Points, Points]:
    labels = {label: n for n, label in enumerate(sorted({m.label for side in (real, synthetic) for m in side}))}
    places = {given: n for n, given in enumerate(sorted({m.given for side in (real, synthetic) for m in side}))}
    return _points(real, labels, places), _points(synthetic, labels, places)


def _points(side: Sequence[Marked], labels: dict[str, int], places: dict[str, int]) -> Points:
    groups = {group: n for n, group in enumerate(dict.fromkeys(m.group for m in side))}
    rows = [(labels[m.label], groups[m.group], places[m.given]) for m in side]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Points(columns[:, 0], columns[:, 1], columns[:, 2])


def _counts(side: Sequence[Marked], places: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """float [groups, places, labels]"""
    place, label = ({name: n for n, name in enumerate(names)} for names in (places, labels))
    here = [m for m in side if m.given in place]
    group = {name: n for n, name in enumerate(dict.fromkeys(m.group for m in here))}
    shape = len(group), len(places), len(labels)
    cells = [(group[m.group] * shape[1] + place[m.given]) * shape[2] + label[m.label] for m in here]
    return np.bincount(np.array(cells, np.int64), minlength=int(np.prod(shape))).reshape(shape).astype(float)


def _side(counts: np.ndarray, mix: np.ndarray) -> _Side:
    """`mix`: [places], adding up to 1. The variance is that of the linearised shares between groups."""
    turns = counts.sum(axis=0)
    weights = mix / turns.sum(axis=1)
    within = turns / turns.sum(axis=1, keepdims=True)
    parts = np.einsum("gpl,p->gl", counts, weights) - np.einsum("gp,pl->gl", counts.sum(axis=2) * weights, within)
    groups = len(counts)
    return _Side(mix @ within, np.square(parts).sum(axis=0) * groups / (groups - 1), groups)


def _intervals(side: _Side, least: float) -> list[Interval]:
    """`least`: what a share without variance (0 or 1) is worth."""
    found: list[Interval] = []
    for share, variance in zip(side.shares.tolist(), side.variance.tolist(), strict=True):
        share = min(1.0, max(0.0, share))
        worth = share * (1 - share) / variance if variance > 0 else least
        found.append(Interval.of_share(share, max(1, round(worth)))._replace(n=side.groups))
    return found


def _floors(real: _Side, groups: float) -> list[tuple[float, float]]:
    """`groups`: those of the real side over those of the other sample. Another sample may have none of
    a rare label, which Wilson's interval does not reach, or more than a normal distribution reaches.
    """
    further = real._replace(variance=real.variance * (1 + groups))
    found: list[tuple[float, float]] = []
    for one, variance in zip(_intervals(further, real.groups / (1 + groups)), further.variance.tolist(), strict=True):
        half = Z * sqrt(variance)
        found.append((max(0.0, min(one.low, one.value - half)), min(1.0, max(one.high, one.value + half))))
    return found
