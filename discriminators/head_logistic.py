"""Behaviour alone: what the label heads can tell apart, and the density ratio that matching on them needs."""

from collections.abc import Mapping, Sequence

import numpy as np

from discriminators.heads import OF_THE_TURN
from discriminators.turn_scores import Featurise, FittedLinear, fit_linear
from schemas.contracts import Discriminator, EmbedTexts, Turns


class HeadLogistic(Discriminator):
    """A logistic classifier over the one-hot labels of a turn."""

    strength: float = 0.01
    """Inverse of the regularisation (C): smaller is smoother. Noise in the many labels that are not skewed costs the
    one that is."""

    def fit(self, real: Sequence[Turns], synthetic: Sequence[Turns], embed: EmbedTexts, seed: int) -> FittedLinear:
        names = sorted({name for turns in (*real, *synthetic) for turn in turns for name in _labels(turn.labels)})
        learnt = {"names": np.array(names, dtype=np.str_)}
        return fit_linear(_one_hot(names), (real, synthetic), self.strength, seed, learnt)

    def restore(self, arrays: Mapping[str, np.ndarray], embed: EmbedTexts) -> FittedLinear:
        return FittedLinear.restored(_one_hot(arrays["names"].tolist()), arrays, ["names"])


def _labels(labels: Mapping[str, str]) -> list[str]:
    return [f"{head}={labels[head]}" for head in OF_THE_TURN]


def _one_hot(names: Sequence[str]) -> Featurise:
    place = {name: n for n, name in enumerate(names)}

    def featurise(dialogues: Sequence[Turns]) -> np.ndarray:
        turns = [turn for turns in dialogues for turn in turns]
        found = np.zeros((len(turns), len(place)), dtype=np.float32)
        for row, turn in zip(found, turns, strict=True):
            row[[place[name] for name in _labels(turn.labels) if name in place]] = 1
        return found

    return featurise
