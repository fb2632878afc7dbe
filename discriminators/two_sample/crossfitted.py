"""Can real and synthetic be told apart? Fresh cross-fitted classifiers with bootstrap intervals, beside their floor.

Methods §25. The independent unit is the group: intervals resample groups. Never give these functions dialogues, or the
reference split, that something was selected with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from discriminators.crossfit import TOO_FEW, bounded, out_of_fold
from discriminators.user_turns import Sample
from schemas.contracts import Discriminator, EmbedTexts
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
