"""Turns as their wording: what an embedding of meaning leaves out, and cheap (latent semantic analysis)."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

_FITTED = 20_000
_LEAST, _MOST = 3, 20_000
"""Texts that an n-gram must be in; n-grams."""
_WORD = r"(?u)\b\w[\w']*|[^\w\s]"


def wording(texts: Sequence[str], dims: int = 100, seed: int = 0) -> np.ndarray:
    """float32 [texts, dims], rows of unit length (0 where no n-gram is common): half of words, half of characters.

    Fitted on all of them, whosever they are: sides that say the same are treated alike.
    """
    found = np.zeros((len(texts), dims), dtype=np.float32)
    rows: list[int] = np.random.default_rng(seed).permutation(len(texts))[:_FITTED].tolist()
    some = [texts[i] for i in rows]
    words = TfidfVectorizer(
        ngram_range=(1, 2), token_pattern=_WORD, min_df=_LEAST, max_features=_MOST, sublinear_tf=True
    )
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), min_df=_LEAST, max_features=_MOST, sublinear_tf=True
    )
    for at, counts in ((0, words), (dims // 2, characters)):
        part = _projected(counts, texts, some, dims // 2, seed)
        found[:, at : at + part.shape[1]] = part
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def _projected(counts: TfidfVectorizer, texts: Sequence[str], some: Sequence[str], width: int, seed: int) -> np.ndarray:
    """[texts, at most `width`]; without columns where no n-gram is in enough texts."""
    none = np.zeros((len(texts), 0), dtype=np.float32)
    try:
        fitted = cast(Any, counts.fit_transform(some))  # a sparse matrix; scikit-learn says more kinds
    except ValueError:
        return none
    most = min(width, fitted.shape[1] - 1, fitted.shape[0] - 1)
    if most < 1:
        return none
    with np.errstate(invalid="ignore"):  # texts that are all alike have no variance to explain
        reduced = TruncatedSVD(most, random_state=seed % 2**32).fit(fitted)
    return reduced.transform(counts.transform(texts))
