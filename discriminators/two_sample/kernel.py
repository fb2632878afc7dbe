"""One mechanism for statistics that are a mean of a kernel over pairs of turns: MMD and energy distance (methods §25).

Within an act the statistic is the unbiased U-statistic E k(x, x') + E k(y, y') - 2 E k(x, y); pairs of one group are
left out, as a user resembles himself. Everything is computed from one matrix of groups by groups.

p-values flip signs instead of permuting the groups' sides: a group's part in the difference of the sides keeps its size
and gets a random sign, one for all of its turns. Permuted groups would bring the other side's numbers of turns after
each act along, and the drawn statistics would vary less, or more, than the real one does where those differ
(`benchmarks/two_sample_calibration.py` shows both).
"""

from collections.abc import Callable
from math import sqrt

import numpy as np

from discriminators.two_sample.points import Act, Both, Compared, randomised_p, real_halves, signs
from schemas.judgement import Interval, Z

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""[m, dims] and [n, dims] -> [m, n]"""

DRAWS = 1000
SPLITS = 200
_BLOCK = 1024


def kernel_test(kernel: Kernel, both: Both, seed: int, draws: int = DRAWS) -> Compared:
    """The statistic with its interval, its floor, and its p-value by `draws` flips of signs."""
    sizes = both.real, both.synthetic
    if both.reason is not None:
        return Compared(None, None, None, *sizes, both.left_out, both.reason)
    generator = np.random.default_rng(seed)
    halves = real_halves(both.real, both.synthetic, SPLITS, generator)
    floors, weights = np.zeros(SPLITS), np.zeros(SPLITS)
    value, parts = 0.0, np.zeros((sum(sizes), sum(sizes)))
    for act in both.acts:
        sums = by_group(kernel, act, sum(sizes))
        counts = np.bincount(act.owners, minlength=sum(sizes)).astype(float)
        own = np.diag(sums).copy()
        off = sums - np.diag(own)
        value += act.share * float(_between(off, counts, both.is_real[None])[0])
        parts += act.share * _parts(sums, counts, both.is_real)
        if halves is not None:
            real = slice(0, both.real)
            among = _between(off[real, real], counts[real], halves)
            known = np.isfinite(among)
            floors += np.where(known, act.share * among, 0.0)
            weights += act.share * known
    np.fill_diagonal(parts, 0.0)
    drawn = _flipped(parts, draws, generator)
    return Compared(
        Interval(value, *_bounds(value, parts, both.is_real), min(sizes)),
        _floor(floors, weights) if halves is not None else None,
        randomised_p(value, drawn, generator),
        *sizes,
        both.left_out,
    )


def by_group(kernel: Kernel, act: Act, groups: int) -> np.ndarray:
    """float64 [groups, groups]: the kernel summed over the turns of both, in blocks."""
    order = np.argsort(act.owners, kind="stable")
    rows, owners = act.features[order], act.owners[order]
    names, starts = np.unique(owners, return_index=True)
    sums = np.zeros((len(names), len(names)))
    for begin in range(0, len(rows), _BLOCK):
        block = np.add.reduceat(kernel(rows[begin : begin + _BLOCK], rows), starts, axis=1)
        mine, firsts = np.unique(owners[begin : begin + _BLOCK], return_index=True)
        sums[np.searchsorted(names, mine)] += np.add.reduceat(block, firsts, axis=0)
    whole = np.zeros((groups, groups))
    whole[np.ix_(names, names)] = sums
    return whole


def _between(off: np.ndarray, counts: np.ndarray, first: np.ndarray) -> np.ndarray:
    """float64 [splits]: the U-statistic for each row of `first`; not a number where a side has fewer than two groups.

    `off`: by group, without the pairs of one group. `first`: bool [splits, groups].
    """
    one = first.astype(float)
    other = 1.0 - one
    here, there = one @ off, other @ off
    turns = one @ counts, other @ counts
    pairs = turns[0] ** 2 - one @ counts**2, turns[1] ** 2 - other @ counts**2
    with np.errstate(invalid="ignore", divide="ignore"):
        within = (here * one).sum(axis=1) / pairs[0] + (there * other).sum(axis=1) / pairs[1]
        return within - 2 * (here * other).sum(axis=1) / (turns[0] * turns[1])


def _parts(sums: np.ndarray, counts: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """[groups, groups]: inner products of what each group adds to the difference of the sides' mean features, about the
    mean of both; scaled up by as much as that mean, which they helped to form, takes from them.
    """
    total = counts.sum()
    means = sums.sum(axis=1) / total
    centred = sums - np.outer(means, counts) - np.outer(counts, means) + np.outer(counts, counts) * means.sum() / total
    side = np.where(is_real, 1 / (counts @ is_real), -1 / (counts @ ~is_real))
    scale = side / np.sqrt(1 - counts / total)
    return centred * np.outer(scale, scale)


def _flipped(parts: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    drawn = signs(len(parts), draws, generator)
    return ((drawn @ parts.astype(np.float32)) * drawn).sum(axis=1, dtype=np.float64)


def _bounds(value: float, parts: np.ndarray, is_real: np.ndarray) -> tuple[float, float]:
    """95%: the variance of a U-statistic is that of its linear part, which vanishes where the sides are alike, and that
    of its pairs.
    """
    pairs = float((parts**2).sum())
    towards = parts.sum(axis=1)
    linear = sum(float(np.var(towards[side]) * side.sum()) for side in (is_real, ~is_real))
    half = Z * sqrt(4 * max(0.0, linear - pairs) + 2 * pairs)
    return value - half, value + half


def _floor(sums: np.ndarray, weights: np.ndarray) -> float | None:
    known = weights > 0
    return float(np.percentile(sums[known] / weights[known], 95)) if known.any() else None
