"""A simulated person that becomes another one: types otherwise, speaks of itself as of somebody else, or takes back
what it said of itself.
"""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from filters.wording import Spoken, clauses, content, numbers, opposes, spoken, states_of_self
from schemas.contracts import Detector
from schemas.dialogue import Dialogue
from schemas.judgement import Fault

_THIRD_PERSON = re.compile(
    r"(?:^|[.!,]\s*)(?:the|this) (?:user|customer|client|person|seeker|persuadee|persona)"
    r" (?:is|was|wants|has|had|would|will|likes|needs|says|said|asks|doesn't|does|thinks|can)\b",
    re.I,
)


class PersonaDrift(Detector):
    """Finds a change of typing, of grammatical person, or of what was said of oneself, within a dialogue."""

    kinds: ClassVar[tuple[str, ...]] = ("persona_drift",)

    drops: bool = False

    least: int = 3
    """Earlier messages of six words or more, all typed alike, from which another way of typing is a change."""

    def faults(self, dialogue: Dialogue, since: int = 0) -> Iterator[Fault]:
        mine: list[Spoken] = []
        told: list[str] = []
        for said in spoken(dialogue):
            change = said.place >= since and (self._typing(said, mine) or _person(said) or _taken_back(said, told))
            if change:
                yield Fault(turn=said.place, kind="persona_drift", detail=f"{change}: {said.text[:80]}")
            mine.append(said)
            told += [c for c in clauses(said.text) if states_of_self(c) and len(content(c)) >= 2]

    def _typing(self, said: Spoken, mine: Sequence[Spoken]) -> str | None:
        """From all lower case without stops to written out, or back; as typed, not as meant."""
        long = [s.turn.text or "" for s in mine if len(s.text.split()) >= 6]
        here = said.turn.text or ""
        if len(long) < self.least or len(here.split()) < 6:
            return None
        if all(_sloppy(t) for t in long) and _neat(here):
            return "typing"
        return "typing" if all(_neat(t) for t in long) and _sloppy(here) else None


def _sloppy(text: str) -> bool:
    return text == text.lower() and not text.rstrip().endswith((".", "!"))


def _neat(text: str) -> bool:
    return text[:1].isupper() and text.rstrip().endswith((".", "!", "?")) and not re.search(r"\bi\b", text)


def _person(said: Spoken) -> str | None:
    heard = any(_THIRD_PERSON.search(t.text or "") for t in said.before)
    return "third person" if not heard and _THIRD_PERSON.search(said.text) else None


def _taken_back(said: Spoken, told: Sequence[str]) -> str | None:
    """Against a statement of its own, or with another number in the same one."""
    for clause in clauses(said.text):
        for earlier in told if states_of_self(clause) else ():
            if len(content(earlier)) >= 2 and opposes(clause, earlier):
                return f"against {earlier[:40]!r}"
            before, now = numbers(earlier), numbers(clause)
            about = content(earlier) - before
            if before and now and not before & now and len(about) >= 2 and about == content(clause) - now:
                return f"against {earlier[:40]!r}"
    return None
