"""Inclusion probabilities that balance a pool: as close to its density ratios as its constraints allow (methods §26.2).

`min sum_i n_i [pi_i log(pi_i / w_i) - pi_i + w_i]` over groups i of n_i dialogues, subject to

- `sum_i n_i pi_i = t_s` in every stratum s: hard;
- `sum_i pi_i r_i = 0` in every dimension of the residuals: soft, as far as sampling leaves them known.

Hence `pi_i = min(1, w_i exp(c_s + lambda . r_i / n_i))`. For any lambda the `c_s` follow exactly (`inclusion`), so that
sizes hold at every step; what is left is a smooth convex function of lambda alone, minimised by Newton's method.
Without residuals this is optimal budgeted rejection sampling (Verine et al. 2024).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_ROWS = 1 << 15
"""Groups a matrix product takes at once."""
_STEPS = 60
_CLOSE = 0.01
"""Tolerances that the gradient may be away from 0 at the end."""
_FIRM = 4.0
"""`lambda` at which a dimension is left off by one tolerance: groups are then taken e^4 times as often for each root
mean square of their residual. What is easier to balance is left off by as much less.
"""


class Pool(NamedTuple):
    """Groups, those of a stratum side by side."""

    logw: np.ndarray
    """float64 [groups]: log density ratio real/synthetic."""
    sizes: np.ndarray
    """float64 [groups]: dialogues."""
    strata: Sequence[slice]
    residuals: np.ndarray
    """float32 [groups, dims]: a dialogue's mean, in units of each dimension's spread; 0 dims when none."""


class Balanced(NamedTuple):
    pi: np.ndarray
    """float64 [groups]"""
    excess: np.ndarray
    """float64 [dims]: `sum_i pi_i r_i`, what is left of the constraints, in the units of the pool's residuals."""
    steps: int


class _Point(NamedTuple):
    value: float
    pi: np.ndarray
    free: np.ndarray
    """bool [groups]: inclusion is not certain."""


def balance(pool: Pool, targets: Sequence[float], tolerance: np.ndarray) -> Balanced:
    """`targets`: dialogues wanted of each stratum. `tolerance`: float64 [dims], of `excess`; > 0.

    A stratum whose target is all of it or more is taken whole; one whose target is 0 is left.
    """
    ridge = tolerance / _FIRM
    weights = np.zeros(pool.residuals.shape[1])
    at = _at(pool, targets, weights, ridge)
    steps = 0
    while steps < _STEPS and len(weights):
        gradient = _weighted_sum(pool.residuals, pool.sizes * at.pi) + ridge * weights
        if (np.abs(gradient) <= _CLOSE * tolerance).all():
            break
        step = np.linalg.solve(_curvature(pool, at, ridge), gradient)
        slope, length = float(gradient @ step), 1.0
        new = _at(pool, targets, weights - step, ridge)
        while new.value > at.value - 1e-4 * length * slope and length > 1e-6:
            length /= 2
            new = _at(pool, targets, weights - length * step, ridge)
        if new.value >= at.value:  # as low as rounding lets it be
            break
        weights, at, steps = weights - length * step, new, steps + 1
    return Balanced(at.pi, _weighted_sum(pool.residuals, pool.sizes * at.pi), steps)


def inclusion(logw: np.ndarray, sizes: np.ndarray, target: float) -> tuple[np.ndarray, float]:
    """`log min(1, c w)` for every group, with `sum(sizes * min(1, c w)) = target`; and `log c`.

    Exact, without iteration: the groups with the largest `w` are certain; `c` follows from how many they are.
    0 < target < sum(sizes).
    """
    order = np.argsort(-logw, kind="stable")
    down, size = logw[order], sizes[order]
    left = target - np.concatenate([[0.0], np.cumsum(size)[:-1]])
    rest = np.logaddexp.accumulate((down + np.log(size))[::-1])[::-1]
    log_c = np.full(len(down), np.inf)
    np.subtract(np.log(left, where=left > 0, out=np.zeros(len(left))), rest, where=left > 0, out=log_c)
    fits = np.flatnonzero(log_c + down <= 0)
    first = int(fits[0]) if len(fits) else int((left > 0).sum()) - 1  # by rounding alone
    return np.minimum(0.0, logw + log_c[first]), float(log_c[first])


def _at(pool: Pool, targets: Sequence[float], weights: np.ndarray, ridge: np.ndarray) -> _Point:
    """The dual at `weights`, the best `c_s` put in."""
    score = pool.logw + _product(pool.residuals, weights)
    pi, free = np.ones(len(score)), np.zeros(len(score), dtype=bool)
    value = float(ridge * weights @ weights) / 2
    for stratum, target in zip(pool.strata, targets, strict=True):
        size = pool.sizes[stratum]
        if target <= 0:
            pi[stratum] = 0.0
        elif target >= size.sum():
            value += float(size @ score[stratum])
        else:
            log_pi, log_c = inclusion(score[stratum], size, target)
            pi[stratum], free[stratum] = np.exp(log_pi), log_pi < 0
            over = np.maximum(0.0, score[stratum] + log_c)  # h(s) = e^s below 0, s + 1 above
            value += float(size @ (pi[stratum] + over)) - target * log_c
    return _Point(value, pi, free)


def _curvature(pool: Pool, at: _Point, ridge: np.ndarray) -> np.ndarray:
    """[dims, dims]: of the dual in lambda; the `c_s`, which move along, are taken out stratum by stratum."""
    dims = pool.residuals.shape[1]
    weight = (pool.sizes * at.pi * at.free).astype(np.float32)
    hessian = np.zeros((dims, dims))
    for first in range(0, len(weight), _ROWS):
        rows = pool.residuals[first : first + _ROWS]
        hessian += (rows * weight[first : first + _ROWS, None]).T @ rows
    for stratum in pool.strata:
        total = float(weight[stratum].sum(dtype=np.float64))
        if total > 0:
            moved = _weighted_sum(pool.residuals[stratum], weight[stratum])
            hessian -= np.outer(moved, moved) / total
    return hessian + np.diag(ridge)


def _product(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (rows @ weights.astype(np.float32)).astype(np.float64)


def _weighted_sum(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """float64 [dims]; summed in blocks: float32 alone would lose a million small terms."""
    total = np.zeros(rows.shape[1])
    for first in range(0, len(rows), _ROWS):
        total += weight[first : first + _ROWS].astype(np.float32) @ rows[first : first + _ROWS]
    return total
