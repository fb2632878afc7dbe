"""How many dialogues of a pool can be as real people are (methods §26.3): asked before anything is chosen."""

from itertools import pairwise

import numpy as np

from filters.balancing import Balanced, Pool, balance
from filters.pool import Groups
from schemas.judgement import SURE, Feasibility

_GROUPS = 4000
"""Groups of the pool that the largest size is looked for on: every so many of it."""
_TIGHT = 25.0
"""By how much closer than the tolerance is aimed at, so that what can be balanced is not called infeasible."""
_HALVINGS = 8
_REFERENCE = 1000
"""Dialogues that the real means come from, about: they are known no better than that."""


def tolerance(dialogues: float) -> float:
    """Of a sum over so many dialogues, in root mean squares of one: the standard errors of theirs and of the real mean.

    It follows from the residuals' own spread, so that a pool needs to know nothing of the reference.
    """
    return float(np.sqrt(dialogues + dialogues * dialogues / _REFERENCE))


def shares(pool: Pool, target: float) -> list[float]:
    """Dialogues wanted of each stratum: its share of the pool."""
    total = pool.sizes.sum()
    return [float(pool.sizes[stratum].sum()) * target / total for stratum in pool.strata]


def feasibility(groups: Groups, target: int, best: Balanced) -> Feasibility:
    """`best`: the choice of that size."""
    pool = groups.pool
    total = float(pool.sizes.sum())
    part = _part(pool)
    scaled = total / float(part.sizes.sum())
    known = np.zeros(len(groups.scale))
    known[groups.scale > 0] = best.excess[: groups.labels]
    unknown = tolerance(max(target, 1))
    return Feasibility(
        wanted=target,
        single=int(min(total, _largest_single(part, scaled))),
        joint=int(min(total, _largest_joint(part, scaled))),
        effective=int(_effective(pool) + 0.5),
        excess=(known * groups.scale)[: groups.features],
        tolerances=known[: groups.features] / unknown,
    )


def _part(pool: Pool) -> Pool:
    step = -(-len(pool.sizes) // _GROUPS)
    chosen = np.arange(0, len(pool.sizes), step)
    bounds = np.searchsorted(chosen, [s.start for s in pool.strata] + [len(pool.sizes)]).tolist()
    strata = [slice(a, b) for a, b in pairwise(bounds) if b > a]
    return Pool(np.zeros(len(chosen)), pool.sizes[chosen], strata, pool.residuals[chosen])


def _balanced(part: Pool, size: float, scaled: float) -> bool:
    """Whether `size` dialogues of the pool (`scaled` times its part) can be within every tolerance."""
    if not part.residuals.shape[1]:
        return True
    allowed = SURE * tolerance(size) / scaled
    found = balance(part, shares(part, size / scaled), allowed / _TIGHT)
    return bool(np.abs(found.excess).max() <= allowed)


def _largest_joint(part: Pool, scaled: float) -> float:
    """By halving: whatever can be balanced at a size can be at every smaller one. Up to 1/2^8 too small."""
    low, high = 0.0, float(part.sizes.sum()) * scaled
    if _balanced(part, high, scaled):
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _balanced(part, middle, scaled) else (low, middle)
    return low


def _largest_single(part: Pool, scaled: float) -> float:
    """A dimension alone is balanced cheapest by leaving out the groups that are furthest off, per dialogue."""
    largest = float(part.sizes.sum())
    for column in part.residuals.T.astype(np.float64):
        away = column if part.sizes @ column > 0 else -column
        order = np.argsort(-away, kind="stable")
        left = np.concatenate([[0.0], np.cumsum(part.sizes[order])])
        excess = part.sizes @ away - np.concatenate([[0.0], np.cumsum((part.sizes * away)[order])])
        size = part.sizes.sum() - left
        # `tolerance(size * scaled) / scaled`
        allowed = SURE * np.sqrt(size / scaled + size * size / _REFERENCE)
        largest = min(largest, float(size[np.argmax(excess <= allowed)]))
    return largest * scaled


def _effective(pool: Pool) -> float:
    w = np.exp(pool.logw - pool.logw.max())
    return float((pool.sizes @ w) ** 2 / (pool.sizes @ (w * w)))
