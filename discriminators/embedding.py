"""Meaning: sees topics and manner where the n-grams see spelling."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from discriminators.turn_scores import Featurise, FittedLinear, fit_linear
from schemas.contracts import Discriminator, EmbedTexts, Turns


class EmbeddingLogistic(Discriminator):
    """A logistic classifier over the embedding of a turn."""

    strength: float = 10.0
    """Inverse of the regularisation (C): smaller is smoother."""

    def fit(self, real: Sequence[Turns], synthetic: Sequence[Turns], embed: EmbedTexts, seed: int) -> FittedLinear:
        return fit_linear(_featurise(embed), (real, synthetic), self.strength, seed, {})

    def restore(self, arrays: Mapping[str, np.ndarray], embed: EmbedTexts) -> FittedLinear:
        return FittedLinear.restored(_featurise(embed), arrays)


def _featurise(embed: EmbedTexts) -> Featurise:
    return lambda dialogues: embed([turn.text for turns in dialogues for turn in turns])


class RememberedEmbed:
    """An embedder that asks for a text once: cross-fitting sees each of them once a fold. Bounded, for long streams."""

    def __init__(self, embed: EmbedTexts, capacity: int = 50_000):
        self._embed = embed
        self._capacity = capacity
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        unknown = [text for text in dict.fromkeys(texts) if text not in self._known]
        fresh = dict(zip(unknown, self._embed(unknown), strict=True)) if unknown else {}
        vectors = np.stack([fresh[text] if text in fresh else self._known[text] for text in texts])
        room = max(0, self._capacity - len(self._known))
        self._known.update(islice(fresh.items(), room))
        return vectors
