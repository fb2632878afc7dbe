"""A problem with a verifier, and how facts are withheld from its public text.

A template is a function of a `Random`. It states every fact once, as a sentence, and computes its answer from the facts
it drew; `make` then leaves some of these sentences out of the public text and hands them to whoever holds them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from generators.tasks.misconceptions import Misconception, of_givens
from schemas.identity import rng as fresh
from schemas.scenario import Fact, Value, Verifier

Kind = Literal["word_arithmetic", "units_rates", "logic", "sets_dates", "algebra", "external"]
AnswerKind = Literal["number", "choice", "set", "date", "text", "python"]

MAX_DRAWS = 500
"""A template that cannot be drawn cleanly in so many tries is wrong."""
MAX_ALTERED = 50
"""Draws of other numbers for one problem."""


class Altered(Value):
    """A problem with nothing withheld and other numbers, so that its answer is another."""

    question: str
    answer: str
    """As its template computes it: where that divides, rounded down."""


class Problem(Value):
    template_id: str
    """What it was made from: the unit of train/validation/test splits."""
    kind: Kind
    public: str
    """What the student sees: the sentences nobody withheld, and the question."""
    gaps: tuple[Fact, ...] = ()
    """Facts left out of the public text; without them the answer cannot be known."""
    hint: str = ""
    """A first idea, free of the answer and of every fact's value; empty when there is none."""
    solution: str
    """How the answer comes about; private."""
    verifier: Verifier
    steps: int = 1
    """Operations from the facts to the answer."""
    answer_format: str = "a number"
    """How an answer should look, in words for a prompt."""
    choices: tuple[str, ...] = ()
    """For a choice: every answer there is."""
    altered: Altered | None = None
    """To see whether a hint fits other numbers, too; None where no others were found."""
    misconceptions: tuple[Misconception, ...] = ()
    """What may be taken wrongly; empty where no wrong answer could be computed."""


@dataclass(frozen=True, slots=True)
class Given:
    """A fact of a problem, as one sentence that stands by itself wherever it is said."""

    id: str
    """Also the name `Draft.solve` takes it by."""
    slot: str
    value: Any
    """What `Draft.solve` takes; `shown` is how people write it."""
    text: str
    others: tuple[Any, ...] = ()
    """Values it might have had instead; an integer has its neighbours by default."""
    written: str | None = None

    @property
    def shown(self) -> str:
        return str(self.value) if self.written is None else self.written

    @property
    def alternatives(self) -> tuple[Any, ...]:
        if self.others or not isinstance(self.value, int):
            return tuple(o for o in self.others if o != self.value)
        return (self.value + 1, self.value + 2, self.value - 1)


class Idle(str):
    """A plain sentence whose number the answer does not need."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem with nothing withheld. `sentences` in order: plain ones always stay, a `Given` may be withheld."""

    sentences: tuple[str | Given, ...]
    question: str
    """Asks for the answer in such words that a missing fact is felt."""
    solve: Callable[..., Any]
    """The answer from the values of the givens, by their ids."""
    hint: str
    solution: str
    """A template over the givens' ids and `answer`: `{count} times {price} is {answer}.`"""
    answer: AnswerKind = "number"
    choices: tuple[str, ...] = ()
    steps: int = 1

    @property
    def givens(self) -> tuple[Given, ...]:
        return tuple(s for s in self.sentences if isinstance(s, Given))

    def answer_with(self, **changed: Any) -> str:
        """The answer as people write it, with some facts other than drawn."""
        return show(self.solve(**{g.id: g.value for g in self.givens} | changed))


@dataclass(frozen=True, slots=True)
class Template:
    kind: Kind
    draw: Callable[[Random], Draft]

    @property
    def id(self) -> str:
        return f"{self.kind}.{self.draw.__name__}"

    def draft(self, rng: Random) -> Draft:
        """The first clean draft; all randomness comes from `rng`."""
        for _ in range(MAX_DRAWS):
            draft = self.draw(rng)
            if is_clean(draft):
                return draft
        raise RuntimeError(f"template {self.id}: no clean draft in {MAX_DRAWS} draws")

    def make(self, rng: Random, withhold: int, holder: str = "teacher") -> Problem:
        """A problem with `withhold` of its facts left out (all, if it has fewer); 0 is solvable without asking."""
        draft = self.draft(rng)
        withheld = {g.id for g in rng.sample(draft.givens, min(withhold, len(draft.givens)))}
        answer = draft.answer_with()
        return Problem(
            template_id=self.id,
            kind=self.kind,
            public=public_text(draft, withheld),
            gaps=tuple(_fact(g, holder) for g in draft.givens if g.id in withheld),
            hint=draft.hint,
            solution=draft.solution.format(answer=answer, **{g.id: g.shown for g in draft.givens}),
            verifier=Verifier(kind=draft.answer, answer=answer),
            steps=draft.steps,
            answer_format=answer_format(draft.answer, draft.choices),
            choices=draft.choices,
            altered=altered(draft, fresh(0, "altered", public_text(draft, set()))),
            misconceptions=misconceptions(draft),
        )


