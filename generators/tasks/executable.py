"""The executable form of a worked problem: its computation steps as a program over the numbers of its text.

Steps are written as in GSM8K, `<<20*40*.01=8>>`. An operand is what an earlier step made, a number of the question, or
neither, then it is a constant (the 12 of a year). Which of them it is shows by its value, so where two have the same
value nobody knows: such a number is never `sure`, and nothing is concluded from it.
"""

import ast
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from random import Random
from typing import NamedTuple

_STEP = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")
_NUMBER = re.compile(
    r"(?<![\w.,/])\$?(?P<fraction>\d+\s*/\s*\d+)(?![\d/])"
    r"|(?<![\w.])\$?(?P<number>(?:\d[\d,]*)?\.?\d+)(?P<percent>\s?%|\s(?:percent|per cent)\b)?"
    r"|\b(?P<word>[a-z]+)(?=[\s\-,.?!']|$)",
    re.IGNORECASE,
)
_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
_TENS = "thirty forty fifty sixty seventy eighty ninety hundred"
_WORDS: dict[str, Fraction] = {
    **{word: Fraction(n) for n, word in enumerate(_TO_TWENTY.split())},
    **{word: Fraction(10 * n) for n, word in enumerate(_TENS.split(), start=3)},
    "twice": Fraction(2),
    "double": Fraction(2),
    "triple": Fraction(3),
    "thrice": Fraction(3),
    "dozen": Fraction(12),
    "half": Fraction(1, 2),
    "third": Fraction(1, 3),
    "quarter": Fraction(1, 4),
}
_DOUBTFUL = frozenset(["one", "third", "quarter"])
_OPERATIONS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_SIGNS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMMON = frozenset(
    [*map(Fraction, (0, 1, 2, 7, 12, 24, 52, 60, 100, 365, 1000)), Fraction(1, 100), Fraction(1, 2), Fraction(1, 4)]
)
"""Constants that everybody knows: days, months, hours, weeks, halves."""
TRIES = 100
"""Draws of other numbers for one problem."""


class Quantity(NamedTuple):
    """A number of the question; `question[start:end]` writes it."""

    start: int
    end: int
    value: Fraction
    percent: bool = False
    doubtful: bool = False
    """A word that may mean no amount: "the other one", "the third day"."""


class Made(NamedTuple):
    """What an earlier step made."""

    step: int


class Given(NamedTuple):
    """A quantity of the question; `share`: of a percentage as 0.4."""

    quantity: int
    share: bool


class Operation(NamedTuple):
    sign: str
    left: "Expression"
    right: "Expression"


Expression = Fraction | Made | Given | Operation


class Step(NamedTuple):
    expression: Expression
    result: Fraction
    places: int | None
    """Decimals that its result was rounded to; None: it is exact."""


class Unreadable(ValueError):
    """Why a problem has no executable form, in snake_case."""


@dataclass(frozen=True, slots=True)
class Executable:
    """`executable` makes it."""

    question: str
    quantities: tuple[Quantity, ...]
    steps: tuple[Step, ...]
    """In order; the last makes the answer."""
    sure: tuple[int, ...]
    """Positions in `quantities` of those that steps use and whose value nothing else in the problem has."""
    idle: tuple[int, ...]
    """Of those whose value no step uses or makes; none where some computing is not written as a step."""

    def answer(self, changed: Mapping[int, Fraction] | None = None) -> Fraction:
        """The answer with some quantities of another value, by position. Raises ZeroDivisionError."""
        return self._run(changed or {})[-1]

    def needs(self, position: int) -> bool:
        """Whether the answer depends on a quantity: it is sure, and with another value the answer is another."""
        value = self.quantities[position].value
        return position in self.sure and any(
            self._differs({position: other}) for other in (value * 2, value * 3, value + 7)
        )

    def vary(self, rng: Random) -> tuple[str, Fraction] | None:
        """The problem with other numbers, and its answer: every sure quantity between half and twice what it was, every
        step whole and positive where it was. None: no such numbers were found.
        """
        was = self._run({})
        for _ in range(TRIES):
            changed = {n: other_value(self.quantities[n].value, rng) for n in self.sure}
            try:
                found = self._run(changed)
            except ZeroDivisionError:
                continue
            if found[-1] != was[-1] and all(map(_alike, was, found)):
                return self._written(changed), found[-1]
        return None

    def _differs(self, changed: Mapping[int, Fraction]) -> bool:
        try:
            return self.answer(changed) != self.answer()
        except ZeroDivisionError:
            return False

    def _run(self, changed: Mapping[int, Fraction]) -> list[Fraction]:
        made: list[Fraction] = []
        for step in self.steps:
            value = self._value(step.expression, made, changed)
            made.append(value if step.places is None else _rounded(value, step.places))
        return made

    def _value(self, at: Expression, made: Sequence[Fraction], changed: Mapping[int, Fraction]) -> Fraction:
        match at:
            case Operation(sign, left, right):
                return _OPERATIONS[sign](self._value(left, made, changed), self._value(right, made, changed))
            case Made(step):
                return made[step]
            case Given(n, share):
                value = changed.get(n, self.quantities[n].value)
                return value / 100 if share else value
            case _:
                return at

    def _written(self, changed: Mapping[int, Fraction]) -> str:
        text = self.question
        for n in sorted(changed, reverse=True):
            text = rewritten(text, self.quantities[n], changed[n])
        return text


