"""A simulated person that gives another value than its card: 300 for a budget of 200, Rome for Paris."""

import re
from typing import ClassVar

from filters.wording import (
    clauses,
    content,
    coverage,
    heard_question,
    numbers,
    other_value,
    tokens,
)
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault
from schemas.scenario import Fact

_NONE = re.compile(
    r"\b(yes|yeah|yep|no|nope|not|any|anything|whatever|whichever|idk|dunno|don'?t|sure|ok|okay|thanks?|none|maybe|hm+|good)\b",
    re.I,
)


class CardContradiction(Detector):
    """Finds another value stated for something the person has a fact of."""

    kinds: ClassVar[tuple[str, ...]] = ("card_contradiction",)

    drops: bool = False

    def fault(self, said: Said) -> Fault | None:
        facts = () if said.turn.labels.get("scripted") else said.view.facts
        for fact in facts:
            others = {n for f in facts if f is not fact for n in numbers(f"{f.text} {f.value}")}
            value = _instead(said, fact, others)
            if value is not None:
                detail = f"{value!r} for {fact.text!r}: {said.text[:80]}"
                return Fault(turn=said.place, kind="card_contradiction", detail=detail)
        return None


def _instead(said: Said, fact: Fact, others: set[str]) -> str | None:
    """`others`: numbers of other facts, which may be meant."""
    for clause in clauses(said.text):
        value = other_value(clause, fact)
        if value is not None and value not in others:
            return value
    question = heard_question(said.before, said.turn.role)
    asked = question.count("?") == 1 and bool(content(fact.slot)) and coverage(question, fact.slot) >= 0.75
    return _short_answer(said, fact, others) if asked and fact.value != fact.text else None


def _short_answer(said: Said, fact: Fact, others: set[str]) -> str | None:
    """What a reply of a few words gives where the fact's value was asked for."""
    if (
        len(tokens(said.text)) > 4
        or "?" in said.text
        or fact.id in said.turn.facts_disclosed
        or _NONE.search(said.text)
    ):
        return None
    if told := numbers(fact.value):
        given = numbers(said.text)
        return next(iter(sorted(given - others)), None) if not told & given else None
    named = content(said.text)
    return said.text if named and not named & content(f"{fact.value} {fact.text}") else None