def altered(draft: Draft, rng: Random) -> Altered | None:
    """The draft with whole numbers of its facts changed; a number stays whole and positive where it is the answer."""
    numbers = [g for g in draft.givens if isinstance(g.value, int) and g.written is None]
    answer = draft.answer_with()
    for _ in range(MAX_ALTERED if numbers else 0):
        changed = {g.id: rng.randint(max(2, g.value // 2), max(2, 2 * g.value)) for g in numbers}
        found = _answered(draft, changed)
        if found is not None and found != answer and (draft.answer != "number" or found.isdigit() == answer.isdigit()):
            sentences = [s if isinstance(s, str) else _rewritten(s, changed.get(s.id)) for s in draft.sentences]
            return Altered(question=" ".join([*sentences, draft.question]), answer=found)
    return None


def misconceptions(draft: Draft) -> tuple[Misconception, ...]:
    """Of a draft that computes a number from whole numbers."""
    numbers = {g.id: g.value for g in draft.givens if isinstance(g.value, int)}
    whole = draft.answer == "number" and len(numbers) == len(draft.givens)
    return of_givens(draft.solve, numbers, draft.steps) if whole else ()


def _answered(draft: Draft, changed: Mapping[str, int]) -> str | None:
    """None where the template has no answer to such numbers."""
    try:
        return draft.answer_with(**changed)
    except (ArithmeticError, LookupError, ValueError):
        return None


def _rewritten(given: Given, value: int | None) -> str:
    return given.text if value is None else re.sub(rf"\b{given.shown}\b", str(value), given.text)


def public_text(draft: Draft, withheld: set[str]) -> str:
    kept = [s if isinstance(s, str) else s.text for s in draft.sentences if isinstance(s, str) or s.id not in withheld]
    return " ".join([*kept, draft.question])


def answer_format(kind: AnswerKind, choices: tuple[str, ...] = ()) -> str:
    formats: dict[AnswerKind, str] = {
        "number": "a number",
        "choice": f"one of: {', '.join(choices)}",
        "set": "names separated by commas",
        "date": "a date (year-month-day)",
        "text": "a few words",
        "python": "a Python program",
    }
    return formats[kind]


def show(answer: Any) -> str:
    """Sets in alphabetical order, dates as ISO, everything else as it prints."""
    return ", ".join(sorted(answer)) if isinstance(answer, frozenset | set) else str(answer)


def is_clean(draft: Draft) -> bool:
    """Nothing gives the answer or a withheld value away: leak filters compare words, so words must not coincide.

    No fact's sentence and no hint holds the answer; a computed number or date stands nowhere in the text; a fact's
    number stands in its own sentence only.
    """
    answer = draft.answer_with()
    texts = [s if isinstance(s, str) else s.text for s in draft.sentences] + [draft.question]
    private = texts if draft.answer in ("number", "date") else [g.text for g in draft.givens]
    if any(mentions(t, answer, draft.answer) for t in [*private, draft.hint]):
        return False
    if any(mentions(draft.hint, g.shown) for g in draft.givens):
        return False
    return all(sum(mentions(t, g.shown) for t in texts) == 1 for g in draft.givens if any(c.isdigit() for c in g.shown))


def mentions(text: str, words: str, kind: AnswerKind = "text") -> bool:
    """Whether `words` occur in `text` as whole words; the elements of a set in any order."""
    if kind == "set":
        return all(mentions(text, element) for element in words.split(", "))
    return f" {_plain(words)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _fact(given: Given, holder: str) -> Fact:
    return Fact(id=given.id, holder=holder, slot=given.slot, value=given.shown, text=given.text)


def templates(kind: Kind, *draws: Callable[[Random], Draft]) -> Iterator[Template]:
    return (Template(kind, draw) for draw in draws)
