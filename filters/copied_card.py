"""A simulated person that reads its own card out: words about it, not of it."""

from collections.abc import Iterator
from typing import ClassVar

from filters.wording import partner_view, runs, spoken
from schemas.contracts import Detector
from schemas.dialogue import Dialogue
from schemas.judgement import Fault


class CopiedCard(Detector):
    """Finds a run of words of the person's brief or private notes; facts, public text and what was said are free."""

    kinds: ClassVar[tuple[str, ...]] = ("copied_card",)

    span: int = 8
    """Words in a row that prove it."""

    def faults(self, dialogue: Dialogue, since: int = 0) -> Iterator[Fault]:
        view = partner_view(dialogue)
        card = runs(view.brief, self.span).union(*(runs(text, self.span) for text in view.private.values()))
        for told in (view.public, *(f.text for f in view.facts), *(f.value for f in view.facts)):
            card -= runs(told, self.span)
        for said in spoken(dialogue, since) if card else ():
            if not (read_out := card & runs(said.text, self.span)):
                continue
            meant_to_be_said = (v for v in said.turn.labels.values() if isinstance(v, str) and v != said.text)
            free = [*meant_to_be_said, *(t.text or "" for t in said.before)]
            copied = sorted(read_out.difference(*(runs(t, self.span) for t in free)))
            if copied:
                yield Fault(turn=said.place, kind="copied_card", detail=" ".join(copied[0]))
