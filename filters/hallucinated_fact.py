"""A simulated person that makes itself up: numbers, names and belongings that nobody gave it.

Only of persons whose view holds facts: the others may say anything. A small fact may be made up rightly ("my brother
called"), so this labels: see docs/faults.md for how often it is wrong on people.
"""

import re
from typing import ClassVar

from filters.wording import clauses, content, numbers, states_of_self
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault
from schemas.scenario import View

_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b")
_CALENDAR = re.compile(
    r"^(mon|tues|wednes|thurs|fri|satur|sun)day$|^(janu|febru)ary$|^(march|april|may|june|july|august|english)$"
    r"|^(septem|octo|novem|decem)ber$|^(christmas|easter|robin|god)$",
    re.I,
)
_OWN = re.compile(
    r"\b(?:i(?: have|'ve got| own| live (?:in|near)| work (?:as|at|in|for)| study|'?m from| am from)"
    r"|my (?:name|age|job|budget|address|wife|husband|son|daughter|cat|dog)(?:'s| is))"
    r" (?:an? |the |two |three |my )?([a-z]+)",
    re.I,
)
_ANYBODYS = frozenset(
    [
        "time",
        "idea",
        "plan",
        "question",
        "problem",
        "feel",
        "day",
        "luck",
        "fun",
        "thing",
        "much",
        "been",
        "no",
        "not",
        "never",
        "a",
        "lot",
    ]
)


class HallucinatedFact(Detector):
    """Finds numbers, names and belongings of a person that are in no fact, view or earlier turn."""

    kinds: ClassVar[tuple[str, ...]] = ("hallucinated_fact",)

    drops: bool = False

    def fault(self, said: Said) -> Fault | None:
        known = f"{_given(said.view)}\n{_heard(said)}"
        invented = _invented(said, known) if said.view.facts and not said.turn.labels.get("scripted") else None
        if invented is None:
            return None
        return Fault(turn=said.place, kind="hallucinated_fact", detail=f"{invented}: {said.text[:80]}")


def _given(view: View) -> str:
    told = [f"{f.slot}\n{f.text}\n{f.value}" for f in view.facts]
    return "\n".join([view.brief, view.public, *view.private.values(), *told])


def _heard(said: Said) -> str:
    """What was said, and what this turn's program put into its mouth."""
    labels = [v for v in said.turn.labels.values() if isinstance(v, str) and v != said.text]
    return "\n".join([*(t.text or "" for t in said.before), *(x for x in labels if x != said.turn.text)])


def _invented(said: Said, known: str) -> str | None:
    new = sorted(numbers(said.text) - numbers(known))
    if new:
        return new[0]
    words = said.text.split()
    shouted = sum(w[:1].isupper() for w in words) > 0.5 * len(words)
    for name in () if shouted else _NAME.findall(said.text):
        if not _CALENDAR.match(name) and name.lower() not in known.lower():
            return name
    for clause in clauses(said.text):
        owned = _OWN.search(clause) if states_of_self(clause) else None
        if owned and owned[1].lower() not in _ANYBODYS and content(owned[1]) - content(known):
            return owned[1]
    return None