def executable(question: str, solution: str, answer: Fraction) -> Executable:
    """Raises Unreadable: `no_steps`, `unreadable_step`, `wrong_step` (it does not make its result), `other_answer` (no
    step makes the answer), `equal_results` (of two steps, one of which is used), `no_quantity` (no step uses a number
    of the question for sure).
    """
    quantities = tuple(find_quantities(question))
    fractions = frozenset(q.value for q in quantities if q.value.denominator != 1)
    steps = [_step(expression, result, fractions) for expression, result in _STEP.findall(solution)]
    if not steps:
        raise Unreadable("no_steps")
    last = max((n for n, step in enumerate(steps) if step.result == answer), default=None)
    if last is None:
        raise Unreadable("other_answer")
    steps = steps[: last + 1]
    sure = tuple(_sure(quantities, steps))
    if not sure:
        raise Unreadable("no_quantity")
    known = {quantities[n].value: Given(n, False) for n in sure}
    known |= {quantities[n].value / 100: Given(n, True) for n in sure if quantities[n].percent}
    bound = (s._replace(expression=_bound(s.expression, steps[:n], known)) for n, s in enumerate(steps))
    return Executable(question, quantities, tuple(bound), sure, tuple(_idle(quantities, steps, solution)))


def find_quantities(question: str) -> Iterator[Quantity]:
    for found in _NUMBER.finditer(question):
        start, end = found.span()
        word = (found["word"] or "").lower()
        if word in _WORDS:
            yield Quantity(start, end, _WORDS[word], percent=False, doubtful=word in _DOUBTFUL)
        elif found["fraction"]:
            over, under = found["fraction"].split("/")
            if int(under):
                yield Quantity(start, end, Fraction(int(over), int(under)))
        elif found["number"]:
            value = Fraction(found["number"].replace(",", ""))
            yield Quantity(found.start("number"), found.end("number"), value, percent=bool(found["percent"]))


def _sure(quantities: Sequence[Quantity], steps: Sequence[Step]) -> Iterator[int]:
    used = {value for step in steps for value in _leaves(step.expression)}
    made = {step.result for step in steps}
    written = Counter(q.value for q in quantities)
    for n, quantity in enumerate(quantities):
        values = {quantity.value, quantity.value / 100} if quantity.percent else {quantity.value}
        alone = written[quantity.value] == 1 and not values & made
        if alone and values & used and quantity.value > 0 and not quantity.doubtful:
            yield n


def _idle(quantities: Sequence[Quantity], steps: Sequence[Step], solution: str) -> Iterator[int]:
    seen = {value for step in steps for value in (*_leaves(step.expression), step.result)}
    stated = {v for q in quantities for v in (q.value, q.value / 100)} | {step.result for step in steps}
    plain = _STEP.sub("", solution)
    if seen - stated - _COMMON or plain.count("=") > len(_STEP.findall(solution)):
        return
    for n, quantity in enumerate(quantities):
        if not {quantity.value, quantity.value / 100} & seen and not quantity.doubtful:
            yield n


def _leaves(at: Expression) -> Iterator[Expression]:
    if isinstance(at, Operation):
        yield from _leaves(at.left)
        yield from _leaves(at.right)
    else:
        yield at


