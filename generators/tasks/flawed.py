"""Flawed problems and controls, made in pairs by the same rewriting, so that only who understands a problem can tell
which of the two lacks something (methods §4).

A quantity is *blurred*: "3 cups" is "some cups". In a flawed problem that is one the answer needs: other values give
other answers, and nothing else in the text has its value. In its control one is blurred that no step uses.

- `missing`: of two quantities of the problem's own, one is blurred: the needed one, or the idle one.
- `missing_distractor`: a sentence joins it: a stranger, which is one of its partner's, or one of its own with another
  number, as it is elsewhere or as it is of somebody else; blurred is the needed quantity, or that of what joined. Where
  one is of elsewhere, the other one says in the same forms that it is of this problem.
- `contradiction`: a sentence joins it in the same way, and both are said again, one of them with another number.

Problems are partners, and each is the other's stranger: what is blurred in a flawed problem is blurred as often in its
partner's control, so that no word and no number tells the two apart.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal, NamedTuple

from generators.tasks.asides import ELSEWHERE, HERE, VERSIONS, beside
from generators.tasks.executable import Quantity, find_quantities, other_value, rewritten
from generators.tasks.sentences import (
    about,
    blurred,
    blurs,
    inside,
    of_money,
    persons,
    sentences,
    stands_alone,
    what_is_counted,
)
from generators.tasks.sources import Source
from generators.tasks.words import NAMES

Flaw = Literal["missing", "missing_distractor", "contradiction"]
KINDS: tuple[Flaw, ...] = ("missing", "missing_distractor", "contradiction")
TRIES = 20
"""Draws of another number."""
_BY_THE_QUESTION = 0.5
"""Share of problems with a sentence of elsewhere in which only the question says which one that is."""

AGAIN = ("To repeat: ", "Again: ", "Remember: ", "As said: ")
_PRONOUN = re.compile(r"\b(?:he|she|they|him|them|his|her|their|hers|theirs)\b", re.IGNORECASE)
_HAS = re.compile(r"\b(?:has|have|had|owns?|gets?|got|buys?|bought|receive[sd]?|finds?|found|keeps?|kept)\b")
_SEVERAL = re.compile(
    r"\b(?:they|them|their|everyone|everybody|together|altogether|both|combined|others?|friends?|group|family)\b",
    re.IGNORECASE,
)
"""A question that may be about more than one person."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was blurred or contradicted: what the other side would tell."""

    sentence: str
    """As it stands in the complete problem."""
    value: str
    slot: str
    """In public words: "how many cups"."""
    asks: str
    """The sentence with the slot in its place."""
    shown: tuple[str, ...]
    """What the flawed text has instead: "some cups", or both numbers."""


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


def pair(problem: Source, kind: Flaw, partner: Source, rng: Random) -> tuple[Variant, Variant] | None:
    """(flawed, control); None where the two problems allow none of this kind."""
    way = _own if kind == "missing" else rng.choice((_joined, _echoed, _of_another))
    found = way(problem, partner, rng)
    if found is None and way is not _own:
        found = _echoed(problem, partner, rng)
    if found is None or not problem.question.endswith("?"):
        return None
    said, both = found
    told = [(said[spot.sentence], spot.quantity) for spot in both]
    if kind == "contradiction":
        said, both = _repeated(said, both, rng)
    variants: list[Variant] = []
    for spot, (sentence, quantity) in zip(both, told, strict=True):
        if kind == "contradiction":
            spoilt = rewritten(said[spot.sentence], spot.quantity, other_value(quantity.value, rng))
            shown = (_written(sentence, quantity), _written(spoilt, spot.quantity, behind=sentence[quantity.end :]))
        else:
            spoilt = blurred(sentence, quantity) or sentence
            shown = (blurs(spoilt)[0],)
        text = " ".join([*said[: spot.sentence], spoilt, *said[spot.sentence + 1 :]])
        removed = _removed(sentence, quantity, shown)
        variants.append(Variant(kind, spot is both[0], text, problem.answer, removed))
    return variants[0], variants[1]


