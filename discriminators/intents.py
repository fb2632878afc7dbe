"""A second tagger of turn intents, and what it counts in dialogues.

`generators.latents.tagger` is linear over words and takes part in generation: it fits the transitions and labels turns.
This one is linear over frozen sentence embeddings, learns from the same hand labels, and only reports: it never
generates or filters. Its errors are not independent of the first one's where the labels themselves are wrong.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from schemas.contracts import EmbedTexts
from schemas.judgement import Interval

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

STRENGTH = 3.0
"""Inverse of the regularisation (C); by cross-validation over the training dialogues."""


class Said(NamedTuple):
    """A message and what was said right before it."""

    text: str
    before: str
    """Empty: nothing was."""
    own: bool
    """`before` is of the same person."""

    @classmethod
    def of(cls, text: str, others: Sequence[str], mine: Sequence[str]) -> "Said":
        """`others`, `mine`: as in `generators.latents.hand_labels.Message`."""
        return cls(text, (mine or others or [""])[-1], bool(mine))


@dataclass(frozen=True, slots=True)
class SecondTagger:
    embed: EmbedTexts
    model: "LogisticRegression"

    def tag(self, messages: Sequence[Said]) -> list[str]:
        if not messages:
            return []
        return [str(name) for name in self.model.predict(_features(messages, self.embed))]


def fit_second_tagger(
    messages: Sequence[Said], intents: Sequence[str], embed: EmbedTexts, strength: float = STRENGTH
) -> SecondTagger:
    from sklearn.linear_model import LogisticRegression  # slow to import, and only fitting needs it

    model = LogisticRegression(C=strength, max_iter=1000)
    return SecondTagger(embed, model.fit(_features(messages, embed), list(intents)))


def _features(messages: Sequence[Said], embed: EmbedTexts) -> np.ndarray:
    """[messages, 3 dim + 2]: the message; what was before it, in one place when another said it and in another when it
    is of the same person; which of both.
    """
    vectors = embed([text or " " for m in messages for text in (m.text, m.before)])
    mine, before = vectors[0::2], vectors[1::2]
    own = np.array([[m.own] for m in messages], dtype=vectors.dtype)
    other = np.array([[bool(m.before) and not m.own] for m in messages], dtype=vectors.dtype)
    return np.hstack([mine, before * own, before * other, own, other])


class Agreement(NamedTuple):
    """Of two labellings, about one label."""

    n: int
    """Items that the first labelling gives it."""
    found: float | None
    """Share of them that the second gives it too; None without one."""
    kappa: float | None
    """Cohen's kappa of "is it this label?"; None where neither labelling varies."""


def agreement(table: np.ndarray) -> Agreement:
    """`table`: [4], items that are (both, first only, second only, neither) of the label."""
    both, first, second, neither = (float(x) for x in table)
    n, a, b = both + first + second + neither, both + first, both + second
    chance = (a * b + (n - a) * (n - b)) / n**2 if n else 1.0
    kappa = ((both + neither) / n - chance) / (1 - chance) if chance < 1 else None
    return Agreement(round(a), both / a if a else None, kappa)


def tables(groups: Iterable[Sequence[tuple[str, str]]], label: str) -> np.ndarray:
    """[groups, 4] for `agreement`, from (first, second) labels."""
    rows: list[list[int]] = []
    for pairs in groups:
        seen = Counter((a == label, b == label) for a, b in pairs)
        rows.append([seen[True, True], seen[True, False], seen[False, True], seen[False, False]])
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def confusion(pairs: Iterable[tuple[str, str]], labels: Sequence[str]) -> np.ndarray:
    """[labels, labels]: how often the first labelling gives a row's label and the second a column's."""
    place = {name: n for n, name in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)))
    for first, second in pairs:
        counts[place[first], place[second]] += 1
    return counts


def accuracy(confused: np.ndarray) -> float | None:
    return float(np.trace(confused) / confused.sum()) if confused.any() else None


