"""A fact that comes out before its turn: the commonest way in which simulated users break their brief (methods §24)."""

from typing import ClassVar

from filters.wording import carries, coverage, heard_question, out_before
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault


class EarlyDisclosure(Detector):
    """Finds facts of a person in its words that this turn was not to tell and nobody had heard."""

    kinds: ClassVar[tuple[str, ...]] = ("early_disclosure",)

    def fault(self, said: Said) -> Fault | None:
        view = said.view
        if not view.facts:
            return None
        due = {*said.turn.facts_disclosed, *said.turn.facts_volunteered}
        told = [f.text for f in view.facts if f.id in due]
        known = "\n".join([view.public, *(t.text or "" for t in said.before), *told])
        out = out_before(said.before) | due
        question = heard_question(said.before, said.turn.role)
        for fact in view.facts:
            if fact.id in out or carries(known, fact) or coverage(known, fact.value) == 1:
                continue
            if carries(said.text, fact, question):
                return Fault(turn=said.place, kind="early_disclosure", detail=f"{fact.id}: {said.text[:80]}")
        return None