def _bound(at: Expression, earlier: Sequence[Step], known: Mapping[Fraction, Given]) -> Expression:
    """Values as what they are: an earlier result before a number of the question before a constant."""
    if isinstance(at, Operation):
        return at._replace(left=_bound(at.left, earlier, known), right=_bound(at.right, earlier, known))
    results = [n for n, step in enumerate(earlier) if step.result == at]
    if len({earlier[n].expression for n in results}) > 1:
        raise Unreadable("equal_results")
    return Made(results[-1]) if results else known.get(at, at) if isinstance(at, Fraction) else at


def _step(expression: str, result: str, fractions: frozenset[Fraction]) -> Step:
    try:
        tree = _tree(ast.parse(_as_python(expression), mode="eval").body, fractions)
        value, wanted = _worth(tree), Fraction(re.sub(r"[,$%\s]", "", result))
    except (SyntaxError, ValueError, ZeroDivisionError) as error:
        raise Unreadable("unreadable_step") from error
    if value == wanted:
        return Step(tree, wanted, None)
    places = len(result.strip().partition(".")[2])
    if places == 0 or _rounded(value, places) != wanted:
        raise Unreadable("wrong_step")
    return Step(tree, wanted, places)


def _as_python(expression: str) -> str:
    """Without thousands and currency, `40%` as `(40/100)`, `007` as `7`."""
    plain = re.sub(r"[,$\s]", "", expression)
    plain = re.sub(r"(?<![\d.])0+(?=\d)", "", plain)
    return re.sub(r"([\d.]+)%", r"(\1/100)", plain)


def _tree(node: ast.expr, fractions: frozenset[Fraction]) -> Expression:
    """Sums and products of numbers, nothing else; a fraction that the question has, as 1/2, is one number."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in _SIGNS:
            both = Operation(_SIGNS[type(op)], _tree(left, fractions), _tree(right, fractions))
            alone = isinstance(both.left, Fraction) and isinstance(both.right, Fraction) and both.sign == "/"
            return worth if alone and (worth := _worth(both)) in fractions else both
        case ast.UnaryOp(ast.USub(), inner):
            return Operation("-", Fraction(0), _tree(inner, fractions))
        case ast.Constant(int() | float() as value):
            return Fraction(repr(value))
        case _:
            raise Unreadable("unreadable_step")


def _worth(at: Expression) -> Fraction:
    match at:
        case Operation(sign, left, right):
            return _OPERATIONS[sign](_worth(left), _worth(right))
        case Fraction():
            return at
        case _:
            raise TypeError(f"{at} is bound")


def _rounded(value: Fraction, places: int) -> Fraction:
    """Halves away from zero, as people round."""
    scale = 10**places
    return Fraction(int(abs(value) * scale + Fraction(1, 2)), scale) * (1 if value >= 0 else -1)


def _alike(was: Fraction, now: Fraction) -> bool:
    return (was > 0) == (now > 0) and (was.denominator == 1) <= (now.denominator == 1)


def rewritten(text: str, quantity: Quantity, value: Fraction) -> str:
    """The text with another value, written as the one it had."""
    return text[: quantity.start] + _like(text[quantity.start : quantity.end], value) + text[quantity.end :]


def other_value(value: Fraction, rng: Random) -> Fraction:
    """Another value between half and twice it, of as many decimals; of a fraction below 1 another one."""
    if 0 < value < 1:
        return Fraction(1, rng.choice([n for n in range(2, 7) if Fraction(1, n) != value]))
    unit = Fraction(1, 100) if value.denominator != 1 else Fraction(5 if value >= 50 else 1)
    other = unit * rng.randint(ceil(value / 2 / unit), floor(2 * value / unit))
    return other if other != value else value + unit


def _like(before: str, value: Fraction) -> str:
    """A word for a word, a fraction for a fraction; else digits, with as many decimals as it takes."""
    if before.isalpha() and value > 1 and (word := next((w for w, v in _WORDS.items() if v == value), None)):
        return word.capitalize() if before[0].isupper() else word
    if "/" in before or (value < 1 and not before[:1].isdigit()):
        return f"{value.numerator}/{value.denominator}"
    if value.denominator == 1:
        return f"{value.numerator:,}" if "," in before else str(value.numerator)
    return f"{float(value):.2f}".rstrip("0")
