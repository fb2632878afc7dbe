"""Domains of the `recommendation` family: items with attributes, and people who look for one. Data are the YAML files
beside this one, written for this project.
"""

from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from schemas.scenario import Value

Domain = Literal["films", "trips", "gifts"]
CASES = 40

Phrases = Annotated[tuple[str, ...], Field(min_length=3)]


class Slot(Value):
    """What an item has and a person may want."""

    about: str
    """In public words: "the mood of the film"."""
    ask: str
    """A question about it as somebody would text it, without its question mark."""
    seeks: str
    """What somebody asks about an item that was recommended, likewise."""
    values: Annotated[dict[str, Phrases], Field(min_length=3)]
    """Value -> how people say that they want it, in first person, as texted."""
    item: dict[str, str]
    """Value -> what is said of an item that has it: "set in space"."""


class Irrelevant(Value):
    """What may be asked and does not matter for the choice."""

    about: str
    ask: str
    answers: Phrases


class Item(Value):
    name: str
    has: dict[str, str]
    """Slot -> value, for every slot."""


class Case(Value):
    """One person who looks for something: a base case."""

    id: str
    opening: str
    """What brings them here, in first person, as texted; tells no wanted value."""
    wants: Annotated[dict[str, str], Field(min_length=2, max_length=4)]
    """Slot -> value; at least one item has them all, and more than one as long as one of them is not known."""
    first: str | None = None
    """The wanted slot they tell at once."""
    hinted: dict[str, str] = Field(default_factory=dict)
    """Wanted slot -> a hint at it that does not say it, in first person, as texted."""
    hidden: str | None = None
    """The wanted slot that they only tell when asked for it."""
    seen: tuple[str, ...] = ()
    """Names of fitting items they know already."""


class RecommendationDomain(Value):
    name: str
    item: str
    """One of them, with its article: "a film"."""
    seeker: str
    """Who the person is, for their prompt: "You look for a film for tonight and text with Robin."."""
    recommender: str
    """Who the assistant is, for its prompt."""
    looks: Phrases
    """How people say what they look for: "any film tips?"."""
    accepts: Phrases
    """How people take a recommendation."""
    known: Phrases
    """How people say that they know it already."""
    slots: Annotated[dict[str, Slot], Field(min_length=4)]
    irrelevant: Annotated[dict[str, Irrelevant], Field(min_length=4)]
    items: Annotated[tuple[Item, ...], Field(min_length=30)]
    cases: Annotated[tuple[Case, ...], Field(min_length=CASES)]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for name, slot in self.slots.items():
            if odd := sorted(set(slot.values) ^ set(slot.item)):
                raise ValueError(f"slots {name!r}: `item` lacks or has too many of {odd}")
        names = [item.name for item in self.items]
        _unique("items", names)
        _unique("cases", [case.id for case in self.cases])
        for item in self.items:
            _known(f"items {item.name!r}", item.has, self.slots, whole=True)
        for case in self.cases:
            where = f"cases {case.id!r}"
            _known(where, case.wants, self.slots, whole=False)
            told = {case.first, case.hidden, *case.hinted} - {None}
            if odd := sorted(told - set(case.wants), key=str):
                raise ValueError(f"{where}: {odd} are no slots of its `wants`")
            if case.hidden in {case.first, *case.hinted} - {None}:
                raise ValueError(f"{where}: `hidden` is told or hinted at")
            fitting = self.fitting(case.wants)
            if odd := sorted(set(case.seen) - {item.name for item in fitting}):
                raise ValueError(f"{where}: `seen` {odd} do not fit its `wants`")
            if len(fitting) <= len(case.seen):
                raise ValueError(f"{where}: no item that fits is new to them")
            for slot in case.wants:
                rest = {s: v for s, v in case.wants.items() if s != slot}
                if len(self.fitting(rest)) == len(fitting):
                    raise ValueError(f"{where}: knowing {slot!r} rules no item out")
        return self

    def fitting(self, wants: dict[str, str]) -> tuple[Item, ...]:
        return tuple(item for item in self.items if all(item.has[slot] == value for slot, value in wants.items()))


def _unique(where: str, names: list[str]) -> None:
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"{where}: {twice} stand there twice")


def _known(where: str, given: dict[str, str], slots: dict[str, Slot], whole: bool) -> None:
    if (whole and set(given) != set(slots)) or not set(given) <= set(slots):
        raise ValueError(f"{where}: slots {sorted(set(given) ^ set(slots))} are missing or unknown")
    for slot, value in given.items():
        if value not in slots[slot].values:
            raise ValueError(f"{where}: {slot} has no value {value!r}; it has {sorted(slots[slot].values)}")


@cache
def load(domain: str) -> RecommendationDomain:
    """Raises pydantic.ValidationError with what does not agree."""
    text = resources.files("generators.domains").joinpath(f"{domain}.yaml").read_text()
    return RecommendationDomain.model_validate(yaml.safe_load(text))
