"""Characters and words: finds the artefacts an embedding does not see."""

from collections.abc import Sequence
from typing import Any

from discriminators.features import partner_text
from discriminators.logistic import FittedLogistic, fit_logistic
from schemas.contracts import Discriminator, EmbedTexts, Texts

_COUNTS: dict[str, Any] = {"n_features": 2**17, "norm": None, "alternate_sign": False}


class NgramLogistic(Discriminator):
    """A logistic classifier over hashed n-grams of characters and of words (tf-idf)."""

    characters: tuple[int, int] = (1, 4)
    """Shortest and longest n-gram of characters; they cross word boundaries."""
    words: tuple[int, int] = (1, 2)
    """Shortest and longest n-gram of words."""
    strength: float = 10.0
    """Inverse of the regularisation (C): smaller is smoother."""

    def fit(self, real: Sequence[Texts], synthetic: Sequence[Texts], embed: EmbedTexts, seed: int) -> FittedLogistic:
        from sklearn.feature_extraction.text import TfidfTransformer  # slow to import, and only fitting needs it

        tfidf = TfidfTransformer(sublinear_tf=True).fit(self._counts([*real, *synthetic]))

        def featurise(dialogues: Sequence[Texts]) -> Any:
            return tfidf.transform(self._counts(dialogues))

        return fit_logistic(featurise, real, synthetic, self.strength, seed)

    def _counts(self, dialogues: Sequence[Texts]) -> Any:
        """A sparse matrix of counts; hashed, so nothing is learnt and memory stays flat."""
        texts = [partner_text(texts) for texts in dialogues]
        from scipy.sparse import hstack  # slow to import, and only fitting needs it
        from sklearn.feature_extraction.text import HashingVectorizer

        characters = HashingVectorizer(analyzer="char", ngram_range=self.characters, **_COUNTS)
        words = HashingVectorizer(ngram_range=self.words, token_pattern=r"(?u)\b\w[\w']*|[^\w\s]", **_COUNTS)
        return hstack([characters.transform(texts), words.transform(texts)], format="csr")