def partnered(problems: Sequence[tuple[str, Source]]) -> list[tuple[str, str]]:
    """Names of those of which a sentence of each can join the other, each with the first that is left."""
    left = [(name, source) for name, source in problems if _needed_spots(source)]
    found: list[tuple[str, str]] = []
    while left:
        name, source = left.pop(0)
        place = next((n for n, (_, other) in enumerate(left) if _strangers(source, other)), None)
        if place is not None:
            found.append((name, left.pop(place)[0]))
    return found


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


class Mixed(NamedTuple):
    """The sentences, the question last, and in them a needed and an idle quantity."""

    sentences: list[str]
    spots: list[Spot]


def _own(problem: Source, partner: Source, rng: Random) -> Mixed | None:
    """A needed and an idle quantity of the problem's own."""
    told = _told(problem)
    needed = _spots(problem.question, told, [problem.quantities[n] for n in problem.needed])
    idle = _spots(problem.question, told, [problem.quantities[n] for n in problem.idle])
    return Mixed([*told, _asked(problem)], [rng.choice(needed), rng.choice(idle)]) if needed and idle else None


def _joined(problem: Source, partner: Source, rng: Random) -> Mixed | None:
    """A stranger, before or after one of the sentences with a needed quantity."""
    able = _strangers(problem, partner)
    if not able:
        return None
    spot, sentence = rng.choice(able)
    return _joining(problem, spot, sentence, rng)


def _echoed(problem: Source, partner: Source, rng: Random) -> Mixed | None:
    """The sentence with a needed quantity, as it is in this problem and as it is elsewhere; which is which the question
    says in half of the cases, and the sentences themselves in the others.
    """
    spots = _needed_spots(problem)
    if not spots:
        return None
    spot = rng.choice(spots)
    if (said := _with_other_number(problem, spot, rng)) is None:
        return None
    here, elsewhere = rng.choice(HERE), rng.choice(ELSEWHERE)
    asked = _asked(problem)
    if rng.random() < _BY_THE_QUESTION:
        this, other = rng.sample(VERSIONS, 2)
        here, elsewhere = f"according to {this}", f"according to {other}"
        asked = f"Going by {this}, {inside(asked, problem.question)}"
    own = beside(here, _told(problem)[spot.sentence], problem.question, rng)
    return _joining(problem, spot, beside(elsewhere, said, problem.question, rng), rng, own, asked)


def _of_another(problem: Source, partner: Source, rng: Random) -> Mixed | None:
    """The sentence with a needed quantity, said of somebody new, where the question is about its subject alone and what
    follows does not point back.
    """
    *told, asked = sentences(problem.question)
    able = [
        (spot, name)
        for spot in _needed_spots(problem)
        if not _PRONOUN.search([*told, asked][spot.sentence + 1]) and not _SEVERAL.search(asked)
        if len(names := _persons_in(told[spot.sentence], problem)) == 1
        for name in names
        if _persons_in(asked, problem) == names and told[spot.sentence].startswith(name)
    ]
    if not able:
        return None
    spot, name = rng.choice(able)
    if (said := _with_other_number(problem, spot, rng)) is None:
        return None
    new = rng.choice([n for n in NAMES if n not in problem.question])
    return _joining(problem, spot, re.sub(rf"\b{name}\b", new, said), rng)


def _with_other_number(problem: Source, spot: Spot, rng: Random) -> str | None:
    """Its sentence with a number that the problem does not have, and which can be blurred."""
    value = spot.quantity.value
    others = (other_value(value, rng) for _ in range(TRIES))
    other = next((v for v in others if v > 1 and v not in problem.values), None)
    return None if other is None else rewritten(_told(problem)[spot.sentence], spot.quantity, other)


def _persons_in(sentence: str, problem: Source) -> list[str]:
    return [name for name in dict.fromkeys(persons(problem.question)) if re.search(rf"\b{name}\b", sentence)]


