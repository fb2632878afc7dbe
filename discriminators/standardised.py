"""Shares of labels on two sides, the real ones as if real learners had acted like the synthetic ones."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from discriminators.heads import context
from discriminators.two_sample.points import Points
from discriminators.user_turns import Sample


class Shares(NamedTuple):
    """Label -> share. Turns whose context (`heads.context`) the other side lacks are left out."""

    real: dict[str, float]
    """Standardised: the mean over contexts of the shares within, weighted as the synthetic side has the contexts."""
    synthetic: dict[str, float]


def standardised(real: Sequence[Sample], synthetic: Sequence[Sample], head: str) -> Shares:
    sides = [_counts(side, head) for side in (real, synthetic)]
    common = sides[0].keys() & sides[1].keys()
    total = sum(sides[1][where].total() for where in common)
    found: list[dict[str, float]] = []
    for side in sides:
        shares: dict[str, float] = {}
        for where in sorted(common):
            weight = sides[1][where].total() / total
            for label, n in side[where].items():
                shares[label] = shares.get(label, 0.0) + weight * n / side[where].total()
        found.append(shares)
    return Shares(*found)


def head_points(real: Sequence[Sample], synthetic: Sequence[Sample], head: str) -> tuple[Points, Points]:
    """Turns with a label of the head, as `two_sample.heads` wants them: features are label numbers."""
    turns = [t for side in (real, synthetic) for s in side for t in s.turns if head in t.labels]
    labels = {label: n for n, label in enumerate(sorted({t.labels[head] for t in turns}))}
    contexts = {where: n for n, where in enumerate(sorted({context(t, head) for t in turns}))}
    return _points(real, head, labels, contexts), _points(synthetic, head, labels, contexts)


def _points(samples: Sequence[Sample], head: str, labels: dict[str, int], contexts: dict[str, int]) -> Points:
    groups = {group: n for n, group in enumerate(dict.fromkeys(s.group for s in samples))}
    rows = [
        (labels[t.labels[head]], groups[s.group], contexts[context(t, head)])
        for s in samples
        for t in s.turns
        if head in t.labels
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Points(columns[:, 0], columns[:, 1], columns[:, 2])


def _counts(samples: Sequence[Sample], head: str) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for sample in samples:
        for turn in sample.turns:
            if head in turn.labels:
                counts.setdefault(context(turn, head), Counter())[turn.labels[head]] += 1
    return counts
