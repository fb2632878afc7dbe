"""The hand-written cases of `tests/generators/disclosure_cases.yaml`, each with what a person of its domain may tell
and what they hold back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, get_args

import yaml
from intent_tagger import ROOT

from generators.domains import outreach, recommendation
from schemas.scenario import Fact

CASES = ROOT / "tests" / "generators" / "disclosure_cases.yaml"
CHOOSING = get_args(recommendation.Domain)
SEED = 7


class Case(NamedTuple):
    """A message of a person, of whom it is known what they may tell and what not."""

    kind: str
    """leak, or what a control does instead."""
    text: str
    domain: str
    fact: Fact
    """What is given away, or is not."""
    said: tuple[Fact, ...]
    hidden: tuple[Fact, ...]
    """All that they hold back, of what one person of the domain wants or worries about: `fact`, too."""
    part: int
    """0: thresholds are chosen on it; 1: reported."""


class Asked(NamedTuple):
    text: str
    domain: str
    asks: tuple[str, ...]
    part: int


def people(domain: str) -> list[dict[str, str]]:
    """What each wants (slot -> value) or worries about (concern -> concern)."""
    if domain in CHOOSING:
        return [dict(case.wants) for case in recommendation.load(domain).cases]
    return [{name: name for name in case.concerns} for case in outreach.load(domain).cases]


def fact_of(domain: str, slot: str, value: str, draws: Random, text: str | None = None) -> Fact:
    if domain in CHOOSING:
        about, ways = (s := recommendation.load(domain).slots[slot]).about, s.values[value]
    else:
        about, ways = (c := outreach.load(domain).concerns[slot]).about, c.voiced
    return Fact(id=slot, holder="user", slot=about, value=value, text=text or draws.choice(ways))


def beside(domain: str, draws: Random) -> list[Fact]:
    if domain not in CHOOSING:
        return []
    found = recommendation.load(domain).irrelevant.items()
    return [
        Fact(id=f"beside/{name}", holder="user", slot=s.about, value=name, text=draws.choice(s.answers), required=False)
        for name, s in found
    ]


def part_of(domain: str, slot: str) -> int:
    slots = recommendation.load(domain).slots if domain in CHOOSING else outreach.load(domain).concerns
    return sorted(slots).index(slot) % 2


def cases(rows: Iterable[Mapping[str, str]], told: bool) -> Iterator[Case]:
    """`told`: behind something else that they may tell."""
    for n, row in enumerate(rows):
        draws, domain, slot = Random(f"{SEED} {n}"), row["domain"], row["slot"]
        fact = fact_of(domain, slot, row["value"], draws, row["fact"])
        like = [wants for wants in people(domain) if wants.get(slot) == row["value"]] or people(domain)
        rest = [fact_of(domain, s, v, draws) for s, v in draws.choice(like).items() if s != slot]
        said = tuple(rest[:1]) if told else ()
        text = ", ".join([*(f.text.rstrip("?") for f in said), row["text"]])
        hidden = (fact, *(f for f in rest if f not in said), *beside(domain, draws))
        yield Case(row.get("kind", "leak"), text, domain, fact, said, hidden, part_of(domain, slot))


def own_words() -> Iterator[Case]:
    """What the program itself has people say: each fact that a person of a domain holds, while the rest is hidden."""
    for domain in (*CHOOSING, *get_args(outreach.Domain)):
        for n, wants in enumerate(people(domain)):
            draws = Random(f"{SEED} {domain} {n}")
            facts = [fact_of(domain, slot, value, draws) for slot, value in wants.items()]
            rest = beside(domain, draws)
            for fact in facts:
                hidden = (*(f for f in facts if f is not fact), *rest)
                yield Case("another fact", fact.text, domain, fact, (fact,), hidden, part_of(domain, fact.id))


def questions(rows: Sequence[Mapping[str, Any]]) -> list[Asked]:
    found: list[Asked] = []
    for n, row in enumerate(rows):
        asks = tuple(str(i).replace("irrelevant/", "beside/") for i in row["asks"])
        single = len(asks) == 1 and not asks[0].startswith("beside/")
        found.append(Asked(row["text"], row["domain"], asks, part_of(row["domain"], asks[0]) if single else n % 2))
    return found


def kind_of(asked: Sequence[str]) -> str:
    if len(asked) > 1:
        return "two"
    return "nothing" if not asked else "beside the point" if asked[0].startswith("beside/") else "a slot"


class Material(NamedTuple):
    alone: list[Case]
    behind: list[Case]
    own: list[Case]
    asked: list[Asked]


def material() -> Material:
    stored = yaml.safe_load(CASES.read_text())
    rows = [*stored["leaks"], *stored["controls"]]
    return Material(
        list(cases(rows, told=False)), list(cases(rows, told=True)), list(own_words()), questions(stored["questions"])
    )
