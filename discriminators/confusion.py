"""Shares of labels as they are, from shares as a tagger with known errors predicts them (methods §26.6)."""

from dataclasses import dataclass

import numpy as np

from schemas.judgement import Interval


@dataclass(frozen=True, slots=True)
class Corrected:
    shares: np.ndarray
    """[labels], adding up to 1."""
    intervals: tuple[Interval, ...]
    """By label; `n`: predictions."""


def corrected(predicted: np.ndarray, confusion: np.ndarray, seed: int, draws: int = 500) -> Corrected | None:
    """None where nothing was predicted, or no labelled item tells how a label is predicted.

    `predicted`: [groups, labels], how often each label was predicted in each independent group. `confusion`: [labels,
    labels] counts of hand-labelled items of the same kind of text, rows the true label and columns the predicted one.
    The interval has both errors in it: groups are drawn again, and so are the items of each row.
    """
    if predicted.sum() == 0 or (confusion.sum(axis=1) == 0).any():
        return None
    generator = np.random.default_rng(seed)
    rates = confusion / confusion.sum(axis=1, keepdims=True)
    shares = unconfused(_shares(predicted.sum(axis=0)), rates)
    drawn = np.empty((draws, len(shares)))
    for draw in drawn:
        again = predicted[generator.integers(len(predicted), size=len(predicted))].sum(axis=0)
        items = np.stack([generator.multinomial(int(row.sum()), row / row.sum()) for row in confusion])
        draw[:] = unconfused(
            _shares(again if again.any() else predicted.sum(axis=0)), items / items.sum(axis=1, keepdims=True)
        )
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    n = int(predicted.sum())
    return Corrected(
        shares,
        tuple(
            Interval(float(s), min(float(a), float(s)), max(float(b), float(s)), n)
            for s, a, b in zip(shares, low, high, strict=True)
        ),
    )


def unconfused(predicted: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The shares `p` on the simplex that come nearest `rates.T @ p = predicted`, by least squares.

    Where the rates tell two labels apart badly the answer moves much with little: the interval of `corrected` shows it.
    """
    from scipy.optimize import nnls  # slow to import, and few need it

    heavy = 1e4  # the sum is a constraint, not one more observation
    system = np.vstack([rates.T, np.full(rates.shape[0], heavy)])
    solved, _ = nnls(system, np.append(predicted, heavy))
    return solved / solved.sum()


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / counts.sum()
