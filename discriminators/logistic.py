"""What the three discriminators share: a regularised logistic classifier over some features of a partner side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.contracts import Texts

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Featurise = Callable[[Sequence[Texts]], Any]
"""Dialogues -> a matrix (dense or sparse), one row a dialogue."""

_BATCH = 256


@dataclass(frozen=True, slots=True)
class FittedLogistic:
    featurise: Featurise
    model: "LogisticRegression"

    def scores(self, dialogues: Iterable[Texts]) -> Iterator[float]:
        source = iter(dialogues)
        while batch := list(islice(source, _BATCH)):
            yield from self.model.decision_function(self.featurise(batch)).tolist()


def fit_logistic(
    featurise: Featurise, real: Sequence[Texts], synthetic: Sequence[Texts], strength: float, seed: int
) -> FittedLogistic:
    """Both classes weigh the same whatever their sizes, so that log-odds 0 means "as likely real as synthetic"."""
    labels = np.repeat([1, 0], [len(real), len(synthetic)])
    from sklearn.linear_model import LogisticRegression  # slow to import, and only fitting needs it

    model = LogisticRegression(
        C=strength, class_weight="balanced", solver="liblinear", dual=True, max_iter=5000, random_state=seed % 2**32
    )
    model.fit(featurise([*real, *synthetic]), labels)
    return FittedLogistic(featurise, model)
