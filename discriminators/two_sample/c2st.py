"""The classifier two-sample test on one held-out split (Lopez-Paz and Oquab 2017; methods §25), and how many judgements
a claim needs.

Given the act: the classifier is fitted and tested on turns about the middle of their act, weighted so that within an
act both sides weigh the same. Accuracy is taken act by act: where users do the same it is .5 in expectation, however
often each side is in that act and whatever the classifier has learnt. Dialogues judged as wholes would not do: an act
that one side is rarely in has an uncertain middle, which moves all dialogues of the other side together.

Turns of one group are no independent judgements: the accuracy is worth as many as would give it the spread that its
groups show. Cross-fitted accuracy would test on every dialogue, but its folds share training data, and its variance is
not 1/(4n): `benchmarks/two_sample_calibration.py` shows what the naive test makes of that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from discriminators.two_sample.points import (
    FEW,
    Act,
    Both,
    Compared,
    Points,
    contributions,
    randomised_p,
    real_halves,
    side_by_side,
    signs,
)
from schemas.judgement import Interval

STRENGTH = 0.03
"""Inverse of the regularisation (C) of the logistic classifier, over features of unit variance."""
LEVEL, POWER = 0.05, 0.8
DRAWS = 1000
SPLITS = 20


@dataclass(frozen=True, slots=True)
class Held:
    """`compared.value`: accuracy on the turns of held-out groups, .5 where the sides are alike; its `n` is how many
    independent judgements it is worth.
    """

    compared: Compared
    tested: int
    """Groups of both sides."""
    upper: float | None
    """95% bound from above, one-sided: an accuracy of at most this much is shown."""


def c2st(real: Points, synthetic: Points, seed: int, splits: int = SPLITS, draws: int = DRAWS) -> Held:
    """Half of the groups of either side train, the others are tested; p by flips of signs, as in
    `discriminators.two_sample.kernel`. `splits`: real against real, behind the floor.
    """
    both = side_by_side(real, synthetic, 2 * FEW)
    sizes = both.real, both.synthetic
    if both.reason is not None:
        return Held(Compared(None, None, None, *sizes, both.left_out, both.reason), 0, None)
    generator = np.random.default_rng(seed)
    advantage, parts = _judged(both, generator)
    drawn = signs(len(parts), draws, generator) @ parts
    accuracy, spread = 0.5 + advantage / 2, float((parts**2).sum()) / 4
    tested = int(np.sum(parts != 0))
    worth = max(1, round(0.25 / spread)) if spread else max(1, tested)
    p = randomised_p(advantage, drawn, generator)
    floor = _floor(real, both.synthetic, generator, splits)
    value = Interval.of_share(accuracy, worth)
    return Held(Compared(value, floor, p, *sizes, both.left_out), tested, _upper(accuracy, worth))


def needed(delta: float, power: float = POWER, level: float = LEVEL) -> int:
    """Independent judgements, of both sides together, that show `accuracy <= .5 + delta` with this power where it is
    .5.
    """
    return round(float((norm.isf(level) + norm.ppf(power)) / (2 * delta)) ** 2)


def needed_to_detect(accuracy: float, power: float = POWER, level: float = LEVEL) -> int:
    """Independent judgements, of both sides together, that find this accuracy to be above .5 with this power."""
    spread = float(norm.isf(level) / 2 + norm.ppf(power) * sqrt(accuracy * (1 - accuracy)))
    return round((spread / (accuracy - 0.5)) ** 2)


NEEDED: Mapping[str, int] = {
    "to detect an accuracy of 55%": needed_to_detect(0.55),
    "to detect an accuracy of 53%": needed_to_detect(0.53),
    "to detect an accuracy of 52%": needed_to_detect(0.52),
    "to claim at most 55%": needed(0.05),
    "to claim at most 53%": needed(0.03),
}


def _judged(both: Both, generator: np.random.Generator) -> tuple[float, np.ndarray]:
    """By how much more often held-out real turns are taken for real than synthetic ones are, and what each group adds
    to that: [groups].
    """
    train = _trained_on(both, generator)
    middles = [_middle(act, train, both.real) for act in both.acts]
    model = _model(both, middles, train)
    total, parts = 0.0, np.zeros(len(train))
    for act, middle in zip(both.acts, middles, strict=True):
        rows = ~train[act.owners]
        taken = model.decision_function(act.features[rows] - middle) > 0
        hits, turns = (np.bincount(act.owners[rows], w, minlength=len(train)) for w in (taken, np.ones(len(taken))))
        here, there = turns @ both.is_real, turns @ ~both.is_real
        total += act.share * float(hits @ both.is_real / here - hits @ ~both.is_real / there)
        parts += act.share * contributions(hits[:, None], turns, both.is_real)[:, 0]
    return total, parts


def _trained_on(both: Both, generator: np.random.Generator) -> np.ndarray:
    """bool [groups]: half of either side. Halves that lack an act are drawn again: with FEW groups of it that is one
    draw of 500.
    """
    train = np.zeros(both.real + both.synthetic, dtype=bool)
    owners = [np.unique(act.owners) for act in both.acts]
    while True:
        train[:] = False
        for start, n in ((0, both.real), (both.real, both.synthetic)):
            train[start + generator.permutation(n)[: n // 2]] = True
        shares = [train[some[real]] for some in owners for real in (some < both.real, some >= both.real)]
        if all(share.any() and not share.all() for share in shares):
            return train


def _middle(act: Act, train: np.ndarray, real: int) -> np.ndarray:
    """[dims]: between the means of the sides' training turns: what the act itself does to a turn."""
    rows = train[act.owners]
    return np.mean([act.features[rows & side].mean(axis=0) for side in (act.owners < real, act.owners >= real)], axis=0)


def _model(both: Both, middles: Sequence[np.ndarray], train: np.ndarray) -> Pipeline:
    """Logistic; within an act both sides weigh the same, and the acts have the synthetic mix."""
    features: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for act, middle in zip(both.acts, middles, strict=True):
        rows = train[act.owners]
        real = act.owners[rows] < both.real
        features.append(act.features[rows] - middle)
        labels.append(real)
        weights.append(act.share * np.where(real, 1 / real.sum(), 1 / (~real).sum()))
    kept, weight = np.concatenate(features), np.concatenate(weights)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=500))
    return model.fit(kept, np.concatenate(labels), logisticregression__sample_weight=weight * len(kept) / weight.sum())


def _upper(accuracy: float, worth: int) -> float:
    """Wilson's bound, one-sided."""
    z = float(norm.isf(LEVEL))
    middle, half = accuracy + z * z / (2 * worth), z * sqrt(accuracy * (1 - accuracy) / worth + (z / worth) ** 2 / 4)
    return min(1.0, (middle + half) / (1 + z * z / worth))


def _floor(real: Points, first: int, generator: np.random.Generator, splits: int) -> float | None:
    names, owners = np.unique(real.groups, return_inverse=True)
    halves = real_halves(len(names), first, splits, generator)
    found: list[float] = []
    for half in halves if halves is not None else ():
        mine = half[owners]
        both = side_by_side(real.of(np.flatnonzero(~mine)), real.of(np.flatnonzero(mine)), 2 * FEW)
        if both.reason is None:
            found.append(0.5 + _judged(both, generator)[0] / 2)
    return float(np.percentile(found, 95)) if found else None
