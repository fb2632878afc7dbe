"""Complete problems that flawed ones are made from: worked problems as programs, drafts of
the built-in templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from generators.tasks.executable import Executable, Quantity, find_quantities
from generators.tasks.problem import Draft, Idle, public_text


@dataclass(frozen=True, slots=True)
class Source:
    """What flawed problems and controls are made from: a complete problem."""

    question: str
    quantities: tuple[Quantity, ...]
    needed: tuple[int, ...]
    """Positions in `quantities` of those without which nobody knows the answer."""
    idle: tuple[int, ...]
    """Of those that no step uses."""
    values: frozenset[Fraction]
    """Stated in it, or made on the way."""
    answer: Fraction


def of_executable(problem: Executable) -> Source:
    return Source(
        problem.question,
        problem.quantities,
        tuple(n for n in problem.sure if problem.needs(n)),
        problem.idle,
        frozenset([q.value for q in problem.quantities] + [step.result for step in problem.steps]),
        problem.answer(),
    )


def of_draft(draft: Draft) -> Source | None:
    """Of a template's draft; None where its answer is no number."""
    if draft.answer != "number":
        return None
    text, answer = public_text(draft, set()), draft.answer_with()
    quantities = tuple(find_quantities(text))
    needed = {
        text.index(given.text) + start
        for given in draft.givens
        if any(draft.answer_with(**{given.id: other}) != answer for other in given.alternatives)
        for start, _, value, *_ in find_quantities(given.text)
        if value == given.value
    }
    idle = {
        text.index(sentence) + found.start
        for sentence in draft.sentences
        if isinstance(sentence, Idle)
        for found in find_quantities(sentence)
    }
    values = frozenset([*(q.value for q in quantities), Fraction(answer)])
    return Source(text, quantities, _at(quantities, needed), _at(quantities, idle), values, Fraction(answer))


def _at(quantities: Sequence[Quantity], starts: set[int]) -> tuple[int, ...]:
    return tuple(n for n, quantity in enumerate(quantities) if quantity.start in starts)
