"""Which value of a fact a simulated user's words give: by its name, by words that only its phrases have, or as the
speakers' checks see it.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from filters.wording import content
from generators.matching import carries, named
from generators.speakers.checks import coverage
from schemas.contracts import Family, Services
from schemas.identity import rng
from schemas.scenario import Fact, parse_number

SAMPLED = 400
"""Scenarios that are sampled for the values a slot may have."""
_NAME_WORDS = 4
"""Longer values are sentences, and no names."""
_SAYS = 0.6
"""Share of a phrase's words from which a text may be saying it."""
_DENIED = re.compile(r"\b(?:not?|never|nothing|without|isnt|wasnt|dont|\w+n['’]t)\b[^,.;:!?]*", re.I)


class Read(NamedTuple):
    own: bool
    """Says the stored value."""
    other: str | None
    """Another value of the slot that it says."""


@dataclass(frozen=True)
class Values:
    """The values the facts of a family may have: slot -> value -> how it is said."""

    phrases: Mapping[str, Mapping[str, frozenset[str]]]
    owners: Mapping[str, frozenset[tuple[str, str]]]
    """Word -> the (slot, value) pairs in whose phrases it stands."""

    @classmethod
    def of(cls, family: Family, seed: int) -> Self:
        """From what the family samples: no family is known here."""
        phrases: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        owners: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for n in range(SAMPLED):
            for fact in family.sample(rng(seed, "values", n)).views[family.partner].facts:
                phrases[fact.slot][fact.value].add(fact.text)
                for word in content(f"{fact.value} {fact.text}"):
                    owners[word].add((fact.slot, fact.value))
        frozen = {slot: {v: frozenset(said) for v, said in sorted(by.items())} for slot, by in phrases.items()}
        return cls(frozen, {word: frozenset(pairs) for word, pairs in owners.items()})

    def others(self, fact: Fact) -> list[str]:
        """Other values of its slot; of a number that has none, one more."""
        found = [value for value in self.phrases.get(fact.slot, {}) if value != fact.value]
        number = parse_number(fact.value)
        return found or ([str(number + 1)] if number is not None else [])

    def says(self, text: str, slot: str, value: str) -> bool:
        """By the value's name, or a word that its phrases alone have: its name's, or one that stands in two of them."""
        if len(value.split()) <= _NAME_WORDS and named(text, [value]):
            return True
        own = frozenset([(slot, value)])
        alone = {word for word in content(text) - content(slot) if self.owners.get(word) == own}
        said = self.phrases.get(slot, {}).get(value, frozenset())
        return any(word in content(value) or sum(word in content(p) for p in said) > 1 for word in alone)

    async def read(self, text: str, fact: Fact, card: Sequence[Fact], services: Services) -> Read:
        """`card`: all facts of whoever speaks, whose words say nothing else."""
        by_name = self.says(text, fact.slot, fact.value)
        own = by_name or await carries(text, fact.text, services)
        theirs = content(" ".join(f"{f.text} {f.value}" for f in card))
        asserted = " ".join(w for w in _DENIED.sub(" ", text).split() if not content(w) & theirs)
        other = next((v for v in self.others(fact) if self.says(asserted, fact.slot, v)), None)
        if other is None and not by_name:
            other = self._nearer(text, fact)
        return Read(own, other)

    def _nearer(self, text: str, fact: Fact) -> str | None:
        """The value whose phrase a text resembles more than any of the fact's own."""
        near = {v: max(coverage(text, p) for p in said) for v, said in self.phrases.get(fact.slot, {}).items()}
        least = max(_SAYS, coverage(text, fact.text), near.get(fact.value, 0.0))
        best = max(near, key=near.__getitem__, default=fact.value)
        return best if near.get(best, 0.0) > least else None
