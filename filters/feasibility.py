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


def tolerance(dialogues: float | np.ndarray, errors: np.ndarray) -> np.ndarray:
    """float64 [dims]: of a sum over so many dialogues, in root mean squares of one: its own standard error, and that of
    the real mean, which is the same for all of them. `errors`: see `Groups`.
    """
    return np.sqrt(dialogues + np.square(dialogues * errors))


def shares(pool: Pool, target: float) -> list[float]:
    """Dialogues wanted of each stratum: its share of the pool."""
    total = pool.sizes.sum()
    return [float(pool.sizes[stratum].sum()) * target / total for stratum in pool.strata]


def feasibility(groups: Groups, target: int, best: Balanced) -> Feasibility:
    """`best`: the choice of that size."""
    pool = groups.pool
    part = _part(pool)
    scaled = float(pool.sizes.sum() / part.sizes.sum())
    excess, tolerances = np.zeros((2, len(groups.scale)))
    used = groups.scale > 0
    excess[used] = best.excess[: groups.labels]
    tolerances[used] = (best.excess / tolerance(max(target, 1), groups.errors))[: groups.labels]
    return Feasibility(
        wanted=target,
        single=int(_largest_single(part, groups.errors) * scaled),
        joint=int(_largest_joint(part, groups.errors) * scaled),
        effective=int(_effective(pool) + 0.5),
        excess=(excess * groups.scale)[: groups.features],
        tolerances=tolerances[: groups.features],
    )


def _part(pool: Pool) -> Pool:
    """What a part shows is known as well as its own sums are, however large the pool: its tolerances are its own."""
    step = -(-len(pool.sizes) // _GROUPS)
    chosen = np.arange(0, len(pool.sizes), step)
    bounds = np.searchsorted(chosen, [s.start for s in pool.strata] + [len(pool.sizes)]).tolist()
    strata = [slice(a, b) for a, b in pairwise(bounds) if b > a]
    return Pool(np.zeros(len(chosen)), pool.sizes[chosen], strata, pool.residuals[chosen])


def _balanced(pool: Pool, errors: np.ndarray, size: float) -> bool:
    """Whether so many dialogues can be within every tolerance."""
    if not len(errors):
        return True
    allowed = SURE * tolerance(size, errors)
    found = balance(pool, shares(pool, size), allowed / _TIGHT)
    return bool((np.abs(found.excess) <= allowed).all())


def _largest_joint(pool: Pool, errors: np.ndarray) -> float:
    """By halving: whatever can be balanced at a size can be at every smaller one. Up to 1/2^8 too small."""
    low, high = 0.0, float(pool.sizes.sum())
    if _balanced(pool, errors, high):
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _balanced(pool, errors, middle) else (low, middle)
    return low


def _largest_single(pool: Pool, errors: np.ndarray) -> float:
    """A dimension alone is balanced cheapest by leaving out the groups that are furthest off, per dialogue."""
    largest = float(pool.sizes.sum())
    for column, error in zip(pool.residuals.T.astype(np.float64), errors, strict=True):
        away = column if pool.sizes @ column > 0 else -column
        order = np.argsort(-away, kind="stable")
        left = np.concatenate([[0.0], np.cumsum(pool.sizes[order])])
        excess = pool.sizes @ away - np.concatenate([[0.0], np.cumsum((pool.sizes * away)[order])])
        size = pool.sizes.sum() - left
        largest = min(largest, float(size[np.argmax(excess <= SURE * tolerance(size, error))]))
    return largest


def _effective(pool: Pool) -> float:
    w = np.exp(pool.logw - pool.logw.max())
    return float((pool.sizes @ w) ** 2 / (pool.sizes @ (w * w)))
