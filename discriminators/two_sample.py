"""Can real and synthetic be told apart? Fresh classifiers and label distances, each beside its real-against-real floor.

Methods §25. The independent unit is the group: intervals resample groups. Never give these functions dialogues, or the
reference split, that something was selected with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple

import numpy as np

from discriminators.crossfit import TOO_FEW, Sample, bounded, out_of_fold
from schemas.contracts import Discriminator, EmbedTexts
from schemas.dialogue import Dialogue
from schemas.identity import derive
from schemas.judgement import Interval

_FEW_GROUPS = 30
"""Below this many groups a side a bootstrap is too sure of itself (no spread at all when the classes separate)."""


@dataclass(frozen=True, slots=True)
class TwoSample:
    """How well a fresh cross-fitted classifier tells two sides apart; .5 is chance. None with a reason."""

    auc: Interval | None
    accuracy: Interval | None
    """Mean of the two sides' accuracies."""
    n_real: int
    n_synthetic: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class HeadDistance:
    """Total variation between the labels of two sides."""

    tv: Interval | None
    floor: float | None
    """95th percentile between two disjoint real samples, the smaller with as many groups as the synthetic side."""
    real: Mapping[str, float] = field(default_factory=dict[str, float])
    """Label -> share; so for `synthetic`."""
    synthetic: Mapping[str, float] = field(default_factory=dict[str, float])
    reason: str | None = None


class Labelled(NamedTuple):
    group: str
    labels: Mapping[str, str]

    @classmethod
    def of(cls, dialogue: Dialogue, labels: Mapping[str, str]) -> "Labelled":
        return cls(dialogue.scenario.group_id, labels)


def classifier_test(
    discriminator: Discriminator,
    real: Sequence[Sample],
    synthetic: Sequence[Sample],
    embed: EmbedTexts,
    seed: int,
    *,
    per_side: int = 2000,
    draws: int = 1000,
) -> TwoSample:
    """The classifier two-sample test, cross-fitted by group, with 95% intervals.

    Only dialogues of one fold are compared: the classifiers of two folds differ in their intercepts, which would pull
    the pooled AUC of indistinguishable sides below .5.
    """
    real, synthetic = bounded(real, per_side, seed), bounded(synthetic, per_side, seed)
    scores = out_of_fold(discriminator, real, synthetic, embed, derive(seed, "fresh"))
    if scores is None:
        return TwoSample(None, None, len(real), len(synthetic), reason=TOO_FEW)
    of_real, of_synthetic = scores
    generator = np.random.default_rng(derive(seed, "bootstrap"))
    weights_real, groups_real = _group_weights([s.group for s in real], draws, generator)
    weights_synthetic, groups_synthetic = _group_weights([s.group for s in synthetic], draws, generator)
    groups = min(groups_real, groups_synthetic)

    pairs = (of_real.folds[:, None] == of_synthetic.folds[None, :]).astype(np.float32)
    wins = pairs * (np.sign(of_real.scores[:, None] - of_synthetic.scores[None, :]) + 1).astype(np.float32) / 2
    comparable = np.maximum(((weights_real @ pairs) * weights_synthetic).sum(axis=1), 1e-9)
    auc = ((weights_real @ wins) * weights_synthetic).sum(axis=1) / comparable
    right_real = (of_real.scores > 0).astype(np.float32)
    right_synthetic = (of_synthetic.scores <= 0).astype(np.float32)
    accuracy = (
        weights_real @ right_real / weights_real.sum(axis=1)
        + weights_synthetic @ right_synthetic / weights_synthetic.sum(axis=1)
    ) / 2
    return TwoSample(
        auc=_interval(float(wins.sum() / pairs.sum()), auc, groups),
        accuracy=_interval(float(right_real.mean() + right_synthetic.mean()) / 2, accuracy, groups),
        n_real=len(real),
        n_synthetic=len(synthetic),
    )


def real_floor(discriminator: Discriminator, real: Sequence[Sample], n: int, embed: EmbedTexts, seed: int) -> TwoSample:
    """The same test between two disjoint real samples of `n` dialogues each (half of all when there are fewer)."""
    first, second = halves(real, n, seed)
    return classifier_test(discriminator, first, second, embed, derive(seed, "floor"))


