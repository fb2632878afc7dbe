"""Intents of a chat partner's turns, by hand-made cues: what the fitted transitions count and what detection reports.

The taxonomy (a closed set):
    answer      answers a question in more than a few words
    answer_short  answers a question in at most four words
    answer_ask  answers or reacts, and asks back
    ask         only asks
    share       tells something of one's own, unasked
    react       a short reaction, at most four words, to what was not a question
    decline     refuses, or turns down what was offered
    bye         takes leave
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Literal

from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Value

Intent = Literal["answer", "answer_short", "answer_ask", "ask", "share", "react", "decline", "bye"]
INTENTS: tuple[Intent, ...] = ("answer", "answer_short", "answer_ask", "ask", "share", "react", "decline", "bye")

_BYE = re.compile(
    r"\b(bye|goodbye|see (ya|you)|ttyl|gtg|got to go|gotta go|talk (to you )?later|good night"
    r"|nice (talking|chatting))\b",
    re.I,
)
_DECLINE = re.compile(r"^\W*(no|nah|nope|not really|eh|i don't|i dont|i'd rather|i would rather|maybe not)\b", re.I)


def is_question(text: str) -> bool:
    return "?" in text


def intent(text: str, after_question: bool) -> Intent:
    words = len(text.split())
    if _BYE.search(text) and words <= 15:
        return "bye"
    if is_question(text):
        return "ask" if re.fullmatch(r"[^.!?]*\?+\W*", text) and words <= 12 else "answer_ask"
    if not after_question and _DECLINE.search(text):
        return "decline"
    if after_question:
        return "answer_short" if words <= 4 else "answer"
    return "react" if words <= 4 else "share"


class TurnIntents(Value):
    """P(intent | previous intent of the same side, whether the other side just asked) and what else is fitted of a
    partner's turns.
    """

    transitions: dict[str, dict[str, float]]
    """`<previous intent or start>|<asked or told>` -> intent -> probability."""
    words_mean: float
    """Mean words a message."""
    words_sd: float
    lower_case: float
    """Share of dialogues in which most messages begin in lower case."""
    no_final_stop: float
    """Share of dialogues in which most messages end without . or !"""
    double_text: float
    """Probability that a message is followed by another of the same side."""
    n_dialogues: int
    n_turns: int

    def draw(self, previous: str, asked: bool, rng: Random) -> Intent:
        row = self.transitions[f"{previous}|{'asked' if asked else 'told'}"]
        return rng.choices(INTENTS, [row[name] for name in INTENTS])[0]


def fit_turn_intents(dialogues: Iterable[Dialogue], alpha: float = 1.0) -> TurnIntents:
    """Counts with add-alpha smoothing (methods §1); both sides of a symmetric chat are people, but only the partner's
    is counted.
    """
    counts: dict[str, Counter[str]] = {f"{p}|{a}": Counter() for p in ("start", *INTENTS) for a in ("asked", "told")}
    lengths: list[int] = []
    lower = stops = doubles = n = 0
    for dialogue in dialogues:
        mine = [t for t in dialogue.turns if t.role == dialogue.partner and t.text]
        if not mine:
            continue
        n += 1
        _count(dialogue.turns, dialogue.partner, counts)
        lengths += [len(t.text.split()) for t in mine if t.text]
        lower += _most(t.text[0].islower() for t in mine if t.text)
        stops += _most(t.text.rstrip()[-1:] not in ".!" for t in mine if t.text and not is_question(t.text))
        doubles += sum(a.role == b.role == dialogue.partner for a, b in pairwise(dialogue.turns))
    total = max(len(lengths), 1)
    mean = sum(lengths) / total
    return TurnIntents(
        transitions={
            key: {name: round((row[name] + alpha) / (row.total() + alpha * len(INTENTS)), 4) for name in INTENTS}
            for key, row in counts.items()
        },
        words_mean=round(mean, 2),
        words_sd=round((sum((x - mean) ** 2 for x in lengths) / total) ** 0.5, 2),
        lower_case=round(lower / max(n, 1), 3),
        no_final_stop=round(stops / max(n, 1), 3),
        double_text=round(doubles / total, 3),
        n_dialogues=n,
        n_turns=len(lengths),
    )


def _count(turns: Sequence[Turn], partner: str, counts: dict[str, Counter[str]]) -> None:
    previous, asked = "start", False
    for turn in turns:
        if turn.text is None:
            continue
        if turn.role == partner:
            found = intent(turn.text, asked)
            counts[f"{previous}|{'asked' if asked else 'told'}"][found] += 1
            previous, asked = found, False
        else:
            asked = is_question(turn.text)


def _most(marks: Iterable[bool]) -> bool:
    seen = list(marks)
    return sum(seen) * 2 > len(seen)