def overall_kappa(confused: np.ndarray) -> float | None:
    """Cohen's, over all labels."""
    n = float(confused.sum())
    chance = float(confused.sum(axis=0) @ confused.sum(axis=1)) / n**2 if n else 1.0
    return (float(np.trace(confused)) / n - chance) / (1 - chance) if chance < 1 else None


def resampled(
    rows: np.ndarray, statistic: Callable[[np.ndarray], float | None], draws: int, rng: np.random.Generator
) -> np.ndarray:
    """float64 [draws]: the statistic of the summed rows, rows drawn with replacement; NaN where it is None."""
    n = len(rows)
    sums = (rows[rng.integers(n, size=n)].sum(axis=0) for _ in range(draws)) if n else iter(())
    return np.array([np.nan if (value := statistic(s)) is None else value for s in sums])


def percentiles(value: float | None, drawn: np.ndarray, n: int) -> Interval | None:
    """95%; None without a value, or with fewer than two independent things."""
    known = drawn[~np.isnan(drawn)]
    if value is None or n < 2 or not len(known):
        return None
    low, high = (float(q) for q in np.percentile(known, (2.5, 97.5)))
    return Interval(value, min(low, value), max(high, value), n)


Counts = Counter[Hashable]
"""Of one dialogue's (or group's) bigrams."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Total variation (half the summed difference of shares) of bigrams, between equally large samples."""

    apart: Interval
    """Real against simulated, mean over random samples. The interval has the spread of a bootstrap over groups around
    it: a resample's own total variation is too high, for its groups repeat.
    """
    floor: float
    """95th percentile between two disjoint samples of the real side."""
    groups: int
    """In each sample."""
    covered: float
    """Share of the real bigrams that are compared: those of strata with enough of them in each sample."""

    def within(self, margin: float) -> Literal["met", "not met", "not shown"]:
        """Whether it is at most `margin` above the floor; the interval decides."""
        bar = self.floor + margin
        if self.covered < COVERED:
            return "not shown"
        return "met" if self.apart.high <= bar else "not met" if self.apart.low > bar else "not shown"


COVERED = 0.9
"""Of the real bigrams, for a distance to say anything."""
LEAST_OF_A_STRATUM = 10
"""Bigrams of a sample below which two of them are not compared."""