def halves(real: Sequence[Sample], n: int, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Two disjoint samples, whole groups in the order of a hash, each group to the smaller side; at most `n` each."""
    groups: dict[str, list[Sample]] = {}
    for sample in real:
        groups.setdefault(sample.group, []).append(sample)
    sides: tuple[list[Sample], list[Sample]] = ([], [])
    for group in sorted(groups, key=lambda g: derive(seed, "halves", g)):
        min(sides, key=len).extend(groups[group])
    return sides[0][:n], sides[1][:n]


def head_distances(
    real: Sequence[Labelled], synthetic: Sequence[Labelled], seed: int, draws: int = 500
) -> dict[str, HeadDistance]:
    """By head. Heads that either side lacks are absent."""
    if not real or not synthetic:
        return {}
    heads = [head for head in real[0].labels if head in synthetic[0].labels]
    return {head: _head_distance(head, real, synthetic, derive(seed, "head", head), draws) for head in heads}


def _head_distance(
    head: str, real: Sequence[Labelled], synthetic: Sequence[Labelled], seed: int, draws: int
) -> HeadDistance:
    names = sorted({item.labels[head] for item in (*real, *synthetic)})
    counts_real, counts_synthetic = (_counts(head, side, names) for side in (real, synthetic))
    shares = [side.sum(axis=0) / side.sum() for side in (counts_real, counts_synthetic)]
    of_real, of_synthetic = (dict(zip(names, share.tolist(), strict=True)) for share in shares)
    groups = min(len(counts_real), len(counts_synthetic))
    if groups < 2:
        return HeadDistance(None, None, of_real, of_synthetic, reason="too_few_groups")
    generator = np.random.default_rng(seed)
    drawn = [
        _shares(generator.multinomial(len(side), [1 / len(side)] * len(side), size=draws) @ side)
        for side in (counts_real, counts_synthetic)
    ]
    value = float(_tv(shares[0][None], shares[1][None])[0])
    tv = _interval(value, _tv(drawn[0], drawn[1]), groups)
    return HeadDistance(tv, _floor(counts_real, len(counts_synthetic), generator, draws), of_real, of_synthetic)


def _floor(counts: np.ndarray, groups: int, generator: np.random.Generator, draws: int) -> float | None:
    size = min(groups, len(counts) // 2)
    if size < 2:
        return None
    first = np.argsort(generator.random((draws, len(counts))), axis=1) < size
    return float(np.percentile(_tv(_shares(first @ counts), _shares(~first @ counts)), 95))


def _counts(head: str, side: Sequence[Labelled], names: Sequence[str]) -> np.ndarray:
    """[groups, labels]"""
    rows = {group: i for i, group in enumerate(sorted({item.group for item in side}))}
    counts = np.zeros((len(rows), len(names)))
    for item in side:
        counts[rows[item.group], names.index(item.labels[head])] += 1
    return counts


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / counts.sum(axis=1, keepdims=True)


def _tv(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.abs(first - second).sum(axis=1) / 2


def _group_weights(groups: Sequence[str], draws: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """float32 [draws, dialogues]: how often a dialogue is in a resample of whole groups; and the number of groups."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    drawn = generator.multinomial(len(names), [1 / len(names)] * len(names), size=draws)
    return drawn[:, index].astype(np.float32), len(names)


def _interval(value: float, resampled: np.ndarray, groups: int) -> Interval:
    """Percentiles of the bootstrap; with few groups the wider Wilson interval.

    Wilson holds for the AUC too, whose variance is at most that of a share of min(m, n) trials.
    """
    low, high = (float(x) for x in np.percentile(resampled, [2.5, 97.5]))
    if groups < _FEW_GROUPS:
        z, p, n = 1.96, min(1.0, max(0.0, value)), groups
        centre, width = (p + z * z / (2 * n)) / (1 + z * z / n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = min(low, centre - width / (1 + z * z / n)), max(high, centre + width / (1 + z * z / n))
    return Interval(value, max(0.0, min(low, value)), min(1.0, max(high, value)), groups)
