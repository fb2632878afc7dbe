"""People as discriminators: how often a synthetic user is taken for the real person of a pair (methods §1 and §25).

A fool rate of .5 is what a coin would give: nobody can tell. Answers of one rater are alike, and so are answers to one
trial: variances are clustered both ways (Cameron, Gelbach and Miller 2011), and Wilson's interval is taken at the
number of independent answers that the variance is worth, with Student's quantile for the few raters there are.
`benchmarks/human_intervals.py` measures how often these intervals hold.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import median
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from schemas.judgement import Interval
from schemas.trial import Answer, Key, Kind

CATCH_BAR = 0.75
"""Least share of catch trials that a rater gets right; of eight, six. Who guesses reaches it one time in seven."""
FEW_RATERS = 5
"""Below this many the raters at hand are told of, too: little is known of how raters differ."""


def needed_to_detect(share: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Independent judgements until raters who are right with `share` are found better than chance (one-sided)."""
    spread = ndtri(1 - alpha) / 2 + ndtri(power) * sqrt(share * (1 - share))
    return ceil((spread / (share - 0.5)) ** 2)


def needed_for_equivalence(delta: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Independent judgements until a true rate of .5 is found within .5 ± `delta` (two one-sided tests)."""
    return ceil(((ndtri(1 - alpha) + ndtri((1 + power) / 2)) / (2 * delta)) ** 2)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its interval. None, with a reason, where nobody answered."""

    interval: Interval | None
    """95%; its `n` is the number of answers."""
    bounds: tuple[float, float] | None = None
    """One-sided 95% bounds, lower and upper: what claims are decided by."""
    raters: int = 0
    trials: int = 0
    worth: float | None = None
    """How many independent answers the variance is worth."""
    reason: str | None = None


class Rater(NamedTuple):
    """One rater. Shares are None where there was nothing to answer."""

    name: str
    answers: int
    catch_right: int
    catch_answers: int
    kept: bool
    """False: below CATCH_BAR; the answers count in no figure but `everybody`."""
    fool_rate: float | None
    left: float | None
    """Share of choices that were the left side, over all trials."""
    unsure: int
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class TwoAlternative:
    fool_rate: Rate
    """Share of real-against-synthetic answers that took the synthetic side for real; "cannot tell" counts half."""
    these_raters: Rate
    """The same, of these very raters: clustered by trial alone."""
    everybody: Rate
    """The fool rate with the raters that were left out."""
    floor: Rate
    """Real against real: how often the side drawn beforehand was chosen."""
    left: Rate
    """Real against real: how often the left side was chosen. Away from .5 is a bias of position."""
    unsure: int
    """Of the answers behind `fool_rate`."""
    raters: tuple[Rater, ...]
    delta: float
    verdict: str
    """detected, reversed (synthetic users are taken for real the more often), equivalent, undecided or none."""
    sentence: str
    """The verdict in words, with its numbers."""


def two_alternative(answers: Sequence[Answer], keys: Iterable[Key], delta: float = 0.05) -> TwoAlternative:
    """Every answer's trial must be among `keys`; a rater answers a trial at most once."""
    by_trial = {key.trial: key for key in keys}
    raters = tuple(_rater(name, given, by_trial) for name, given in sorted(_by_rater(answers).items()))
    out = {rater.name for rater in raters if not rater.kept}
    kept = [a for a in answers if a.rater not in out]
    test, control = (_of_kind(kept, by_trial, kind) for kind in ("test", "control"))
    reason = "no_rater_passed_the_catch_trials" if answers and not kept else "no_answers"
    fooled = _rate(test, [_fooled(a, by_trial[a.trial]) for a in test], reason)
    these = _rate(test, [_fooled(a, by_trial[a.trial]) for a in test], reason, by_raters=False)
    everyone = _of_kind(answers, by_trial, "test")
    verdict, sentence = _verdict(fooled, these, delta)
    return TwoAlternative(
        fool_rate=fooled,
        these_raters=these,
        everybody=_rate(everyone, [_fooled(a, by_trial[a.trial]) for a in everyone], "no_answers"),
        floor=_rate(control, [_fooled(a, by_trial[a.trial]) for a in control], reason),
        left=_rate(control, [_left(a) for a in control], reason),
        unsure=sum(a.choice == "unsure" for a in test),
        raters=raters,
        delta=delta,
        verdict=verdict,
        sentence=sentence,
    )


def fooled_by_trial(answers: Iterable[Answer], keys: Iterable[Key]) -> dict[str, tuple[int, float]]:
    """Trial of real against synthetic -> its answers, and the share of them that took the synthetic side for real."""
    by_trial = {key.trial: key for key in keys if key.kind == "test"}
    values: defaultdict[str, list[float]] = defaultdict(list)
    for answer in answers:
        if answer.trial in by_trial:
            values[answer.trial].append(_fooled(answer, by_trial[answer.trial]))
    return {trial: (len(found), sum(found) / len(found)) for trial, found in values.items()}


def _by_rater(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    found: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        found[answer.rater].append(answer)
    return found


def _of_kind(answers: Sequence[Answer], keys: Mapping[str, Key], kind: Kind) -> list[Answer]:
    return [a for a in answers if keys[a.trial].kind == kind]


def _fooled(answer: Answer, key: Key) -> float:
    return 0.5 if answer.choice == "unsure" else float(answer.choice == key.synthetic)


def _left(answer: Answer) -> float:
    return 0.5 if answer.choice == "unsure" else float(answer.choice == "left")


def _rater(name: str, answers: Sequence[Answer], keys: Mapping[str, Key]) -> Rater:
    catch = _of_kind(answers, keys, "catch")
    right = sum(a.choice not in ("unsure", keys[a.trial].synthetic) for a in catch)
    fooled = [_fooled(a, keys[a.trial]) for a in _of_kind(answers, keys, "test")]
    chosen = Counter(a.choice for a in answers)
    decided = chosen["left"] + chosen["right"]
    seconds = [a.seconds for a in answers if a.seconds is not None]
    return Rater(
        name=name,
        answers=len(answers),
        catch_right=right,
        catch_answers=len(catch),
        kept=right >= CATCH_BAR * len(catch),
        fool_rate=sum(fooled) / len(fooled) if fooled else None,
        left=chosen["left"] / decided if decided else None,
        unsure=chosen["unsure"],
        median_seconds=median(seconds) if seconds else None,
    )


def _rate(answers: Sequence[Answer], values: Sequence[float], reason: str, *, by_raters: bool = True) -> Rate:
    """`by_raters`: of raters like these, where there are two at least; else of these raters."""
    if not answers:
        return Rate(None, reason=reason)
    names = [a.rater for a in answers], [a.trial for a in answers]
    raters, trials = (len(set(n)) for n in names)
    scored = np.asarray(values)
    share, n = float(scored.mean()), len(scored)
    clusters = [(np.unique(of, return_inverse=True)[1], size) for of, size in zip(names, (raters, trials), strict=True)]
    used = [c for c in clusters[0 if by_raters else 1 :] if c[1] > 1]
    worth = _worth(scored, trials, used)
    freedom = min((size - 1 for _, size in used), default=1)
    low, high = _wilson(share, worth, float(stdtrit(freedom, 0.975)))
    lower, upper = _wilson(share, worth, float(stdtrit(freedom, 0.95)))
    return Rate(Interval(share, low, high, n), (lower, upper), raters, trials, worth)


def _worth(values: np.ndarray, trials: int, clusters: Sequence[tuple[np.ndarray, int]]) -> float:
    """Independent answers that would vary as much; never more than there are answers.

    Where all answers agree, nothing is seen of how they vary: then it is the number of trials.
    """
    n = len(values)
    rest = values - values.mean()
    alone = float((rest**2).sum()) / n**2
    if alone == 0.0:
        return float(trials)
    parts = [float((np.bincount(of, rest) ** 2).sum()) / n**2 * size / (size - 1) for of, size in clusters]
    variance = max([alone, *parts, sum(parts) - alone * (len(parts) - 1)])
    return max(1.0, alone * n / variance)


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    middle, half = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _verdict(rate: Rate, these: Rate, delta: float) -> tuple[str, str]:
    if rate.interval is None or rate.bounds is None or these.bounds is None:
        return "none", f"nothing can be said: {(rate.reason or 'no_answers').replace('_', ' ')}"
    verdict, sentence = _claim(rate.bounds, delta)
    counted = f"{rate.interval.n} answers of {rate.raters} raters to {rate.trials} trials"
    if rate.raters >= FEW_RATERS:
        return verdict, f"{sentence} ({counted})"
    few = f"{rate.raters} raters say little of others; of these alone"
    if rate.raters == 1:
        verdict, sentence = _claim((0.0, 1.0), delta)
        counted = counted.replace("raters", "rater")
        few = "one rater says nothing of others; of this one alone"
    return verdict, f"{sentence} ({counted}). {few[0].upper()}{few[1:]}: {_claim(these.bounds, delta)[1]}"


def _claim(bounds: tuple[float, float], delta: float) -> tuple[str, str]:
    lower, upper = bounds
    within = 0.5 - delta < lower and upper < 0.5 + delta
    if upper < 0.5 or lower > 0.5:
        verdict = "detected" if upper < 0.5 else "reversed"
        return verdict, _IN_WORDS[verdict] + (f", yet by no more than {delta:g}" if within else "")
    verdict = "equivalent" if within else "undecided"
    return verdict, _IN_WORDS[verdict].format(delta=f"{delta:g}")


_IN_WORDS = {
    "detected": "detected: people tell the synthetic users from the real ones",
    "reversed": "told apart: the synthetic users were taken for real more often than the real ones",
    "equivalent": "equivalent within {delta}: people cannot tell the synthetic users from the real ones",
    "undecided": "undecided: neither a difference nor equivalence within {delta} is shown",
}
