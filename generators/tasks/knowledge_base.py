"""Facts that nobody can know: their names were made up by a draw, so whoever answers right was told (methods §11).

Facts come in groups of four of one relation; the answers of a group are the choices of each of its questions. So chance
is 1/4, and a page that holds a group shows all its answers: to find one of them there is not enough.
"""

from dataclasses import dataclass
from random import Random
from string import ascii_uppercase
from typing import Literal

from generators.tasks.words import MONTHS
from schemas.identity import rng

Kind = Literal["person", "place", "code", "date"]

CHOICES = 4
"""Facts of a group, and answers of a question."""
_ONSETS = ("b", "d", "dr", "f", "g", "gl", "h", "k", "kr", "l", "m", "n", "p", "r", "s", "sk", "t", "tr", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "ei", "ou")
_CODAS = ("k", "l", "m", "n", "nd", "r", "rt", "s", "sk", "th", "x")


@dataclass(frozen=True, slots=True)
class Known:
    """One fact with its question."""

    id: str
    """Number of its group, and its own there."""
    text: str
    question: str
    answer: str
    choices: tuple[str, ...]
    """The answers of its group, in the order they are shown in."""


@dataclass(frozen=True, slots=True)
class _Relation:
    kind: Kind
    subject: Kind
    text: str
    question: str


_RELATIONS = (
    _Relation("person", "place", "The keeper of {0} is called {1}.", "What is the keeper of {0} called?"),
    _Relation("place", "person", "{0} was born in {1}.", "Where was {0} born?"),
    _Relation("code", "place", "The gate of {0} opens with the code {1}.", "Which code opens the gate of {0}?"),
    _Relation("date", "place", "{0} was founded on {1}.", "When was {0} founded?"),
    _Relation("person", "person", "{0} was taught by {1}.", "Who taught {0}?"),
    _Relation("place", "person", "{0} sells boats in {1}.", "Where does {0} sell boats?"),
    _Relation("code", "person", "{0} has the member number {1}.", "Which member number does {0} have?"),
    _Relation("date", "person", "{0} went to sea on {1}.", "When did {0} go to sea?"),
)


def knowledge_base(groups: int, seed: int) -> list[Known]:
    """Facts of so many groups, group after group; two groups after each other are of one relation, so that halves of
    alternating groups ask alike. The first of a larger base are those of a smaller one.
    """
    draws, taken = rng(seed, "knowledge base"), set[str]()
    found: list[Known] = []
    for n in range(groups):
        relation = _RELATIONS[n // 2 % len(_RELATIONS)]
        subjects = [_fresh(relation.subject, draws, taken) for _ in range(CHOICES)]
        answers = [_fresh(relation.kind, draws, taken) for _ in range(CHOICES)]
        for m, (subject, answer) in enumerate(zip(subjects, answers, strict=True)):
            found.append(
                Known(
                    id=f"{n}.{m}",
                    text=relation.text.format(subject, answer),
                    question=relation.question.format(subject),
                    answer=answer,
                    choices=tuple(draws.sample(answers, CHOICES)),
                )
            )
    return found


def _fresh(kind: Kind, draws: Random, taken: set[str]) -> str:
    while (made := _made(kind, draws)) in taken:
        pass
    taken.add(made)
    return made


def _made(kind: Kind, draws: Random) -> str:
    match kind:
        case "person":
            return f"{_word(draws, 2)} {_word(draws, 2)}"
        case "place":
            return _word(draws, 3)
        case "code":
            return f"{''.join(draws.choices(ascii_uppercase, k=2))}-{draws.randint(1000, 9999)}"
        case "date":
            return f"{draws.randint(1, 28)} {draws.choice(MONTHS)} {draws.randint(1400, 1899)}"


def _word(draws: Random, syllables: int) -> str:
    """That sounds like a name and is none that is known."""
    spoken = "".join(draws.choice(_ONSETS) + draws.choice(_VOWELS) for _ in range(syllables))
    return (spoken + draws.choice(_CODAS)).capitalize()
