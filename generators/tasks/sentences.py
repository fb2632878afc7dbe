"""Sentences of a word problem: whom and what they are about, and their numbers left open ("some cups")."""

import re

from generators.tasks.executable import Quantity, find_quantities
from generators.tasks.words import DAYS, MONTHS

_SENTENCE = re.compile(r"\S.*?(?:(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bMrs)[.!?]+[\"”')]*(?=\s+[^a-z\s]|\s*$)|$)", re.DOTALL)
_MANY = re.compile(
    r"\s(?:(?!(?:more|less|fewer|times|of|and|or|to)\b)[a-z]+\s){0,2}?"
    r"(?:(?!(?:times|is|was|has|as|this|his|plus|less)\b|years\s+(?:old|now)|thirds|fourths|quarters|fifths|sixths|tenths)[a-z]+s|people|children|men|women|feet)\b"
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
_SOME = re.compile(r"\bsome(?: money\b)?", re.IGNORECASE)
_WORDS = re.compile(r"\w+")
_CAPITAL = ("I", "Mr", "Mrs", "Ms", "Dr", "Mom", "Dad", *DAYS, *MONTHS)
_LONG = 4
"""Letters from which on two texts that share a word may be about the same."""


def sentences(text: str) -> list[str]:
    return _SENTENCE.findall(text)


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
    if odd or before.lower().endswith((*_CLOSED, "'s ", "’s ")) or after.startswith(" dozen") or not _MANY.match(after):
        return None
    return f"{before}{'some' if before.strip() else 'Some'}{after}"


def what_is_counted(after: str) -> str | None:
    """The words behind a number that say of what it is: " old cats"."""
    found = _MANY.match(after)
    return None if found is None else found[0]


def blurs(sentence: str) -> list[str]:
    """What stands there without its number: "some cups", "some money"."""
    found = ((m[0], what_is_counted(sentence[m.end() :])) for m in _SOME.finditer(sentence))
    return [f"{some}{counted or ''}" for some, counted in found if counted or " " in some]


def of_money(sentence: str, quantity: Quantity) -> bool:
    return sentence[: quantity.start].endswith("$")


def stands_alone(sentence: str) -> bool:
    """Whether it has one number and points to nothing said before."""
    return len(list(find_quantities(sentence))) == 1 and not _POINTS_BACK.match(sentence)


def inside(sentence: str, text: str) -> str:
    """As it stands behind other words: with a small letter, unless it begins with a name."""
    first = _WORDS.findall(sentence)[0]
    named = first in (*persons(text), *_CAPITAL) or re.search(rf"[a-z,] {first}\b", text)
    return sentence if named else sentence[0].lower() + sentence[1:]


def about(sentence: str, text: str) -> bool:
    """Whether they share a word of some length that names no person."""
    names = {name.lower() for name in persons(text)}
    said, known = ({w for w in _WORDS.findall(t.lower()) if len(w) >= _LONG} for t in (sentence, text))
    return bool(said & known - names)


def persons(text: str) -> list[str]:
    return [n for n in _SUBJECT.findall(text) if n not in _NO_PERSON and not any(find_quantities(n))]
