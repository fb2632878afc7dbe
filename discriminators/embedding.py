"""Meaning: sees topics and manner where the n-grams see spelling."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from discriminators.features import partner_text
from discriminators.logistic import FittedLogistic, fit_logistic
from schemas.contracts import Discriminator, EmbedTexts, Texts


class EmbeddingLogistic(Discriminator):
    """A logistic classifier over the mean of the embeddings of a partner's turns."""

    strength: float = 10.0
    """Inverse of the regularisation (C): smaller is smoother."""

    def fit(self, real: Sequence[Texts], synthetic: Sequence[Texts], embed: EmbedTexts, seed: int) -> FittedLogistic:
        def featurise(dialogues: Sequence[Texts]) -> np.ndarray:
            return mean_embeddings(dialogues, embed)

        return fit_logistic(featurise, real, synthetic, self.strength, seed)


def mean_embeddings(dialogues: Sequence[Texts], embed: EmbedTexts) -> np.ndarray:
    """float32 [dialogues, dim]: mean over turns, scaled to unit length (so the number of turns leaves no trace)."""
    lines = [partner_text(texts).split("\n") for texts in dialogues]
    flat = [line for dialogue in lines for line in dialogue]
    vectors = embed(flat)
    starts = np.cumsum([0, *(len(dialogue) for dialogue in lines[:-1])])
    means = np.add.reduceat(vectors, starts, axis=0)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)


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
