"""Flawed problems and controls, made in pairs by the same rewriting, so that only who understands a problem can tell
which of the two lacks something (methods §4).

A quantity is *blurred*: "3 cups" is "some cups". In a flawed problem that is one the answer needs: its executable form
says so, other values give other answers, and nothing else in the text has its value. In its control one is blurred
that no step uses.

- `missing`: of two quantities of the problem's own, one is blurred: the needed one, or the idle one.
- `missing_distractor`: a sentence of another problem joins it; blurred is the needed quantity, or the stranger's.
- `contradiction`: such a stranger joins it, and both sentences are said again, one of them with another number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal, NamedTuple

from generators.tasks.executable import Executable, Quantity, find_quantities, other_value, rewritten

Flaw = Literal["missing", "missing_distractor", "contradiction"]
KINDS: tuple[Flaw, ...] = ("missing", "missing_distractor", "contradiction")
TRIES = 60
"""Strangers that are tried for one problem."""

AGAIN = ("To repeat: ", "Again: ", "Remember: ", "As said: ")
_SENTENCE = re.compile(r"\S.*?(?:[.!?]+[\"”')]*(?=\s|$)|$)", re.DOTALL)
_MANY = re.compile(
    r"\s(?:(?!(?:more|less|fewer|times|of|and|or|to)\b)[a-z]+\s){0,2}?"
    r"(?:(?!(?:times|is|was|has|as|this|his|plus|less)\b|years\s+old)[a-z]+s|people|children|men|women|feet)\b"
)
_NO_MONEY = re.compile(r"\s*(?:-|bills?\b|million|thousand|worth|off\b|less\b|more\b|cheaper)")
_ODD = frozenset(["twice", "double", "triple", "thrice", "dozen", "hundred"])
_CLOSED = (
    *(f"{w} " for w in re.findall(r"\w+", "every the another exactly first last next other these those each of than")),
    *(f"{w} " for w in re.findall(r"\w+", "his her its their my your our")),
    "-",
    "/",
)
"""What cannot stand before "some"."""
_SUBJECT = re.compile(r"(?:^|[.!?]\s+)([A-Z][a-z]+)(?=['’]s\b|\s[a-z]+(?:s|ed|d|ot|ent|as)\s)")
"""A first word that does something: a person, mostly."""
_NO_PERSON = frozenset(
    re.findall(
        r"\w+",
        "The A An He She They It There This That These Those His Her Their Its In On At If For From To And But So Then"
        " Each Every One Two Three Some Most All Half Today Yesterday After Before Because Since When While Both Now",
    )
)
_POINTS_BACK = re.compile(
    r"\W*(?:he|she|they|it|his|her|their|its|this|that|these|those|then|each|both|if|after|so|but|however|also|another|"
    r"the (?:other|rest|same|first|second|third|next|last))\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z]{4,}")


@dataclass(frozen=True, slots=True)
class Removed:
    """What was blurred or contradicted: what the other side would tell."""

    sentence: str
    """As it stands in the complete problem."""
    value: str
    slot: str
    """In public words: "how many cups of coffee"."""


@dataclass(frozen=True, slots=True)
class Variant:
    kind: Flaw
    """Of the pair."""
    flawed: bool
    question: str
    answer: Fraction
    """With everything known."""
    removed: Removed


class Spot(NamedTuple):
    """A quantity within one of the sentences."""

    sentence: int
    quantity: Quantity
    """Placed within the sentence."""


class Stranger(NamedTuple):
    """A sentence that can join another problem, and its only quantity."""

    sentence: str
    quantity: Quantity


def strangers(problem: Executable) -> list[Stranger]:
    """Sentences of a problem that stand alone, each with one quantity that the answer needs, as those have that are
    blurred: only the problem they stand in tells the two apart.
    """
    return [Stranger(_told(problem)[spot.sentence], spot.quantity) for spot in _needed_spots(problem)]


def pair(
    problem: Executable, kind: Flaw, joining: Sequence[Stranger], rng: Random
) -> tuple[Variant, Variant, Stranger | None] | None:
    """(flawed, control, the stranger in both); None where the problem allows none of this kind.

    `joining`: sentences of other problems. One that joins many problems is known for a stranger: take each once.
    """
    asked = _SENTENCE.findall(problem.question)[-1]
    found = _own(problem, rng) if kind == "missing" else _joined(problem, joining, rng)
    if found is None or not asked.endswith("?"):
        return None
    sentences, *both, stranger = found
    if kind == "contradiction":
        sentences, both = _repeated(sentences, both, rng)
    spoil = _with_other_number if kind == "contradiction" else _without
    flawed, control = (
        Variant(kind, spot is both[0], " ".join([*spoil(sentences, spot, rng), asked]), problem.answer(), removed)
        for spot, removed in ((spot, _removed(sentences, spot)) for spot in both)
    )
    return flawed, control, stranger


def blurred(text: str, quantity: Quantity) -> str | None:
    """The text with a quantity as "some"; None where that would not be English."""
    before, after = text[: quantity.start], text[quantity.end :]
    if before.endswith("$"):
        return None if _NO_MONEY.match(after) else f"{before[:-1]}some money{after}"
    odd = (
        quantity.percent
        or quantity.doubtful
        or quantity.value <= 1
        or text[quantity.start : quantity.end].lower() in _ODD
    )
    if odd or before.endswith((*_CLOSED, "'s ", "’s ")) or after.startswith(" dozen") or not _MANY.match(after):
        return None
    return f"{before}{'some' if before.strip() else 'Some'}{after}"


def _spots(question: str, told: Sequence[str], quantities: Sequence[Quantity]) -> list[Spot]:
    """Where these quantities stand in the sentences before the question, of those that can be blurred."""
    found: list[Spot] = []
    start = 0
    for n, sentence in enumerate(told):
        start = question.index(sentence, start)
        end = start + len(sentence)
        within = (q._replace(start=q.start - start, end=q.end - start) for q in quantities if start <= q.start < end)
        found += [Spot(n, q) for q in within if blurred(sentence, q) is not None]
        start = end
    return found


def _without(told: Sequence[str], spot: Spot, rng: Random) -> list[str]:
    return [blurred(s, spot.quantity) or s if n == spot.sentence else s for n, s in enumerate(told)]


def _with_other_number(told: Sequence[str], spot: Spot, rng: Random) -> list[str]:
    other = other_value(spot.quantity.value, rng)
    return [rewritten(s, spot.quantity, other) if n == spot.sentence else s for n, s in enumerate(told)]


def _own(problem: Executable, rng: Random) -> tuple[list[str], Spot, Spot, None] | None:
    """A needed and an idle quantity of the problem's own."""
    told = _told(problem)
    needed = _spots(problem.question, told, [problem.quantities[n] for n in problem.sure if problem.needs(n)])
    idle = _spots(problem.question, told, [problem.quantities[n] for n in problem.idle])
    return (told, rng.choice(needed), rng.choice(idle), None) if needed and idle else None


