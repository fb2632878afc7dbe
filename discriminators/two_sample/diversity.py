"""How varied the user turns of a side are, beside as many real ones (methods §25). Descriptive: there is no null law.

Both grow with the number of turns and depend on what is answered: so both sides are drawn to the same number of turns
after each act, half of what the smaller side has, 20 times. The spread over such halves is that of the whole (a
delete-half jackknife), which gives the interval.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from discriminators.two_sample.points import Both, Points, side_by_side
from schemas.judgement import Interval

SUBSAMPLES = 20
MOST = 1000
"""Turns of a subsample."""
SIZE = 3
"""Words of a phrase."""
TRUNCATED = 12
"""Words of a turn that are looked at, so that long turns do not repeat more."""

Varied = Callable[[np.ndarray], float]
"""[turns, dims] -> how varied; the rows are what `Points.features` hold."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """`synthetic` is compared with `real`, `floor` is the interval of the same comparison between real halves."""

    value: Interval | None
    floor: Interval | None
    turns: int
    """Of a subsample."""
    reason: str | None = None


def vendi_ratio(real: Points, synthetic: Points, seed: int) -> Diversity:
    """Vendi score (Friedman and Dieng 2023) of the synthetic turns over that of as many real ones: 1 where as varied.
    `features` have unit length.
    """
    return _compared(vendi, real, synthetic, seed, np.divide)


def phrase_overlap(real: Points, synthetic: Points, texts: Sequence[str], seed: int) -> Diversity:
    """Share of a turn's phrases of three words that another of as many turns has, too, less the same of real turns: an
    alarm as self-BLEU is one, for a model that says the same again and again. `features`: int [turns], into `texts`.
    """
    phrases = [frozenset(_phrases(text)) for text in texts]

    def repeated(rows: np.ndarray) -> float:
        some = [phrases[i] for i in rows.tolist() if phrases[i]]
        seen = Counter(phrase for turn in some for phrase in turn)
        shares = [sum(seen[phrase] > 1 for phrase in turn) / len(turn) for turn in some]
        return float(np.mean(shares)) if shares else 0.0

    return _compared(repeated, real, synthetic, seed, np.subtract)


def vendi(features: np.ndarray) -> float:
    """exp of the entropy of the eigenvalues of the cosine kernel over n: how many different turns there seem to be."""
    n = len(features)
    inner = features @ features.T if n < features.shape[1] else features.T @ features
    values = np.clip(np.linalg.eigvalsh(inner.astype(float) / n), 0, None)
    values = values[values > 1e-12] / values.sum()
    return float(np.exp(-(values * np.log(values)).sum()))


def _phrases(text: str) -> list[tuple[str, ...]]:
    words = text.lower().split()[:TRUNCATED]
    return [tuple(words[i : i + SIZE]) for i in range(len(words) - SIZE + 1)]


def _compared(varied: Varied, real: Points, synthetic: Points, seed: int, against: np.ufunc) -> Diversity:
    both = side_by_side(real, synthetic)
    if both.reason is not None:
        return Diversity(None, None, 0, both.reason)
    generator = np.random.default_rng(seed)
    sides = np.arange(both.real + both.synthetic)
    real_side, synthetic_side = sides[: both.real], sides[both.real :]
    counts = _sizes(both)
    found: list[float] = []
    floor: list[float] = []
    for _ in range(SUBSAMPLES):
        halves = np.array_split(generator.permutation(real_side), 2)
        drawn = [_drawn(both, side, counts, generator) for side in (synthetic_side, real_side, *halves)]
        here, there, one, other = (varied(rows) for rows in drawn)
        found.append(float(against(here, there)))
        floor.append(float(against(one, other)))
    n = min(both.real, both.synthetic)
    return Diversity(_interval(found, n), _interval(floor, n), int(sum(counts)))


def _sizes(both: Both) -> list[int]:
    """Turns to draw after each act: in the synthetic mix, half of what the scarcer side has."""
    turns = [(np.sum(act.owners < both.real), np.sum(act.owners >= both.real)) for act in both.acts]
    total = min(min(side) / act.share for side, act in zip(turns, both.acts, strict=True)) / 2
    return [max(1, int(min(total, MOST) * act.share)) for act in both.acts]


def _drawn(both: Both, owners: np.ndarray, counts: Sequence[int], generator: np.random.Generator) -> np.ndarray:
    """As many turns of these groups after each act as `counts` says, or all there are."""
    member = np.zeros(both.real + both.synthetic, dtype=bool)
    member[owners] = True
    rows: list[np.ndarray] = []
    for act, count in zip(both.acts, counts, strict=True):
        mine = np.flatnonzero(member[act.owners])
        rows.append(act.features[generator.permutation(mine)[:count]])
    return np.concatenate(rows)


def _interval(values: Sequence[float], n: int) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(np.mean(values)), float(low), float(high), n)
