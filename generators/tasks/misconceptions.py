"""What students take wrongly, as the wrong answers it leads to: computed from the steps of a worked problem, or from
how the answer of a template depends on its givens. An answer that looks impossible (negative, no longer whole) is left
out, since whoever arrives at it looks again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any, Literal

from generators.tasks.executable import Executable, Expression, Given, Made, Operation
from schemas.scenario import Value

MisconceptionKind = Literal["operator_exchanged", "step_forgotten", "unit_slip", "first_number"]
KINDS: Mapping[MisconceptionKind, float] = {
    "step_forgotten": 0.34,
    "operator_exchanged": 0.20,
    "first_number": 0.20,
    "unit_slip": 0.27,
}
"""Weights by the errors that experts saw in MathDial's openings, train split: 158 misunderstandings of the question (an
operator exchanged or the first number taken, half each), 137 quantities too many or missing (a step forgotten), 107 of
units and facts (a unit slip); `benchmarks/misconceptions.py`.
"""
_EXCHANGED: Mapping[str, str] = {"+": "-", "-": "+", "*": "+", "/": "*"}
_PER_UNIT = frozenset(map(Fraction, (7, 12, 24, 52, 60, 100, 365, 1000)))
"""Constants that convert one unit to another."""
_OPERATIONS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
_UNANSWERED = (ArithmeticError, LookupError, ValueError)
"""Of a template that has no answer to such numbers."""


class Misconception(Value):
    kind: MisconceptionKind
    answer: str
    """The wrong answer it leads to."""


def drawn(
    found: Sequence[Misconception], weights: Mapping[MisconceptionKind, float], rng: Random
) -> Misconception | None:
    """One of those of a problem: first the kind, of those it has. None: it has none of these kinds."""
    kinds = {m.kind: weights[m.kind] for m in found if weights.get(m.kind)}
    if not kinds:
        return None
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    return rng.choice([m for m in found if m.kind == kind])


def of_executable(problem: Executable) -> tuple[Misconception, ...]:
    return _plausible(problem.answer(), _of_steps(problem))


def of_givens(solve: Callable[..., Any], givens: Mapping[str, int], steps: int) -> tuple[Misconception, ...]:
    """Of a template whose answer is a number; `givens` in the order of the text."""
    try:
        answer = Fraction(solve(**givens))
        return _plausible(answer, _of_solve(solve, givens, answer, steps))
    except _UNANSWERED:
        return ()


def _plausible(answer: Fraction, found: Iterator[tuple[MisconceptionKind, Fraction]]) -> tuple[Misconception, ...]:
    """As people write them, in digits that a schema for numbers allows."""
    good = (
        Misconception(kind=kind, answer=str(value if value.denominator == 1 else float(value)))
        for kind, value in found
        if value != answer and 0 < value < 10**7 and (value * 100 % 1 == 0 if answer % 1 else value % 1 == 0)
    )
    return tuple(dict.fromkeys(good))


def _of_steps(problem: Executable) -> Iterator[tuple[MisconceptionKind, Fraction]]:
    yield "first_number", problem.quantities[0].value
    units = _PER_UNIT - {q.value for q in problem.quantities}
    for n, step in enumerate(problem.steps):
        for kind, other in _otherwise(step.expression, units, alone=len(problem.steps) == 1):
            steps = (*problem.steps[:n], step._replace(expression=other), *problem.steps[n + 1 :])
            try:
                yield kind, replace(problem, steps=steps).answer()
            except ZeroDivisionError:
                continue


def _otherwise(at: Expression, units: Set[Fraction], alone: bool) -> Iterator[tuple[MisconceptionKind, Expression]]:
    """A step computed wrongly; `alone`: it is the only one, which nobody forgets."""
    if not isinstance(at, Operation):
        return
    yield "operator_exchanged", at._replace(sign=_EXCHANGED[at.sign])
    if at.sign in "*/" and at.right in units:
        yield "unit_slip", at.left
    if at.sign == "*" and at.left in units:
        yield "unit_slip", at.right
    for side in (at.left,) if at.sign in "-/" else (at.left, at.right):
        if isinstance(side, Made | Given) and not alone:
            yield "step_forgotten", side


def _of_solve(
    solve: Callable[..., Any], givens: Mapping[str, int], answer: Fraction, steps: int
) -> Iterator[tuple[MisconceptionKind, Fraction]]:
    if givens:
        yield "first_number", Fraction(next(iter(givens.values())))
    if len(givens) == 2 and (operation := _operation(solve, givens)):
        sign, (first, second) = operation
        yield "operator_exchanged", _OPERATIONS[_EXCHANGED[sign]](Fraction(givens[first]), Fraction(givens[second]))
    for name, value in givens.items() if steps > 1 else ():
        one, double, triple = (Fraction(solve(**{**givens, name: v})) for v in (1, 2 * value, 3 * value))
        none = answer - (double - answer)
        if none == 0 or one == answer * value:  # a factor or a divisor: left out, it is 1
            yield "step_forgotten", one
        elif triple - double == double - answer:  # a term: left out, it is 0
            yield "step_forgotten", none


def _operation(solve: Callable[..., Any], givens: Mapping[str, int]) -> tuple[str, tuple[str, str]] | None:
    """What a template does with its two givens, as its answers to other numbers show."""
    a, b = givens
    points = [givens, *({a: givens[a] + m, b: givens[b] + n} for m, n in ((1, 0), (0, 1), (2, 3), (5, 1)))]
    for left, right in ((a, b), (b, a)):
        for sign, apply in _OPERATIONS.items():
            if all(apply(Fraction(p[left]), Fraction(p[right])) // 1 == solve(**p) for p in points):
                return sign, (left, right)
    return None
