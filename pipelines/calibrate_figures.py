"""How far a grader agrees with people (methods §12, §25), clustered by context, beside what needs no reading."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from discriminators.intents import overall_kappa
from pipelines.calibration import bootstrapped, expected_calibration_error
from rewards.grading import Grader
from schemas.identity import derive
from schemas.judgement import Interval

FEW_GROUPS = 30
"""Below this many a bootstrap is too sure of itself (no spread at all where all agree): Wilson's interval is wider."""
LENGTHS = 3
"""Classes of length, equally many texts in each."""


class Pair(NamedTuple):
    """What a person said of a text, and what somebody else did."""

    group: str
    label: str
    other: str | None
    """None: no answer."""
    score: float | None = None
    """Of the other, between choices where several answers differ."""
    confidence: float | None = None
    reason: str | None = None


class Agreement(NamedTuple):
    """None where nothing can be said: no answer at all, fewer than three groups, one label everywhere."""

    accuracy: Interval | None
    kappa: Interval | None
    spearman: Interval | None
    ece: Interval | None
    rows: int
    """With an answer."""
    missing: Mapping[str, int]

    @property
    def rank(self) -> tuple[float, float]:
        """The larger, the better."""
        return (
            -1.0 if self.accuracy is None else self.accuracy.value,
            -1.0 if self.kappa is None else self.kappa.value,
        )


def agreement(pairs: Sequence[Pair], grader: Grader, seed: int) -> Agreement:
    answered = [p for p in pairs if p.other is not None]
    groups = [p.group for p in answered]
    said = np.array([[grader.names.index(p.label), grader.names.index(str(p.other))] for p in answered], int)
    right = np.array([p.label == p.other for p in answered], float)
    values = np.array([np.nan if (v := grader.value_of(p.label)) is None else v for p in answered])
    scores = np.array([np.nan if p.score is None else p.score for p in answered])
    sure = np.array([np.nan if p.confidence is None else p.confidence for p in answered])

    def found(name: str, figure: Callable[[np.ndarray], float | None]) -> Interval | None:
        return bootstrapped(figure, groups, derive(seed, "agreement", name))

    def kappa_of(rows: np.ndarray) -> float | None:
        confused = np.zeros((len(grader.choices),) * 2)
        np.add.at(confused, (said[rows, 0], said[rows, 1]), 1)
        return overall_kappa(confused)

    def ece_of(rows: np.ndarray) -> float | None:
        return expected_calibration_error(sure[rows], right[rows])

    accuracy = found("accuracy", lambda rows: float(right[rows].mean()))
    ordered, told = not np.isnan(values).any() and not np.isnan(scores).any(), not np.isnan(sure).any()
    return Agreement(
        accuracy=None if accuracy is None else _no_narrower_than_wilson(accuracy),
        kappa=found("kappa", kappa_of),
        spearman=found("spearman", lambda rows: spearman(values[rows], scores[rows])) if ordered else None,
        ece=_both_ways(found("ece", ece_of)) if told else None,
        rows=len(answered),
        missing=dict(sorted(Counter(p.reason or "unknown" for p in pairs if p.other is None).items())),
    )


def _no_narrower_than_wilson(found: Interval) -> Interval:
    if found.n >= FEW_GROUPS:
        return found
    wilson = Interval.of_share(found.value, found.n)
    return Interval(found.value, min(found.low, wilson.low), max(found.high, wilson.high), found.n)


def _both_ways(found: Interval | None) -> Interval | None:
    """Resampled, an ECE of few rows is larger than itself: the interval holds the percentiles and their reflection."""
    if found is None:
        return None
    value, low, high, n = found
    return Interval(value, max(0.0, min(low, 2 * value - high)), min(1.0, max(high, 2 * value - low)), n)


def spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    """Correlation of mid-ranks; None where one side does not vary."""
    a, b = (_ranks(v) for v in (x, y))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else None


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def majority(labels: Sequence[str]) -> float:
    """Accuracy of who always says the most frequent of these very labels: no guess of one label does better."""
    return max(Counter(labels).values()) / len(labels)


def by_length(known: Sequence[tuple[str, str]], texts: Sequence[tuple[str, str]]) -> float:
    """Accuracy on `texts` of who says, of short, middling and long texts, what people say most often of `known` ones.
    Both are (text, label).
    """
    cuts = np.quantile([len(text) for text, _ in known], np.arange(1, LENGTHS) / LENGTHS)
    said: dict[int, Counter[str]] = {n: Counter(label for _, label in known) for n in range(LENGTHS)}
    for n in range(LENGTHS):
        here = Counter(label for text, label in known if int(np.searchsorted(cuts, len(text))) == n)
        said[n] = here or said[n]
    guess = {n: min(counts, key=lambda name: (-counts[name], name)) for n, counts in said.items()}
    return float(np.mean([guess[int(np.searchsorted(cuts, len(text)))] == label for text, label in texts]))
