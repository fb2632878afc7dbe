"""What discriminators share: they are fitted on turns, given the acts these answer, and score dialogues.

Within each act both sides weigh the same, and the acts have the synthetic mix: so the act itself, and with it the
learner, tells nothing (methods §26.5). Where users are real-like given the acts, all log-odds are 0 in expectation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from schemas.contracts import Turns

Featurise = Callable[[Sequence[Turns]], Any]
"""Dialogues -> a matrix (dense or sparse), one row a turn, in order."""

_BATCH = 256
_LEAST = 0.01
"""Share of a side's turns below which an act is left out: its few turns would weigh as much as many others."""


class Weighted(NamedTuple):
    """The turns of a fit: first the real side's, then the synthetic side's."""

    labels: np.ndarray
    """1 for real."""
    weights: np.ndarray
    """0 for turns whose act the other side (almost) lacks; their mean is 1. All 0 where the sides share no act."""
    acts: frozenset[str]
    """The others."""


def weighted(real: Sequence[Turns], synthetic: Sequence[Turns]) -> Weighted:
    sides = [[turn.given for turns in side for turn in turns] for side in (real, synthetic)]
    counts = [Counter(side) for side in sides]
    acts = {a for a in counts[1] if all(c[a] >= max(1.0, _LEAST * c.total()) for c in counts)}
    of_real = {a: counts[1][a] / counts[0][a] for a in acts}
    weights = np.array([*(of_real.get(a, 0.0) for a in sides[0]), *(float(a in acts) for a in sides[1])])
    labels = np.repeat([1, 0], [len(side) for side in sides])
    return Weighted(labels, weights / weights.mean() if weights.any() else weights, frozenset(acts))


def dialogue_weights(real: Sequence[Turns], synthetic: Sequence[Turns]) -> np.ndarray | None:
    """[dialogues], the real ones first: the mean of its turns' weights, either side adding up to half of the dialogues.
    Real dialogues so have the synthetic mix of acts. None where the sides share no act.
    """
    turns = weighted(real, synthetic).weights
    sizes = np.array([len(turns) for turns in (*real, *synthetic)])
    sums = np.zeros(len(sizes))
    np.add.at(sums, np.repeat(np.arange(len(sizes)), sizes), turns)
    means = sums / np.maximum(sizes, 1)
    if not means.any():
        return None
    for side in (slice(None, len(real)), slice(len(real), None)):
        means[side] *= len(means) / 2 / means[side].sum()
    return means


def by_dialogue(
    dialogues: Iterable[Turns], acts: frozenset[str], score: Callable[[Sequence[Turns]], np.ndarray]
) -> Iterator[float]:
    """The mean score of a dialogue's turns that answer one of `acts`; 0, which says nothing, where there is none.

    `score`: of turns, in the shape of a `Featurise`.
    """
    source = iter(dialogues)
    while batch := list(islice(source, _BATCH)):
        known = [[turn for turn in turns if turn.given in acts] for turns in batch]
        sizes = np.array([len(turns) for turns in known])
        sums = np.zeros(len(known))
        if sizes.any():
            np.add.at(sums, np.repeat(np.arange(len(known)), sizes), score(known))
        yield from (sums / np.maximum(sizes, 1)).tolist()


@dataclass(frozen=True, slots=True)
class FittedLinear:
    featurise: Featurise
    coefficients: np.ndarray
    intercept: float
    acts: frozenset[str]
    learnt: Mapping[str, np.ndarray]
    """What `featurise` has learnt, to be saved."""

    def scores(self, dialogues: Iterable[Turns]) -> Iterator[float]:
        return by_dialogue(
            dialogues, self.acts, lambda known: self.featurise(known) @ self.coefficients + self.intercept
        )

    def arrays(self) -> dict[str, np.ndarray]:
        own = {"coefficients": self.coefficients, "intercept": np.array(self.intercept)}
        return {**self.learnt, **own, "acts": np.array(sorted(self.acts), dtype=np.str_)}

    @classmethod
    def restored(
        cls, featurise: Featurise, arrays: Mapping[str, np.ndarray], learnt: Sequence[str] = ()
    ) -> "FittedLinear":
        acts = frozenset(arrays["acts"].tolist())
        kept = {name: arrays[name] for name in learnt}
        return cls(featurise, arrays["coefficients"], float(arrays["intercept"]), acts, kept)


def fit_linear(
    featurise: Featurise,
    sides: tuple[Sequence[Turns], Sequence[Turns]],
    strength: float,
    seed: int,
    learnt: Mapping[str, np.ndarray],
    features: Any = None,
) -> FittedLinear:
    """A regularised logistic classifier over turns. `sides`: real, synthetic; `features`: theirs, if known already."""
    from sklearn.linear_model import LogisticRegression  # slow to import, and only fitting needs it

    labels, weights, acts = weighted(*sides)
    used = np.flatnonzero(weights)
    if not len(used):
        return FittedLinear(featurise, np.zeros(0), 0.0, acts, learnt)
    features = featurise([*sides[0], *sides[1]]) if features is None else features
    model = LogisticRegression(C=strength, solver="liblinear", max_iter=1000, random_state=seed % 2**32)
    model.fit(features[used], labels[used], sample_weight=weights[used])
    return FittedLinear(featurise, model.coef_[0], float(np.ravel(model.intercept_)[0]), acts, learnt)