def distance(
    real: Sequence[Counts],
    simulated: Sequence[Counts],
    rng: np.random.Generator,
    draws: int = 200,
    given: Callable[[Hashable], Hashable] | None = None,
) -> Distance | None:
    """None where a side has too few groups: 4 real ones, 2 simulated ones.

    `given`: of a bigram what it is compared given, as the other side's act. Within each such stratum the samples are
    thinned to one number of bigrams (the fewer, the further apart by chance), and the distances are weighed by the real
    shares.
    """
    size = min(len(real) // 2, len(simulated))
    if size < 2:
        return None
    left, right, keys = _matrix(real, simulated)
    strata = [given(key) if given else None for key in keys]
    within = [np.array([s == stratum for s in strata]) for stratum in dict.fromkeys(strata)]
    shares = np.array([left[:, w].sum() for w in within]) / left.sum()

    def thinned(counts: np.ndarray, to: int) -> np.ndarray:
        return rng.multivariate_hypergeometric(counts.astype(np.int64), to)

    def apart(a: np.ndarray, b: np.ndarray, floor: np.ndarray) -> tuple[float, float, float]:
        """Of a real sample the distance to a simulated one and to another real one, and the share that was compared."""
        distances = np.zeros((len(within), 2))
        enough = np.zeros(len(within), bool)
        for n, w in enumerate(within):
            least = int(min(side[w].sum() for side in (a, b, floor)))
            enough[n] = least >= (LEAST_OF_A_STRATUM if given else 1)
            if enough[n]:
                one, *others = (thinned(side[w], least) for side in (a, b, floor))
                distances[n] = [np.abs(one - other).sum() / 2 / least for other in others]
        covered = float(shares[enough].sum())
        means = shares[enough] @ distances[enough] / covered if covered else np.ones(2)
        return float(means[0]), float(means[1]), covered

    def halves() -> tuple[np.ndarray, np.ndarray]:
        order = rng.permutation(len(left))
        return left[order[:size]].sum(axis=0), left[order[-size:]].sum(axis=0)

    def again(rows: np.ndarray) -> np.ndarray:
        return rows[rng.integers(len(rows), size=size)].sum(axis=0)

    found: list[tuple[float, float, float]] = []
    for _ in range(draws):
        one, other = halves()
        found.append(apart(one, right[rng.permutation(len(right))[:size]].sum(axis=0), other))
    value, _, covered = np.mean(found, axis=0)
    drawn = np.array([apart(again(left), again(right), again(left))[0] for _ in range(draws)])
    low, high = (float(q) for q in np.percentile(drawn - drawn.mean(), (2.5, 97.5)))
    n = min(len(left), len(right))
    interval = Interval(float(value), max(0.0, value + min(low, 0.0)), min(1.0, value + max(high, 0.0)), n)
    return Distance(interval, float(np.percentile([f for _, f, _ in found], 95)), size, float(covered))


def _matrix(real: Sequence[Counts], simulated: Sequence[Counts]) -> tuple[np.ndarray, np.ndarray, list[Hashable]]:
    """[groups, bigrams] of each side, and the bigrams."""
    place = {key: n for n, key in enumerate(dict.fromkeys(key for counts in (*real, *simulated) for key in counts))}
    sides: list[np.ndarray] = []
    for side in (real, simulated):
        rows = np.zeros((len(side), len(place)))
        for row, counts in zip(rows, side, strict=True):
            for key, count in counts.items():
                row[place[key]] = count
        sides.append(rows)
    return sides[0], sides[1], list(place)


class Guide(NamedTuple):
    """A kind of instruction that STAR's users got while they wrote (docs/star_user_guide.md)."""

    kind: str
    when: Literal["now", "later", "no"]
    """now: the next message has to follow it; later: some message may, or has to once something has happened;
    no: it asks for no intent (a fact, a style, a topic).
    """
    intents: tuple[str, ...]
    """Any of them follows it; none but for `now`."""
    pattern: re.Pattern[str]
    """Found in the instruction; the first kind that is found counts."""


@cache
def guides() -> tuple[Guide, ...]:
    text = resources.files("discriminators").joinpath("star_user_guide.csv").read_text()
    return tuple(
        Guide(r["kind"], r["when"], tuple(r["intents"].split()), re.compile(r["pattern"], re.I))  # pyright: ignore[reportArgumentType]
        for r in csv.DictReader(text.splitlines())
    )


def guide_of(instruction: str) -> Guide | None:
    """None: of no known kind."""
    return next((g for g in guides() if g.pattern.search(instruction)), None)


class Told(NamedTuple):
    """A user's message; `guide`: the instruction right before it, None for none."""

    guide: Guide | None
    first: bool
    """The user's first."""
    text: str
    others: Sequence[str]
    mine: Sequence[str]
    """As in `Said.of`."""


def told_messages(turns: Sequence[tuple[bool, str]], guide: Iterable[tuple[int, str]]) -> Iterator[Told]:
    """`turns`: (is the user's, text); `guide`: (turn before which it came, instruction). A message after several
    instructions, or after one of no known kind, is left out.
    """
    given: dict[int, list[Guide | None]] = {}
    for at, text in guide:
        follows = next((n for n in range(at, len(turns)) if turns[n][0]), None)
        if follows is not None:
            given.setdefault(follows, []).append(guide_of(text.partition(" [instruction")[0].strip()))
    others: list[str] = []
    mine: list[str] = []
    first = True
    for n, (user, text) in enumerate(turns):
        if not user:
            others, mine = [*([] if mine else others), text], []
            continue
        match given.get(n):
            case None:
                yield Told(None, first, text, others, mine)
            case [Guide() as one]:
                yield Told(one, first, text, others, mine)
            case _:
                pass
        mine, first = [*mine, text], False
