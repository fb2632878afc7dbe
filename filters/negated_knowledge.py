"""A simulated person that denies, or claims not to know, what it was given to know."""

import re
from typing import ClassVar

from filters.wording import (
    against,
    clauses,
    content,
    coverage,
    heard_question,
    opposes,
    states_of_self,
    tokens,
)
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault
from schemas.scenario import Fact

_HAS_NONE = re.compile(
    r"\b(?:have|has|'ve|ve|own|got) (?:no|zero)(?! (?:idea|clue|problem|doubt)) ([\w' ]+)"
    r"|\b(?:don'?t|do not|didn'?t|never|haven'?t) (?:really |actually |even )?(?:have|had|own|got|keep)"
    r" (?:an? |any )?([\w' ]+)",
    re.I,
)
_IGNORANT = re.compile(
    r"\bi (?:really |honestly |actually )?(?:don'?t|do not) (?:know|remember|recall)\b(?! (?:if|why|you|much))"
    r"|\b(?:i have )?no (?:idea|clue)\b|\bi(?:'m| am|m) not (?:really )?sure\b|\b(?:dunno|idk)\b"
    r"|\bi (?:can'?t|cannot) (?:say|tell|remember|recall)\b|\bi (?:forgot|forget)\b",
    re.I,
)


class NegatedKnowledge(Detector):
    """Finds a person that says the opposite of a fact of its own, has none of it, or does not know it when asked."""

    kinds: ClassVar[tuple[str, ...]] = ("negated_knowledge",)

    def fault(self, said: Said) -> Fault | None:
        denied = next((f for f in said.view.facts if _denies(said, f)), None)
        if denied is None:
            return None
        return Fault(turn=said.place, kind="negated_knowledge", detail=f"{denied.text!r}: {said.text[:80]}")


def _denies(said: Said, fact: Fact) -> bool:
    for clause in clauses(said.text):
        if opposes(clause, fact.text) or _has_none(clause, fact):
            return True
    return _knows_nothing(said, fact)


def _has_none(clause: str, fact: Fact) -> bool:
    """ "i have no pets", with a fact on pets that is not itself a denial."""
    found = _HAS_NONE.search(clause) if states_of_self(clause) else None
    if not found or against(fact.text):
        return False
    thing = tokens(found[1] or found[2])[:2]
    owns = re.search(r"\b(?:have|has|got|own) (?:an? |two |three |some |my )?(\w+)", fact.text, re.I)
    of_fact = (content(owns[1]) if owns else frozenset[str]()) | (
        content(fact.slot) if len(content(fact.slot)) == 1 else set()
    )
    return bool(thing) and bool(content(" ".join(thing)) & of_fact)


def _knows_nothing(said: Said, fact: Fact) -> bool:
    """Asked for the fact, and ignorant; a program that wants it kept back says so."""
    if not _IGNORANT.search(said.text) or fact.disclose == "never" or said.turn.intent_requested == "decline":
        return False
    if fact.id in said.turn.facts_disclosed or content(fact.text) & content(said.text):
        return False
    asked = {i for t in said.before[-1:] for i in t.facts_asked}
    if asked:
        return fact.id in asked
    question = heard_question(said.before, said.turn.role)
    return len(tokens(said.text)) <= 12 and bool(content(fact.slot)) and coverage(question, fact.slot) >= 0.75