def _joining(
    problem: Source, spot: Spot, sentence: str, rng: Random, own: str | None = None, asked: str | None = None
) -> Mixed:
    """The sentence of a spot with another one before or after it. `own`, `asked`: what stands for it, and for the
    question.
    """
    said, place = [*_told(problem), asked or _asked(problem)], spot.sentence
    said[place] = own or said[place]
    both = [Spot(place, next(find_quantities(said[place]))), Spot(place, next(find_quantities(sentence)))]
    after = rng.randint(0, 1)
    both[after] = both[after]._replace(sentence=place + 1)
    return Mixed([*said[: place + after], sentence, *said[place + after :]], both)


def _strangers(problem: Source, partner: Source) -> list[tuple[Spot, str]]:
    """Of each sentence with a needed quantity what can stand beside it of the partner's, with the person of this
    problem: neither says anything about the other's problem, and both are of money or neither is.
    """
    return [
        (spot, joining)
        for spot in _needed_spots(problem)
        for other in _needed_spots(partner)
        if of_money(_told(problem)[spot.sentence], spot.quantity)
        == of_money(_told(partner)[other.sentence], other.quantity)
        if _strange(problem, spot, partner) and (joining := _strange(partner, other, problem))
    ]


def _strange(problem: Source, spot: Spot, host: Source) -> str | None:
    """The sentence of a spot as it can join another problem; None where it shares a word or its number with it. What
    somebody has or is paid stays theirs: it could count for whoever is asked about.
    """
    sentence = _told(problem)[spot.sentence]
    if not of_money(sentence, spot.quantity) and not _HAS.search(sentence):
        sentence = _renamed(sentence, persons(problem.question), persons(host.question))
    return None if about(sentence, host.question) or spot.quantity.value in host.values else sentence


def _needed_spots(problem: Source) -> list[Spot]:
    """Of quantities that the answer needs, each the only one of a sentence that can stand alone."""
    told = _told(problem)
    found = _spots(problem.question, told, [problem.quantities[n] for n in problem.needed])
    return [s for s in found if stands_alone(told[s.sentence])]


def _told(problem: Source) -> list[str]:
    """The sentences before the question."""
    return sentences(problem.question)[:-1]


def _asked(problem: Source) -> str:
    return sentences(problem.question)[-1]


def _renamed(sentence: str, own: Sequence[str], others: Sequence[str]) -> str:
    """Its first person as somebody of the other problem: a stranger shares a person with it."""
    named = next((name for name in own if re.search(rf"\b{name}\b", sentence)), None)
    return re.sub(rf"\b{named}\b", others[0], sentence) if named and others else sentence


def _repeated(told: Sequence[str], spots: Sequence[Spot], rng: Random) -> Mixed:
    """Their sentences said again before the question, in either order; the spots are in the repetitions."""
    *said, asked = told
    moved = dict[Spot, Spot]()
    for spot in rng.sample(list(spots), len(spots)):
        again = rng.choice(AGAIN)
        start, end = (at + len(again) for at in spot.quantity[:2])
        moved[spot] = Spot(len(said), spot.quantity._replace(start=start, end=end))
        said.append(again + told[spot.sentence])
    return Mixed([*said, asked], [moved[spot] for spot in spots])


def _removed(sentence: str, quantity: Quantity, shown: tuple[str, ...]) -> Removed:
    money = of_money(sentence, quantity)
    before, after = sentence[: quantity.start - money], sentence[quantity.end :]
    counted = None if money else what_is_counted(after)
    slot = "how much money" if counted is None else f"how many{counted}"
    rest = after.removeprefix(counted or "")
    return Removed(sentence, _written(sentence, quantity), slot, f"{before}{slot}{rest}", shown)


def _written(sentence: str, quantity: Quantity, behind: str | None = None) -> str:
    """The quantity as it stands there. `behind`: what follows it, where it may have become longer."""
    end = quantity.end if behind is None else len(sentence) - len(behind)
    return f"{'$' * of_money(sentence, quantity)}{sentence[quantity.start : end]}"
