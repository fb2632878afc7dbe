"""A simulated person that reads its own card out: words about it, not of it."""

from collections.abc import Sequence
from typing import ClassVar

from filters.wording import runs, tokens
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault


class CopiedCard(Detector):
    """Finds a run of words of the person's brief or private notes; facts, public text and what was said are free."""

    kinds: ClassVar[tuple[str, ...]] = ("copied_card",)

    span: int = 8
    """Words in a row that prove it."""

    def fault(self, said: Said) -> Fault | None:
        view = said.view
        card = (view.brief, *view.private.values())
        if not any(self._may_read_out(tokens(said.text), text) for text in card):
            return None
        read_out = runs(said.text, self.span) & frozenset[tuple[str, ...]]().union(*(runs(t, self.span) for t in card))
        meant_to_be_said = (v for v in said.turn.labels.values() if isinstance(v, str) and v != said.text)
        told = (view.public, *(f.text for f in view.facts), *(f.value for f in view.facts))
        free = [*told, *meant_to_be_said, *(t.text or "" for t in said.before)]
        copied = sorted(read_out.difference(*(runs(t, self.span) for t in free)))
        return Fault(turn=said.place, kind="copied_card", detail=" ".join(copied[0])) if copied else None

    def _may_read_out(self, words: Sequence[str], card: str) -> bool:
        """Whether the longest word of some `span` words in a row is on the card. False: no run of them is."""
        on_card = " ".join(tokens(card))
        at = -1
        while at + self.span < len(words):
            at = max(range(at + 1, at + 1 + self.span), key=lambda n: len(words[n]))
            if words[at] in on_card:
                return True
        return False
