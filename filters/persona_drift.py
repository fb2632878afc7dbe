"""A simulated person that becomes another one: types otherwise, speaks of itself as of somebody else, or takes back
what it said of itself.
"""

import re
from typing import ClassVar

from filters.wording import clauses, content, has_any, numbers, of_self, opposes, states_of_self
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault

_THIRD_PERSON = re.compile(
    r"(?:^|[.!,]\s*)(?:the|this) (?:user|customer|client|person|seeker|persuadee|persona)"
    r" (?:is|was|wants|has|had|would|will|likes|needs|says|said|asks|doesn't|does|thinks|can)\b",
    re.I,
)

_PERSONS = ("user", "customer", "client", "person", "seeker", "persuadee")


class PersonaDrift(Detector):
    """Finds a change of typing, of grammatical person, or of what was said of oneself, within a dialogue."""

    kinds: ClassVar[tuple[str, ...]] = ("persona_drift",)

    drops: bool = False

    least: int = 3
    """Earlier messages of six words or more, all typed alike, from which another way of typing is a change."""

    def fault(self, said: Said) -> Fault | None:
        change = self._typing(said) or _person(said) or _taken_back(said)
        return Fault(turn=said.place, kind="persona_drift", detail=f"{change}: {said.text[:80]}") if change else None

    def _typing(self, said: Said) -> str | None:
        """From all lower case without stops to written out, or back; as typed, not as meant."""
        here = said.turn.text or ""
        if len(said.mine) < self.least or len(here.split()) < 6:
            return None
        long = [s.turn.text or "" for s in said.mine if len(s.text.split()) >= 6]
        if len(long) < self.least:
            return None
        if all(_sloppy(t) for t in long) and _neat(here):
            return "typing"
        return "typing" if all(_neat(t) for t in long) and _sloppy(here) else None


def _sloppy(text: str) -> bool:
    return text == text.lower() and not text.rstrip().endswith((".", "!"))


def _neat(text: str) -> bool:
    return text[:1].isupper() and text.rstrip().endswith((".", "!", "?")) and not re.search(r"\bi\b", text)


def _person(said: Said) -> str | None:
    if not has_any(said.text, _PERSONS) or not _THIRD_PERSON.search(said.text):
        return None
    return None if any(_THIRD_PERSON.search(t.text or "") for t in said.before) else "third person"


def _taken_back(said: Said) -> str | None:
    """Against a statement of its own, or with another number in the same one."""
    now = [c for c in clauses(said.text) if states_of_self(c)] if said.mine and of_self(said.text) else []
    told = [c for s in said.mine for c in clauses(s.text) if states_of_self(c) and len(content(c)) >= 2] if now else []
    for clause in now:
        for earlier in told:
            if opposes(clause, earlier):
                return f"against {earlier[:40]!r}"
            before, after = numbers(earlier), numbers(clause)
            about = content(earlier) - before
            if before and after and not before & after and len(about) >= 2 and about == content(clause) - after:
                return f"against {earlier[:40]!r}"
    return None
