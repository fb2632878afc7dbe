"""Domains of the `outreach` family: what is asked of people, what they worry about, and what answers it. Data are the
YAML files beside this one, written for this project.
"""

from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from schemas.scenario import Value

Domain = Literal["charity", "camping", "volunteers"]
CASES = 40
ConcernType = Literal["trust", "cost", "effort", "fit", "timing", "competence"]

Phrases = Annotated[tuple[str, ...], Field(min_length=3)]


class Argument(Value):
    """Something true the assistant may say."""

    id: str
    text: str
    """A whole plain sentence."""


class ConcernData(Value):
    """What somebody may worry about without saying so."""

    type: ConcernType
    about: str
    """In public words: "where the money goes"."""
    ask: str
    """A question that draws it out, as somebody would text it, without its question mark."""
    hinted: Phrases
    """Indirect ways to let it show, in first person, as texted."""
    voiced: Annotated[tuple[str, ...], Field(min_length=4)]
    """Direct ways to say it, in first person, as texted."""
    answers: Annotated[tuple[Argument, ...], Field(min_length=2)]
    """What is true and settles it; one of them is enough."""


class Curious(Value):
    """What somebody may want to know about it before they say anything."""

    asks: Phrases
    """Ways to ask, as texted."""
    answer: str
    """The id of an argument."""


class Case(Value):
    """One person who is asked: a base case."""

    id: str
    who: str
    """Their background in public words, third person: "a nurse after a night shift"."""
    opening: str
    """How they answer a hello, in first person, as texted; nothing of their concerns."""
    concerns: Annotated[dict[str, int], Field(min_length=2, max_length=4)]
    """Concern -> severity, 1 to 3. One of 3 must be settled before they accept."""
    patience: int = Field(ge=2, le=6)
    """Messages of the assistant that bring them nothing, before they leave."""
    trust: int = Field(ge=1, le=4)
    """At the start, of 0 to 5."""
    cooperation: int = Field(ge=1, le=3)
    """At the start, of 0 to 4."""
    talkative: bool
    """Whether they tell what worries them by themselves now and then."""


class OutreachDomain(Value):
    name: str
    goal: str
    """What the assistant wants, as a goal: "the user gives something to the charity"."""
    ask: str
    """The request in one plain sentence of the assistant, with its question mark."""
    hello: str
    """The assistant's first words, which ask nothing yet but how they are or whether they have a minute."""
    intro: str
    """What this is about, as the assistant says it before its first question about the matter: no request yet."""
    approached: str
    """Who the person is, for their prompt: "You text with Robin, who collects for …"."""
    outreacher: str
    """Who the assistant is, for its prompt."""
    accepts: Phrases
    refuses: Phrases
    """A refusal that gives no reason."""
    leaves: Phrases
    """How people end it for good."""
    arguments: Annotated[tuple[Argument, ...], Field(min_length=6)]
    """True, speak for it, settle no concern."""
    curious: Annotated[tuple[Curious, ...], Field(min_length=4)]
    irrelevant: Annotated[tuple[Argument, ...], Field(min_length=4)]
    """True, and beside the point."""
    concerns: Annotated[dict[str, ConcernData], Field(min_length=8)]
    cases: Annotated[tuple[Case, ...], Field(min_length=CASES)]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        ids = [
            a.id for a in (*self.arguments, *self.irrelevant, *(a for c in self.concerns.values() for a in c.answers))
        ]
        for where, names in (("arguments and answers", ids), ("cases", [case.id for case in self.cases])):
            if twice := sorted({n for n in names if names.count(n) > 1}):
                raise ValueError(f"{where}: {twice} stand there twice")
        if odd := sorted({c.answer for c in self.curious} - {a.id for a in self.arguments}):
            raise ValueError(f"curious: no such arguments: {odd}")
        for case in self.cases:
            if odd := sorted(set(case.concerns) - set(self.concerns)):
                raise ValueError(f"cases {case.id!r}: no such concerns: {odd}")
            if bad := sorted(n for n, s in case.concerns.items() if s not in (1, 2, 3)):
                raise ValueError(f"cases {case.id!r}: severities of {bad} are not 1, 2 or 3")
        return self


@cache
def load(domain: str) -> OutreachDomain:
    """Raises pydantic.ValidationError with what does not agree."""
    text = resources.files("generators.domains").joinpath(f"{domain}.yaml").read_text()
    return OutreachDomain.model_validate(yaml.safe_load(text))
