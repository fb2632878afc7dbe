"""The figures of the commitment suite (methods §20), each with its interval, and whether it meets its bar.

The unit is the person: shares have a Wilson 95% interval at as many trials as persons, however often each was asked
(a mean of shares varies no more than that); entropies and intraclass correlations are bootstrapped over persons.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from discriminators.fingerprint import fingerprint
from pipelines.commitment_probes import Answer, Kind, Source
from schemas.dialogue import Dialogue
from schemas.identity import derive
from schemas.judgement import Interval

DRAWS = 2000
STYLE = ("words", "lower_case_starts", "no_final_stop", "typos")
FAR = 0.3
"""With the card at least so much more than without."""
_SOURCES: tuple[Source, ...] = ("first attempt", "after checks", "control")


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    point: str
    """Of the dialogue; empty: all."""
    words: str
    """Whose words: of the first attempt, after checks, of the control."""
    n: int
    """Answers, turns, facts or dialogues."""
    found: Interval | None
    """Its `n` is persons; None: too little to tell."""


class Gate(NamedTuple):
    name: str
    verdict: str


class Trial(NamedTuple):
    person: str
    hit: bool


def share(name: str, point: str, words: str, trials: Sequence[Trial]) -> Figure:
    persons = len({t.person for t in trials})
    if not trials:
        return Figure(name, point, words, 0, None)
    value = sum(t.hit for t in trials) / len(trials)
    return Figure(name, point, words, len(trials), Interval.of_share(value, persons))


def resampled(
    by_person: Sequence[Sequence[float]], figure: Callable[[np.ndarray], float | None], *names: str
) -> Interval | None:
    """`figure` of the rows of all persons, with its percentile bootstrap; None below three persons."""
    rows, generator = np.array(by_person, dtype=np.float64), np.random.default_rng(derive(0, *names))
    value = figure(rows) if len(rows) > 2 else None
    if value is None:
        return None
    drawn = [figure(rows[generator.integers(len(rows), size=len(rows))]) for _ in range(DRAWS)]
    known = [d for d in drawn if d is not None]
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(value, min(value, float(low)), max(value, float(high)), len(rows))


def committed(answers: Iterable[Answer], kind: Kind, source: Source, point: str = "") -> Figure:
    """Of those that were to say it."""
    asked = _of(answers, kind, source, point)
    trials = [Trial(a.person, a.verdict == "committed") for a in asked if a.verdict != "withheld"]
    return share(f"commit, {'asked' if kind == 'reveal' else 'wrong guess'}", point, source, trials)


def commitment(answers: Sequence[Answer]) -> list[Figure]:
    """By kind of probe, point and words; then what the model had no part in."""
    points = list(dict.fromkeys(a.point for a in answers if a.kind != "replay"))
    kinds: tuple[Kind, ...] = ("reveal", "guess")
    found = [committed(answers, k, s, p) for k in kinds for s in _SOURCES for p in (*points, "")]
    for kind, name in (("reveal", "asked"), ("guess", "wrong guess")):
        said = [a for a in answers if a.kind == kind and a.source == "after checks"]
        to_say = [a for a in said if a.verdict != "withheld"]
        found.append(
            share(f"template answers, {name}", "", "after checks", [Trial(a.person, a.template) for a in to_say])
        )
        withheld = [Trial(a.person, a.verdict == "withheld") for a in said]
        found.append(share(f"withheld by the program, {name}", "", "after checks", withheld))
    return [f for f in (*found, *(_entropy(answers, source) for source in _SOURCES)) if f.n]


def _of(answers: Iterable[Answer], kind: Kind, source: Source, point: str) -> list[Answer]:
    return [a for a in answers if (a.kind, a.source) == (kind, source) and point in ("", a.point)]


def _entropy(answers: Iterable[Answer], source: Source) -> Figure:
    """Bits, over the values that answers to one question give; the mean of a person's questions."""
    values: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for a in answers:
        if a.kind == "reveal" and a.source == source and a.value is not None:
            values[a.person, a.dialogue, a.point].append(a.value)
    bits: dict[str, list[float]] = defaultdict(list)
    for (person, *_), given in values.items():
        if len(given) > 1:
            shares = [n / len(given) for n in Counter(given).values()]
            bits[person].append(-sum(p * math.log2(p) for p in shares))
    rows = [[sum(b) / len(b)] for b in bits.values()]
    found = resampled(rows, lambda x: float(x.mean()), "entropy", source)
    return Figure("entropy of revealed values (bits)", "", source, sum(map(len, bits.values())), found)


