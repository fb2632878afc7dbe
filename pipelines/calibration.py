"""How good probability forecasts of a yes-or-no outcome are (methods §8). Proper scores first; calibration alone can be
had by always saying the base rate.

Arrays are float64 [n]: `p` in [0, 1], `y` 0 or 1.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from schemas.judgement import Interval

BINS = 20
DRAWS = 1000


class Bin(NamedTuple):
    """Forecasts of about one size."""

    n: int
    forecast: float
    """Their mean."""
    observed: float
    """The share of their outcomes that happened."""


class Point(NamedTuple):
    """Of the risk-coverage curve."""

    coverage: float
    """Share of the forecasts that are made, the most confident ones."""
    risk: float
    """Their Brier score."""


def brier(p: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((p - y) ** 2))


def brier_skill(p: np.ndarray, y: np.ndarray, reference: np.ndarray) -> float | None:
    """1 - BS / BS of `reference` [n]: 0 as good, 1 perfect; None where the reference is perfect."""
    worst = brier(reference, y)
    return 1 - brier(p, y) / worst if worst else None


def bias(p: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(p) - np.mean(y))


def reliability(p: np.ndarray, y: np.ndarray, bins: int = BINS) -> list[Bin]:
    """By quantiles of `p`; equal forecasts are never parted, so there may be fewer than `bins`."""
    edges = np.unique(np.quantile(p, np.arange(1, bins) / bins))
    place = np.searchsorted(edges, p, side="right")
    members = (place == b for b in np.unique(place))
    return [Bin(int(m.sum()), float(p[m].mean()), float(y[m].mean())) for m in members]


def expected_calibration_error(p: np.ndarray, y: np.ndarray, bins: int = BINS) -> float:
    """ECE = sum_b n_b / n |mean p - mean y|. A rate of few rollouts has some by its noise alone."""
    return sum(b.n * abs(b.forecast - b.observed) for b in reliability(p, y, bins)) / len(p)


def calibration(p: np.ndarray, y: np.ndarray, bins: int = BINS) -> float:
    """CAL = sum_b n_b / n (mean p - mean y)^2."""
    return sum(b.n * (b.forecast - b.observed) ** 2 for b in reliability(p, y, bins)) / len(p)


def resolution(p: np.ndarray, y: np.ndarray, reference: float, bins: int = BINS) -> float:
    """How far outcomes of different forecasts are from the reference: sum_b n_b / n (mean y - reference)^2."""
    return sum(b.n * (b.observed - reference) ** 2 for b in reliability(p, y, bins)) / len(p)


def risk_coverage(p: np.ndarray, y: np.ndarray, prior: np.ndarray) -> list[Point]:
    """From the most confident forecast to all, confidence being the distance from the `prior` [n]. Of equally
    confident ones each counts as their mean.
    """
    confidence, losses = np.abs(p - prior), (p - y) ** 2
    _, ties = np.unique(np.round(-confidence, 12), return_inverse=True)
    means = np.bincount(ties, losses) / np.bincount(ties)
    risks = np.cumsum(means[np.sort(ties)]) / np.arange(1, len(p) + 1)
    return [Point((k + 1) / len(p), float(risk)) for k, risk in enumerate(risks)]


def aurc(p: np.ndarray, y: np.ndarray, prior: np.ndarray) -> float:
    """The area under the risk-coverage curve: the mean risk over all coverages."""
    return float(np.mean([point.risk for point in risk_coverage(p, y, prior)]))


def selective_brier(p: np.ndarray, y: np.ndarray, prior: np.ndarray, coverage: float = 0.8) -> float:
    """The Brier score of the most confident `coverage` of the forecasts."""
    return next(point.risk for point in risk_coverage(p, y, prior) if point.coverage >= coverage - 1e-9)


def bootstrapped(
    figure: Callable[[np.ndarray], float | None], groups: Sequence[str], seed: int, draws: int = DRAWS
) -> Interval | None:
    """A figure of rows with its 95% interval, resampled by whole groups. `figure` is given row numbers; None where it
    has no value, or there are fewer than three groups.
    """
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(group_of == g) for g in range(int(group_of.max(initial=-1)) + 1)]
    value = figure(np.arange(len(groups))) if len(members) > 2 else None
    if value is None:
        return None
    generator = np.random.default_rng(seed)
    chosen = (generator.integers(len(members), size=len(members)) for _ in range(draws))
    found = [v for rows in chosen if (v := figure(np.concatenate([members[g] for g in rows]))) is not None]
    low, high = np.percentile(found, [2.5, 97.5])
    return Interval(value, float(low), float(high), len(members))
