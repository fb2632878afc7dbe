"""Labels of user turns given the act: how far the shares of two sides lie apart, by how much more than chance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from discriminators.two_sample.points import (
    Act,
    Both,
    Compared,
    Points,
    contributions,
    randomised_p,
    real_halves,
    side_by_side,
    signs,
)
from schemas.judgement import Interval

DRAWS = 1000
SPLITS = 500
UNLABELLED = -1
"""Of a turn that the head has no label for: it is left out."""


class _Counts(NamedTuple):
    share: float
    labels: np.ndarray
    """float [groups, labels]"""

    @property
    def turns(self) -> np.ndarray:
        return self.labels.sum(axis=1)


def head_distance(real: Points, synthetic: Points, seed: int, draws: int = DRAWS) -> Compared:
    """Total variation between the shares of labels. `features`: int [turns], a label each, or UNLABELLED.

    The value is at least 0, so chance alone makes it positive: compare it with its floor. Its interval takes that off:
    below, what the flips of signs reach 97.5 times of 100 (the triangle inequality), above, by the basic bootstrap over
    groups. p by the same flips, as in `discriminators.two_sample.kernel`.
    """
    both = side_by_side(_labelled(real), _labelled(synthetic))
    sizes = both.real, both.synthetic
    if both.reason is not None:
        return Compared(None, None, None, *sizes, both.left_out, both.reason)
    generator = np.random.default_rng(seed)
    most = 1 + max(int(act.features.max()) for act in both.acts)
    acts = [_counted(act, sum(sizes), most) for act in both.acts]
    value = float(_tv(acts, both.is_real[None].astype(float))[0])
    flipped = _flipped(acts, both, draws, generator)
    low = max(0.0, value - float(np.percentile(flipped, 97.5)))
    return Compared(
        Interval(value, low, _high(acts, both, value, draws, generator), min(sizes)),
        _floor(acts, both, generator),
        randomised_p(value, flipped, generator),
        *sizes,
        both.left_out,
    )


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for how many there are, in their order (Holm 1979)."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected = [1.0] * len(p)
    largest = 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[i]))
        corrected[i] = largest
    return corrected


def _labelled(points: Points) -> Points:
    return points.of(np.flatnonzero(points.features != UNLABELLED))


def _counted(act: Act, groups: int, labels: int) -> _Counts:
    cells = np.bincount(act.owners * labels + act.features, minlength=groups * labels)
    return _Counts(act.share, cells.reshape(groups, labels).astype(float))


def _tv(acts: Sequence[_Counts], first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
    """[draws]: of the groups weighted `first` against those weighted `second`, by default the rest. Each [draws,
    groups]; an act that a side has no turn after takes no part.
    """
    second = 1.0 - first if second is None else second
    total, weight = np.zeros((2, len(first)))
    for act in acts:
        sides = [rows @ act.labels for rows in (first, second)]
        turns = [side.sum(axis=1, keepdims=True) for side in sides]
        known = ((turns[0] > 0) & (turns[1] > 0))[:, 0]
        one, other = (side / np.maximum(n, 1) for side, n in zip(sides, turns, strict=True))
        total += np.where(known, act.share * np.abs(one - other).sum(axis=1) / 2, 0.0)
        weight += act.share * known
    return total / np.maximum(weight, 1e-12)


def _high(acts: Sequence[_Counts], both: Both, value: float, draws: int, generator: np.random.Generator) -> float:
    weights = np.zeros((2, draws, both.real + both.synthetic))
    for rows, start, n in ((weights[0], 0, both.real), (weights[1], both.real, both.synthetic)):
        rows[:, start : start + n] = generator.multinomial(n, [1 / n] * n, size=draws)
    low = float(np.percentile(_tv(acts, weights[0], weights[1]), 2.5))
    return min(1.0, max(value, 2 * value - low))


def _flipped(acts: Sequence[_Counts], both: Both, draws: int, generator: np.random.Generator) -> np.ndarray:
    flips = signs(both.real + both.synthetic, draws, generator)
    total = np.zeros(draws)
    for act in acts:
        parts = contributions(act.labels, act.turns, both.is_real)
        total += act.share * np.abs(flips @ parts).sum(axis=1) / 2
    return total


def _floor(acts: Sequence[_Counts], both: Both, generator: np.random.Generator) -> float | None:
    halves = real_halves(both.real, both.synthetic, SPLITS, generator)
    if halves is None:
        return None
    real = [_Counts(act.share, act.labels[: both.real]) for act in acts]
    return float(np.percentile(_tv(real, halves.astype(float)), 95))
