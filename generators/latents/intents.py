"""Which intent a partner's next message has: P(intent | previous intent, the other side's last act, how far along).

A semi-Markov model fitted on real dialogue (methods §1): transitions between intents with back-off smoothing, and how
often a message is followed by another of the same person before the other side speaks. Counts are stored, so that a
reference's statistics can be added to and reweighted; probabilities follow from them.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from generators.latents.tagger import INTENTS, Act, Intent, act_of, tag
from schemas.dialogue import Dialogue
from schemas.scenario import Value

START = "start"
"""Stands for the previous intent of a first message."""
_BUCKETS = (("first", 0), ("early", 2), ("middle", 5))
_STRENGTHS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)


def bucket(turn: int) -> str:
    """Of a partner's message number `turn`, from 0: first, early (1-2), middle (3-5), late."""
    return next((name for name, last in _BUCKETS if turn <= last), "late")


class Step(NamedTuple):
    """One message of a partner in its context."""

    intent: Intent
    previous: str
    """The partner's previous intent, or START."""
    act: Act
    turn: int
    """Of the partner's messages, from 0."""
    again: bool = False
    """Another message of the same person follows before the other side speaks."""


class TurnIntents(Value):
    """Fitted counts; `probabilities` and `draw` smooth them."""

    counts: dict[str, dict[str, int]]
    """`previous|act|bucket` -> intent -> messages."""
    again: dict[str, float]
    """Intent -> share of its messages that the same person follows with another."""
    strengths: tuple[float, float, float, float] = Field(min_length=4, max_length=4)
    """Pseudo-counts with which each level leans on the next wider one: all over uniform, act, previous and act,
    previous and act and bucket; by leave-one-out likelihood.
    """
    n: int
    """Messages counted."""

    @cached_property
    def _levels(self) -> tuple[Counter[str], dict[str, Counter[str]], dict[str, Counter[str]], dict[str, Counter[str]]]:
        return _levels(self.counts)

    def probabilities(self, previous: str, act: Act, turn: int) -> dict[Intent, float]:
        """Sums to 1; positive for every intent."""
        everything, by_act, by_pair, by_context = self._levels
        pair = f"{previous}|{act}"
        rows = (everything, by_act.get(act), by_pair.get(pair), by_context.get(f"{pair}|{bucket(turn)}"))
        found: dict[Intent, float] = dict.fromkeys(INTENTS, 1 / len(INTENTS))
        for row, strength in zip(rows, self.strengths, strict=True):
            if row is not None:
                total = row.total() + strength
                found = {name: (row[name] + strength * found[name]) / total for name in INTENTS}
        return found

    def draw(
        self,
        previous: str,
        act: Act,
        turn: int,
        rng: Random,
        but: Sequence[Intent] = (),
        weights: Mapping[str, float] = MappingProxyType({}),
    ) -> Intent:
        """`but`: intents that cannot be now; what is left keeps its proportions, times `weights`."""
        found = self.probabilities(previous, act, turn)
        names: list[Intent] = [name for name in INTENTS if name not in but]
        return rng.choices(names, [found[name] * weights.get(name, 1.0) for name in names])[0]

    def log_likelihood(self, step: Step) -> float:
        """Nats."""
        return math.log(self.probabilities(step.previous, step.act, step.turn)[step.intent])


def fit_intents(steps: Iterable[Step]) -> TurnIntents:
    """Raises ValueError without a step."""
    counts: dict[str, Counter[str]] = {}
    seen, again = Counter[str](), Counter[str]()
    for step in steps:
        counts.setdefault(f"{step.previous}|{step.act}|{bucket(step.turn)}", Counter())[step.intent] += 1
        seen[step.intent] += 1
        again[step.intent] += step.again
    if not seen:
        raise ValueError("no message to fit intents on")
    plain = {context: dict(sorted(row.items())) for context, row in sorted(counts.items())}
    return TurnIntents(
        counts=plain,
        again={name: round(again[name] / seen[name], 4) if seen[name] else 0.0 for name in INTENTS},
        strengths=_strengths(plain),
        n=seen.total(),
    )


def steps_of(dialogue: Dialogue) -> Iterator[Step]:
    """The partner's messages of a dialogue in their contexts."""
    previous, number = START, 0
    others: list[str] = []
    mine: list[str] = []
    spoken = [t for t in dialogue.turns if t.text]
    for n, turn in enumerate(spoken):
        text = turn.text or ""
        if turn.role != dialogue.partner:
            others, mine = ([] if mine else others), []
            others.append(text)
            continue
        intent = tag(text, others, mine).intent
        again = n + 1 < len(spoken) and spoken[n + 1].role == dialogue.partner
        yield Step(intent, previous, act_of(others), number, again)
        mine.append(text)
        previous, number = intent, number + 1


def _levels(
    counts: Mapping[str, Mapping[str, int]],
) -> tuple[Counter[str], dict[str, Counter[str]], dict[str, Counter[str]], dict[str, Counter[str]]]:
    """All messages, and those by act, by previous intent and act, by the whole context."""
    everything: Counter[str] = Counter()
    by_act: dict[str, Counter[str]] = {}
    by_pair: dict[str, Counter[str]] = {}
    by_context: dict[str, Counter[str]] = {}
    for context, row in counts.items():
        previous, act, _ = context.split("|")
        everything.update(row)
        by_act.setdefault(act, Counter()).update(row)
        by_pair.setdefault(f"{previous}|{act}", Counter()).update(row)
        by_context[context] = Counter(row)
    return everything, by_act, by_pair, by_context


def _strengths(counts: Mapping[str, Mapping[str, int]]) -> tuple[float, float, float, float]:
    """Level by level the pseudo-count under which each message is likeliest given the others."""
    everything, by_act, by_pair, by_context = _levels(counts)
    above: dict[str, dict[Intent, float]] = {"": dict.fromkeys(INTENTS, 1 / len(INTENTS))}
    found: list[float] = []
    for rows, wider in (
        ({"": everything}, _whole),
        (by_act, _whole),
        (by_pair, _act),
        (by_context, _pair),
    ):
        strength = max(_STRENGTHS, key=partial(_likelihood, rows, above, wider))
        found.append(strength)
        above = {
            key: {name: (row[name] + strength * above[wider(key)][name]) / (row.total() + strength) for name in INTENTS}
            for key, row in rows.items()
        }
    return found[0], found[1], found[2], found[3]


def _whole(key: str) -> str:
    return ""


def _act(pair: str) -> str:
    return pair.split("|")[1]


def _pair(context: str) -> str:
    return context.rpartition("|")[0]


def _likelihood(
    rows: Mapping[str, Counter[str]],
    above: Mapping[str, Mapping[Intent, float]],
    wider: Callable[[str], str],
    strength: float,
) -> float:
    """Log-likelihood of each message given the others of its row."""
    total = 0.0
    for key, row in rows.items():
        parent, n = above[wider(key)], row.total() - 1 + strength
        total += sum(
            count * math.log((count - 1 + strength * parent[name]) / n) for name in INTENTS if (count := row[name])
        )
    return total
