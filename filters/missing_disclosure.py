"""A turn that was to tell a fact, is labelled so, and does not."""

import re
from typing import ClassVar

from filters.wording import content, coverage, numbers, tokens
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault
from schemas.scenario import Fact

_FEW = frozenset(
    re.findall(r"\w+", "one a an single me myself i solo alone no none any zero without once first direct")
)


class MissingDisclosure(Detector):
    """Finds facts that a turn's label says came out and whose value and words are not there."""

    kinds: ClassVar[tuple[str, ...]] = ("missing_disclosure",)

    share: float = 0.25
    """Of a fact's words: a turn that carries fewer, and not its value, does not tell it."""

    def fault(self, said: Said) -> Fault | None:
        for fact in said.view.facts:
            if fact.id in said.turn.facts_disclosed and not self._told(said.text, fact):
                return Fault(turn=said.place, kind="missing_disclosure", detail=f"{fact.id}: {said.text[:80]}")
        return None

    def _told(self, text: str, fact: Fact) -> bool:
        wanted = numbers(fact.value)
        if wanted and len(content(fact.value)) == len(wanted):
            return bool(wanted & numbers(text)) or any(self._in_words(n, text) for n in wanted)
        if not content(fact.value):
            return True  # a yes or no: its words may be any
        if fact.value != fact.text and len(content(fact.value)) < 2:
            return True  # one word has too many others in its place: tv, television
        return coverage(text, fact.value) > self.share or coverage(text, fact.text) > self.share

    @staticmethod
    def _in_words(number: str, text: str) -> bool:
        """ "one ticket", "just me", "no bags"; '19 for 2019."""
        said = set(tokens(text))
        if number in ("0", "1"):
            return bool(said & _FEW)
        return len(number) == 4 and number[2:] in numbers(text)