def inconsistency(answers: Iterable[Answer], source: Source) -> Figure:
    """Answers to one question, put again, that give another value than most of them do."""
    given: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for a in answers:
        if a.kind == "replay" and a.source == source:
            given[a.person, a.dialogue].append(a.value)
    trials: list[Trial] = []
    for (person, _), values in given.items():
        most = Counter(values).most_common(1)[0][0]
        trials += [Trial(person, value != most) for value in values if len(values) > 1]
    return share("inconsistent answers", "", source, trials)


def persona(dialogues: Sequence[Dialogue]) -> list[Figure]:
    """Variance between persons over total, of two dialogues each that the learner led differently."""
    siblings: dict[str, dict[str, Dialogue]] = defaultdict(dict)
    for d in dialogues:
        siblings[d.scenario.group_id].setdefault(d.scenario.policy, d)
    pairs = [[fingerprint(d) for d in list(by.values())[:2]] for by in siblings.values() if len(by) > 1]
    found: list[Figure] = []
    for name in STYLE:
        rows = [[getattr(f, name) for f in pair] for pair in pairs]
        known = [row for row in rows if None not in row]
        icc = resampled(known, intraclass, "persona", name)
        found.append(Figure(f"persona signal (ICC), {name.replace('_', ' ')}", "", "after checks", 2 * len(known), icc))
    return found


def intraclass(pairs: np.ndarray) -> float | None:
    """ICC(1) of pairs [persons, 2]: one-way analysis of variance; None where nothing varies."""
    between = 2 * float(pairs.mean(axis=1).var(ddof=1))
    within = float(((pairs[:, 0] - pairs[:, 1]) ** 2).mean()) / 2
    return (between - within) / (between + within) if between + within > 0 else None


def judged(name: str, found: Interval | None, at_least: float | None = None, at_most: float | None = None) -> Gate:
    """The bound decides, not the point."""
    if found is None:
        return Gate(name, "not shown (nothing to judge)")
    between = f"{found.value:.3f}, {found.low:.3f} to {found.high:.3f}, {found.n} persons"
    met = found.low >= at_least if at_least is not None else at_most is not None and found.high <= at_most
    failed = found.high < at_least if at_least is not None else at_most is not None and found.low > at_most
    return Gate(name, f"{'met' if met else 'not met' if failed else 'not shown'} ({between})")


def gates(figures: Sequence[Figure]) -> list[Gate]:
    """Those of methods §20."""
    by: Mapping[tuple[str, str, str], Interval | None] = {(f.name, f.words, f.point): f.found for f in figures}

    def of(name: str, words: str = "after checks") -> Interval | None:
        return by.get((name, words, ""))

    found = [
        judged(f"{name} with the card >= 0.98", of(name), at_least=0.98)
        for name in ("commit, wrong guess", "commit, asked")
    ]
    for name in ("commit, wrong guess", "commit, asked"):
        found.append(judged(f"{name}: with the card - without >= {FAR}", _apart(of(name), of(name, "control")), FAR))
    found.append(judged("inconsistent answers <= 0.02", of("inconsistent answers"), at_most=0.02))
    found.append(judged("contradictions of the card <= 0.01", of("turns against the card"), at_most=0.01))
    styles = [n.replace("_", " ") for n in STYLE]
    return found + [judged(f"ICC, {n} >= 0.5", of(f"persona signal (ICC), {n}"), at_least=0.5) for n in styles]


def _apart(card: Interval | None, control: Interval | None) -> Interval | None:
    """A difference with an interval that is too wide rather than too narrow."""
    if card is None or control is None:
        return None
    low, high = card.low - control.high, card.high - control.low
    return Interval(card.value - control.value, low, high, min(card.n, control.n))
