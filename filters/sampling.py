"""Drawing whole groups by their inclusion probabilities, exactly as many dialogues as wanted."""

from collections.abc import Sequence

import numpy as np

from schemas.identity import derive

_SLACK = 2
"""Groups of each size that may be exchanged for others, so that unequal sizes add up to the target."""


def draw(sizes: np.ndarray, pi: np.ndarray, order: np.ndarray, target: int, seed: int) -> np.ndarray:
    """bool [groups]. Groups of one size are drawn among themselves, systematically in `order`.

    The dialogues drawn are `target`, or the most that whole groups can be below it.
    """
    kept = np.zeros(len(sizes), dtype=bool)
    classes = [order[sizes[order] == size] for size in np.unique(sizes)]
    wanted = [float(pi[members].sum()) for members in classes]
    counts = _counts([int(sizes[c[0]]) for c in classes], [len(c) for c in classes], wanted, target)
    for members, count in zip(classes, counts, strict=True):
        start = derive(seed, "systematic", int(sizes[members[0]])) / 2**63
        kept[members[systematic(pi[members], count, start)]] = True
    return kept


def draw_evenly(ids: Sequence[str], sizes: np.ndarray, target: int, seed: int) -> np.ndarray:
    """bool [groups]: as `draw`, each dialogue as likely as any other, and whatever order the groups come in."""
    order = np.argsort([derive(seed, "first", name) for name in ids])
    return draw(sizes, np.full(len(order), min(1.0, target / max(1, sizes.sum()))), order, target, seed)


def systematic(pi: np.ndarray, count: int, start: float) -> np.ndarray:
    """`count` different positions, with probabilities as near to `pi` as that number lets them be.

    `start` in [0, 1). `pi` is scaled to add up to `count`; where that would make a probability more than 1 the position
    is certain, and the rest share what is left.
    """
    certain = np.zeros(len(pi), dtype=bool)
    while True:
        left, rest = count - int(certain.sum()), float(pi[~certain].sum())
        scaled = np.where(certain, 1.0, pi * (left / rest if rest > 0 else 0.0))
        over = (scaled >= 1) & ~certain
        if not over.any() or left <= 0:
            break
        certain |= over
    cumulative = np.cumsum(scaled)
    ticks = np.searchsorted(cumulative, start + np.arange(count), side="right")
    apart = np.maximum.accumulate(ticks - np.arange(count)) + np.arange(count)  # rounding must draw none twice,
    return np.minimum(apart, len(pi) - count + np.arange(count))  # nor run over the end


def _counts(sizes: Sequence[int], available: Sequence[int], wanted: Sequence[float], target: int) -> list[int]:
    """Groups to draw of each size: nearest to `wanted` of those that add up to `target`, or to the most below it."""
    least = [max(0, min(int(w), n) - _SLACK) for w, n in zip(wanted, available, strict=True)]
    gap = target - sum(k * size for k, size in zip(least, sizes, strict=True))
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    for size, first, most, want in zip(sizes, least, available, wanted, strict=True):
        longer: dict[int, tuple[float, list[int]]] = {}
        for used, (cost, counts) in best.items():
            for count in range(first, min(most, first + 2 * _SLACK + 1, first + (gap - used) // size) + 1):
                at, total = used + (count - first) * size, cost + (count - want) ** 2
                if at not in longer or total < longer[at][0]:
                    longer[at] = (total, [*counts, count])
        best = longer
    return best[max(best)][1]