def _joined(
    problem: Executable, joining: Sequence[Stranger], rng: Random
) -> tuple[list[str], Spot, Spot, Stranger] | None:
    """Beside a sentence with a needed quantity one of another problem that says nothing about this one, before or after
    it; both are of money or neither is.
    """
    told, spots = _told(problem), _needed_spots(problem)
    if not spots:
        return None
    spot = rng.choice(spots)
    persons = _persons(problem.question)
    words = frozenset(_WORD.findall(problem.question.lower()))
    taken = {q.value for q in problem.quantities} | {step.result for step in problem.steps}
    for stranger in rng.sample(joining, min(TRIES, len(joining))):
        sentence = _renamed(stranger.sentence, persons)
        quantity = next(find_quantities(sentence))
        alike = _of_money(sentence, quantity) == _of_money(told[spot.sentence], spot.quantity)
        strange = not words & (set(_WORD.findall(sentence.lower())) - set(map(str.lower, persons)))
        if alike and strange and quantity.value not in taken:
            at = spot.sentence + rng.randint(0, 1)
            moved = spot._replace(sentence=spot.sentence + (at == spot.sentence))
            return [*told[:at], sentence, *told[at:]], moved, Spot(at, quantity), stranger
    return None


def _needed_spots(problem: Executable) -> list[Spot]:
    """Of quantities that the answer needs, each the only one of a sentence that can stand alone."""
    told = _told(problem)
    found = _spots(problem.question, told, [problem.quantities[n] for n in problem.sure if problem.needs(n)])
    return [s for s in found if _stands_alone(told[s.sentence])]


def _told(problem: Executable) -> list[str]:
    """The sentences before the question."""
    return _SENTENCE.findall(problem.question)[:-1]


def _of_money(sentence: str, quantity: Quantity) -> bool:
    return sentence[: quantity.start].endswith("$")


def _stands_alone(sentence: str) -> bool:
    return len(list(find_quantities(sentence))) == 1 and not _POINTS_BACK.match(sentence)


def _persons(text: str) -> list[str]:
    return [n for n in _SUBJECT.findall(text) if n not in _NO_PERSON and not any(find_quantities(n))]


def _renamed(sentence: str, persons: Sequence[str]) -> str:
    """Its first person as somebody of this problem: a stranger shares a person with it."""
    own = _persons(sentence)
    return re.sub(rf"\b{own[0]}\b", persons[0], sentence) if own and persons else sentence


def _repeated(told: Sequence[str], spots: Sequence[Spot], rng: Random) -> tuple[list[str], list[Spot]]:
    """Their sentences said again at the end, in either order; the spots are in the repetitions."""
    said, moved = list(told), dict[Spot, Spot]()
    for spot in rng.sample(list(spots), len(spots)):
        again = rng.choice(AGAIN)
        start, end = (at + len(again) for at in spot.quantity[:2])
        moved[spot] = Spot(len(said), spot.quantity._replace(start=start, end=end))
        said.append(again + told[spot.sentence])
    return said, [moved[spot] for spot in spots]


def _removed(told: Sequence[str], spot: Spot) -> Removed:
    sentence, quantity = told[spot.sentence], spot.quantity
    counted = _MANY.match(sentence[quantity.end :])
    money = _of_money(sentence, quantity)
    slot = "how much money" if money or counted is None else f"how many{counted[0]}"
    return Removed(sentence, f"{'$' * money}{sentence[quantity.start : quantity.end]}", slot)
