"""Out-of-fold scores: no dialogue is scored by a classifier that saw it or another of its group (methods §26.2)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from discriminators.embedding import RememberedEmbed
from discriminators.turn_scores import dialogue_weights
from discriminators.user_turns import Sample
from schemas.contracts import Discriminator, EmbedTexts, FittedDiscriminator
from schemas.identity import derive
from schemas.judgement import Realism

TOO_FEW = "too_few_to_fit"
NO_COMMON_ACT = "no_common_act"
"""No turn of one side answers what a turn of the other answers."""
_BATCH = 256


class Calibration(NamedTuple):
    """Platt's scaling over one or more columns of logits, then the bounds the result is clipped to."""

    slopes: tuple[float, ...]
    intercept: float
    low: float
    high: float

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """`logits`: [dialogues, columns]"""
        return np.clip(logits @ np.asarray(self.slopes) + self.intercept, self.low, self.high)


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Discriminators fitted once a fold. Empty, with a reason, when there was too little to fit on."""

    fitted: Mapping[str, Sequence[FittedDiscriminator]]
    """By discriminator name, one a fold."""
    calibrations: Mapping[str, Calibration]
    """By discriminator name."""
    together: Calibration
    """Over the discriminators' calibrated scores, in order. Not their mean: those that learnt nothing would halve the
    score of one that did, and matching would correct half of what it should."""
    seed: int
    folds: Mapping[str, int]
    """Synthetic group -> the fold that never saw it."""
    count: int
    """Folds."""
    reason: str | None = None

    @classmethod
    def missing(cls, reason: str) -> "CrossFit":
        return cls({}, {}, Calibration((), 0.0, 0.0, 0.0), 0, {}, 1, reason)

    def fold(self, group: str) -> int:
        """One that never saw it; of a group nobody saw, any."""
        return self.folds[group] if group in self.folds else derive(self.seed, "fold", group) % self.count

    def scores(self, samples: Iterable[Sample]) -> Iterator[Realism]:
        """Realism of synthetic dialogues, streamed, in order."""
        source = iter(samples)
        while batch := list(islice(source, _BATCH)):
            if self.reason is not None:
                yield from (Realism(reason=self.reason) for _ in batch)
                continue
            folds = [self.fold(sample.group) for sample in batch]
            columns = np.column_stack(
                [
                    self.calibrations[n].apply(_scored(batch, folds, models)[:, None])
                    for n, models in self.fitted.items()
                ]
            )
            for row, combined in zip(columns.tolist(), self.together.apply(columns).tolist(), strict=True):
                yield Realism(scores=dict(zip(self.fitted, row, strict=True)), combined=combined)


def cross_fit(
    discriminators: Mapping[str, Discriminator],
    real: Sequence[Sample],
    synthetic: Sequence[Sample],
    embed: EmbedTexts,
    seed: int,
    *,
    folds: int = 5,
    per_side: int = 2000,
) -> CrossFit:
    """Fit every discriminator `folds` times, on at most `per_side` dialogues a side: whole groups, drawn by hash."""
    real, synthetic = bounded(real, per_side, seed), bounded(synthetic, per_side, seed)
    embed = RememberedEmbed(embed)
    plan = _plan(real, synthetic, folds, seed)
    if plan is None or not discriminators:
        return CrossFit.missing(TOO_FEW if plan is None else "no_discriminator")
    weights = dialogue_weights([s.turns for s in real], [s.turns for s in synthetic])
    if weights is None:
        return CrossFit.missing(NO_COMMON_ACT)
    folds_of = [plan.real[s.group] for s in real], [plan.synthetic[s.group] for s in synthetic]
    labels = np.repeat([1, 0], [len(real), len(synthetic)])
    fitted: dict[str, list[FittedDiscriminator]] = {}
    calibrations: dict[str, Calibration] = {}
    columns: list[np.ndarray] = []
    for name, discriminator in discriminators.items():
        models = _fit_folds(discriminator, real, synthetic, plan, embed, derive(seed, "fit", name))
        logits = np.concatenate([_scored(real, folds_of[0], models), _scored(synthetic, folds_of[1], models)])[:, None]
        fitted[name] = models
        calibrations[name] = _calibrate(logits, labels, weights)
        columns.append(calibrations[name].apply(logits))
    together = _calibrate(np.column_stack(columns), labels, weights)
    return CrossFit(fitted, calibrations, together, seed, plan.synthetic, plan.folds)


class OutOfFold(NamedTuple):
    """Uncalibrated log-odds of dialogues by the classifier of their fold, and those folds."""

    scores: np.ndarray
    folds: np.ndarray


def out_of_fold(
    discriminator: Discriminator,
    real: Sequence[Sample],
    synthetic: Sequence[Sample],
    embed: EmbedTexts,
    seed: int,
    folds: int = 5,
) -> tuple[OutOfFold, OutOfFold] | None:
    """The real and the synthetic side; None when a side has fewer than two groups, or they share no act."""
    plan = _plan(real, synthetic, folds, seed)
    if plan is None or dialogue_weights([s.turns for s in real], [s.turns for s in synthetic]) is None:
        return None
    models = _fit_folds(discriminator, real, synthetic, plan, RememberedEmbed(embed), seed)

    def scored(side: Sequence[Sample], fold: dict[str, int]) -> OutOfFold:
        of = [fold[sample.group] for sample in side]
        return OutOfFold(_scored(side, of, models), np.asarray(of))

    return scored(real, plan.real), scored(synthetic, plan.synthetic)


def bounded(samples: Sequence[Sample], most: int, seed: int) -> Sequence[Sample]:
    """All of them, or whole groups in the order of a hash until `most` are reached."""
    if len(samples) <= most:
        return samples
    sizes: dict[str, int] = {}
    for sample in samples:
        sizes[sample.group] = sizes.get(sample.group, 0) + 1
    kept: set[str] = set()
    total = 0
    for group in sorted(sizes, key=lambda g: derive(seed, "bounded", g)):
        if total + sizes[group] <= most or not kept:
            kept.add(group)
            total += sizes[group]
    return [sample for sample in samples if sample.group in kept]


class _Plan(NamedTuple):
    folds: int
    real: dict[str, int]
    """Group -> fold; so for `synthetic`. Dealt out side by side, so that every fold has both."""
    synthetic: dict[str, int]


def _plan(real: Sequence[Sample], synthetic: Sequence[Sample], folds: int, seed: int) -> _Plan | None:
    sides = [sorted({s.group for s in side}, key=lambda g: derive(seed, "deal", g)) for side in (real, synthetic)]
    count = min(folds, *(len(groups) for groups in sides))
    if count < 2:
        return None
    dealt = [{group: i % count for i, group in enumerate(groups)} for groups in sides]
    return _Plan(count, dealt[0], dealt[1])


def _fit_folds(
    discriminator: Discriminator,
    real: Sequence[Sample],
    synthetic: Sequence[Sample],
    plan: _Plan,
    embed: EmbedTexts,
    seed: int,
) -> list[FittedDiscriminator]:
    return [
        discriminator.fit(
            [s.turns for s in real if plan.real[s.group] != fold],
            [s.turns for s in synthetic if plan.synthetic[s.group] != fold],
            embed,
            seed,
        )
        for fold in range(plan.folds)
    ]


def _scored(samples: Sequence[Sample], folds: Sequence[int], models: Sequence[FittedDiscriminator]) -> np.ndarray:
    logits = np.zeros(len(samples))
    for fold, model in enumerate(models):
        rows = [i for i, f in enumerate(folds) if f == fold]
        logits[rows] = list(model.scores(samples[i].turns for i in rows))
    return logits


def _calibrate(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Calibration:
    """A balanced logistic regression on out-of-fold logits; a column that points the wrong way gets slope 0.

    `weights`: of dialogues, either class adding up to as much.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import, and only fitting needs it

    spread = logits.std(axis=0)
    used = np.flatnonzero(spread > 0)
    slopes, intercept = np.zeros(logits.shape[1]), 0.0
    while len(used):
        platt = LogisticRegression().fit(logits[:, used] / spread[used], labels, sample_weight=weights)
        if (platt.coef_[0] >= 0).all():
            slopes[used], intercept = platt.coef_[0] / spread[used], float(platt.intercept_[0])
            break
        used = used[platt.coef_[0] >= 0]
    low, high = np.percentile(logits @ slopes + intercept, [1, 99])
    return Calibration(tuple(slopes.tolist()), intercept, float(low), float(high))
