"""What every test compares: user turns as numbers, those of the two sides side by side given the assistant's act.

A synthetic assistant acts otherwise than real ones do, on purpose, and users answer what it did. So a statistic is the
mean over acts of one statistic within each act, weighted by the synthetic mix of acts: real turns count as if the real
assistants had acted like the synthetic one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from schemas.judgement import Interval

FEW = 10
"""Groups of a side that must have turns after an act; an act with fewer is left out, and its turns are counted."""
NO_TURNS = "no_turns"
TOO_FEW = "too_few_groups"
NO_COMMON_ACT = "no_common_act"


class Points(NamedTuple):
    """User turns of one side, in any order."""

    features: np.ndarray
    """float32 [turns, dims]"""
    groups: np.ndarray
    """int [turns]: the independent unit."""
    given: np.ndarray
    """int [turns]: the act of the assistant's turn that is answered; all 0 compares unconditionally."""

    def of(self, rows: np.ndarray) -> "Points":
        return Points(self.features[rows], self.groups[rows], self.given[rows])


class Act(NamedTuple):
    """What both sides said after one act."""

    share: float
    """Of the synthetic turns that are compared: what the act weighs."""
    features: np.ndarray
    """[turns, dims]: real ones first."""
    owners: np.ndarray
    """int [turns]: which of `Both.sides` said it."""


@dataclass(frozen=True, slots=True)
class Both:
    """Two sides, act by act."""

    acts: Sequence[Act]
    real: int
    """Groups; they are numbered from 0, the synthetic ones from here."""
    synthetic: int
    left_out: int
    """Synthetic turns after acts that a side has too few groups of."""
    reason: str | None = None
    """Why nothing can be compared."""

    @property
    def is_real(self) -> np.ndarray:
        """bool [groups]"""
        return np.arange(self.real + self.synthetic) < self.real


@dataclass(frozen=True, slots=True)
class Compared:
    """A statistic of two sides: 0 in expectation where users do the same given the act, unless it says otherwise."""

    value: Interval | None
    """`n`: groups of the smaller side."""
    floor: float | None
    """95th percentile between two disjoint real samples, the smaller with as many groups as the synthetic side."""
    p: float | None
    real: int
    """Groups; so `synthetic`."""
    synthetic: int
    left_out: int = 0
    """Synthetic turns that had nothing to be compared with."""
    reason: str | None = None


def side_by_side(real: Points, synthetic: Points, few: int = FEW) -> Both:
    """The acts that `few` groups of either side have turns after."""
    _check(real, "real")
    _check(synthetic, "synthetic")
    names_real, owners_real = np.unique(real.groups, return_inverse=True)
    names_synthetic, owners_synthetic = np.unique(synthetic.groups, return_inverse=True)
    groups = len(names_real), len(names_synthetic)
    reason = NO_TURNS if min(groups) == 0 else TOO_FEW if min(groups) < few else None
    kept = [
        act
        for act in np.intersect1d(real.given, synthetic.given)
        if len(np.unique(owners_real[real.given == act])) >= few
        and len(np.unique(owners_synthetic[synthetic.given == act])) >= few
    ]
    counts = [int(np.sum(synthetic.given == act)) for act in kept]
    acts: list[Act] = []
    for act, count in zip(kept, counts, strict=True):
        mine, theirs = real.given == act, synthetic.given == act
        owners = np.concatenate([owners_real[mine], groups[0] + owners_synthetic[theirs]])
        acts.append(Act(count / sum(counts), np.concatenate([real.features[mine], synthetic.features[theirs]]), owners))
    if reason is None and not acts:
        reason = NO_COMMON_ACT
    return Both(acts, *groups, len(synthetic.given) - sum(counts), reason)


def _check(points: Points, side: str) -> None:
    if not len(points.features) == len(points.groups) == len(points.given):
        raise ValueError(f"{side}: features, groups and given must have one entry a turn")
    if not np.isfinite(points.features).all():
        raise ValueError(f"{side}: features hold a value that is not finite")


def randomised_p(observed: float, drawn: np.ndarray, generator: np.random.Generator) -> float:
    """Share of the draws that are as large, the observed one among them; its place among equals is drawn, so that p is
    uniform also where the statistic takes few values.
    """
    equal = np.isclose(drawn, observed, rtol=1e-6, atol=1e-12)
    larger = int(np.sum((drawn > observed) & ~equal))
    return float((larger + generator.random() * (1 + int(equal.sum()))) / (len(drawn) + 1))


def signs(groups: int, draws: int, generator: np.random.Generator) -> np.ndarray:
    """float32 [draws, groups] of -1 and 1."""
    return generator.integers(0, 2, size=(draws, groups), dtype=np.int8).astype(np.float32) * 2 - 1


def real_halves(groups: int, first: int, draws: int, generator: np.random.Generator) -> np.ndarray | None:
    """bool [draws, groups]: who is of the first of two disjoint real samples; None when a sample would hold one."""
    size = min(first, groups // 2)
    if size < 2:
        return None
    return np.argsort(generator.random((draws, groups)), axis=1) < size


def contributions(sums: np.ndarray, turns: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """[groups, k]: what each group adds to the difference of the sides' means after one act, about the mean of both;
    scaled up by as much as that mean, which they helped to form, takes from them.

    `sums`: [groups, k], over the turns of each; `turns`: [groups], how many.
    """
    total = turns.sum()
    side = np.where(is_real, turns @ is_real, -(turns @ ~is_real))
    return (sums - np.outer(turns, sums.sum(axis=0) / total)) / (side * np.sqrt(1 - turns / total))[:, None]
