"""Characters and words: finds the artefacts an embedding does not see."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from discriminators.turn_scores import Featurise, FittedLinear, fit_linear
from schemas.contracts import Discriminator, EmbedTexts, Turns

_COUNTS: dict[str, Any] = {"n_features": 2**17, "norm": None, "alternate_sign": False}


class NgramLogistic(Discriminator):
    """A logistic classifier over hashed n-grams of characters and of words (tf-idf) of a turn."""

    characters: tuple[int, int] = (1, 4)
    """Shortest and longest n-gram of characters; they cross word boundaries."""
    words: tuple[int, int] = (1, 2)
    """Shortest and longest n-gram of words."""
    strength: float = 10.0
    """Inverse of the regularisation (C): smaller is smoother."""

    def fit(self, real: Sequence[Turns], synthetic: Sequence[Turns], embed: EmbedTexts, seed: int) -> FittedLinear:
        from sklearn.feature_extraction.text import TfidfTransformer  # slow to import, and only fitting needs it

        if not any(map(len, (*real, *synthetic))):
            return fit_linear(self._counts, (real, synthetic), self.strength, seed, {"idf": np.ones(0)})
        counts = self._counts([*real, *synthetic])
        tfidf = TfidfTransformer(sublinear_tf=True).fit(counts)
        learnt, features = {"idf": tfidf.idf_}, tfidf.transform(counts)
        return fit_linear(self._featurise(tfidf.idf_), (real, synthetic), self.strength, seed, learnt, features)

    def restore(self, arrays: Mapping[str, np.ndarray], embed: EmbedTexts) -> FittedLinear:
        return FittedLinear.restored(self._featurise(arrays["idf"]), arrays, ["idf"])

    def _featurise(self, idf: np.ndarray) -> Featurise:
        from sklearn.feature_extraction.text import TfidfTransformer

        tfidf = TfidfTransformer(sublinear_tf=True)
        tfidf.idf_ = idf
        return lambda dialogues: tfidf.transform(self._counts(dialogues))

    def _counts(self, dialogues: Sequence[Turns]) -> Any:
        """A sparse matrix of counts; hashed, so nothing is learnt and memory stays flat."""
        from scipy.sparse import hstack  # slow to import, and only fitting needs it
        from sklearn.feature_extraction.text import HashingVectorizer

        texts = [turn.text for turns in dialogues for turn in turns]
        characters = HashingVectorizer(analyzer="char", ngram_range=self.characters, **_COUNTS)
        words = HashingVectorizer(ngram_range=self.words, token_pattern=r"(?u)\b\w[\w']*|[^\w\s]", **_COUNTS)
        return hstack([characters.transform(texts), words.transform(texts)], format="csr")
