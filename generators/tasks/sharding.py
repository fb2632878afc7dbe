"""Sharded problems (methods §17): a fully specified problem as a question and shards, pieces that are told one by one.

Made by program, or read from a file that has them, and checked by program either way: what the paper asks of a valid
sharding is a function each, and what fails one is refused with its reason.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

from generators.speakers.checks import coverage
from generators.tasks import external
from generators.tasks.executable import Executable, Unreadable, executable, find_quantities
from generators.tasks.pieces import clauses, names, pieces, points_back
from generators.tasks.problem import Problem, Template
from schemas.errors import DataError
from schemas.scenario import Fact, Value, parse_number

HOLDER = "user"
MOST = 10
"""Shards of one problem, as in the paper."""
OVERLAP = 0.6
"""Share of a shard's words that stand together in the source, from which it was only rephrased."""
_ASKS = re.compile(
    r"\?\s*$|(?:^|[.!?]\s+)(?:how|what|which|who|when|where|calculate|compute|find|determine|work out|tell|write"
    r"|give|solve)\b",
    re.IGNORECASE,
)
_RELATES = re.compile(
    r"\b(?:half|halves|one|thirds?|fourths?|quarters?|(?:fif|six|seven|eigh|nin|ten)ths?|twice|doubles?|triples?|times|percent|more|less"
    r"|fewer|than|equal(?:ly)?|same|each|every|per|all|both|rest|remaining|average|together|total)\b|%",
    re.IGNORECASE,
)
"""What may make an amount without a number that a worked solution shows."""
_UNIT = re.compile(r"^\s?(?:%|(?:st|nd|rd|th)\b)")
"""Of an amount that is left out, what is written with it."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class Sharded(Value):
    problem: Problem
    """Its `public` is the full text."""
    first: str
    """The question, which is told first; all the rest are the shards."""
    shards: tuple[Fact, ...]
    """In the order of the text. `required`: the answer depends on it, as far as the worked solution shows."""
    visible: bool
    """Whether the question alone shows what is missing, so that a shard's slot may be asked for by its words."""


class Check(NamedTuple):
    """Whether a sharding has one property of a valid one."""

    valid: bool
    reason: str = "ok"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    problems: tuple[Sharded, ...]
    refused: Mapping[str, int]
    """Rows refused, by reason."""


def preserved(source: str, first: str, shards: Sequence[str], worked: Executable | None = None) -> Check:
    """Information preservation: no quantity of the source is lost; one that the answer depends on, or without a worked
    solution every one, is in exactly one piece; and the pieces together have the same answer.
    """
    told = [quantities(piece) for piece in (first, *shards)]
    written = quantities(source)
    if lost := written.keys() - {value for piece in told for value in piece}:
        return Check(False, "information_lost", shown(lost))
    once = {v for v, n in written.items() if n == 1} if worked is None else {q.value for q in _needed(worked)}
    if twice := {value for value in once if sum(value in piece for piece in told) > 1}:
        return Check(False, "told_twice", shown(twice))
    made = {value for piece in told for value in piece} - written.keys()
    if made:
        return Check(False, "information_added", shown(made))
    if worked is not None and worked.answer() != _answer_from(worked, " ".join([*shards, first])):
        return Check(False, "other_answer")
    return Check(True)


def clear_intent(first: str) -> Check:
    """Clear initial intent: the first piece asks or commands, and everybody in it has a name."""
    if not _ASKS.search(first):
        return Check(False, "unclear_intent", first)
    return Check(True)


def order_free(first: str, shards: Sequence[str]) -> Check:
    """Order insensitivity: no shard needs another one before it."""
    people, asked = names(" ".join([*shards, first])), names(first)
    back = next((shard for shard in shards if points_back(shard, people, asked)), None)
    return Check(True) if back is None else Check(False, "points_back", back)


def maximal(shards: Sequence[str], needed: set[Fraction]) -> Check:
    """Maximal sharding: no shard has two clauses with a needed quantity each."""
    for shard in shards:
        parts = [part for sentence in _SENTENCE.split(shard) for part in clauses(sentence)]
        alone = [part for part in parts if needed & quantities(part).keys()]
        stands = [part for part in alone if not points_back(part, names(shard))]
        if len(alone) > 1 and len(stands) > 1:
            return Check(False, "not_maximal", shard)
    return Check(True)


def minimal(source: str, shards: Sequence[str]) -> Check:
    """Minimal transformation: a shard's words stand in one sentence of the source, or in two that follow another."""
    sentences = _SENTENCE.split(source)
    spans = [*sentences, *(" ".join(pair) for pair in pairwise(sentences))]
    for shard in shards:
        if max(coverage(span, shard) for span in spans) < OVERLAP:
            return Check(False, "rewritten", shard)
    return Check(True)


def checks(source: str, first: str, shards: Sequence[str], worked: Executable | None = None) -> Iterator[Check]:
    """The five properties of methods §17, in its order."""
    needed = set(quantities(source)) if worked is None else {q.value for q in _needed(worked)}
    yield preserved(source, first, shards, worked)
    yield clear_intent(first)
    yield order_free(first, shards)
    yield maximal(shards, needed)
    yield minimal(source, shards)


def quantities(text: str) -> Counter[Fraction]:
    """Amounts of a text, by value, without words that may mean none ("the other one")."""
    return Counter(q.value for q in find_quantities(text) if not q.doubtful)


def shown(values: Sequence[Fraction] | set[Fraction]) -> str:
    return ", ".join(str(value) for value in sorted(values))


def from_template(template: Template, rng: Random) -> Sharded:
    """A built-in problem: its question says what it is about, each of its facts is a shard."""
    seed = rng.getrandbits(63)
    whole = template.make(Random(seed), withhold=0, holder=HOLDER)
    bare = template.make(Random(seed), withhold=len(template.draft(Random(seed)).givens), holder=HOLDER)
    shards = tuple(fact.model_copy(update={"id": f"shard_{n}"}) for n, fact in enumerate(bare.gaps, 1))
    return Sharded(problem=whole, first=bare.public, shards=shards, visible=True)


def load(path: Path) -> Loaded:
    """Every problem of a file (`generators.tasks.external`) whose sharding is valid: its `meta.shards`, the question
    first, or else what the program makes of its text. Raises DataError where none is.
    """
    refused: Counter[str] = Counter()
    problems: list[Sharded] = []
    for row, item in external.with_rows(path):
        made = item.reason if isinstance(item, external.Refused) else _sharded(item, row)
        if isinstance(made, Sharded):
            problems.append(made)
        else:
            refused[made] += 1
    if not problems:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(refused.items())) or "it is empty"
        raise DataError(f"{path}: no problem that can be told in pieces ({reasons})")
    return Loaded(tuple(problems), dict(refused))


def _sharded(problem: Problem, row: Mapping[str, Any]) -> Sharded | str:
    """The problem in shards, or why it has none."""
    ready = row["meta"].get("shards")
    try:
        told = [str(part).strip() for part in cast(list[Any], ready)] if isinstance(ready, list) else None
        first, shards = (told[0], told[1:]) if told else pieces(problem.public)
    except ValueError as error:
        return str(error)
    if not 0 < len(shards) <= MOST or not all(shards):
        return "no_shards" if not shards else "too_many_shards" if all(shards) else "empty_shard"
    worked = _worked(problem, str(row["answer"]))
    if wrong := next((c for c in checks(problem.public, first, shards, worked) if not c.valid), None):
        return wrong.reason
    facts = tuple(_fact(n, text, worked) for n, text in enumerate(shards, 1))
    if not any(fact.required for fact in facts):
        return "nothing_required"
    return Sharded(problem=problem, first=first, shards=facts, visible=False)


def _worked(problem: Problem, answer: str) -> Executable | None:
    """The problem as a program, where its answer shows one."""
    number = parse_number(problem.verifier.answer) if problem.verifier.kind == "number" else None
    try:
        return None if number is None else executable(problem.public, answer, number)
    except Unreadable:
        return None


def _needed(worked: Executable) -> list[Any]:
    return [q for n, q in enumerate(worked.quantities) if worked.needs(n)]


def _answer_from(worked: Executable, text: str) -> Fraction | None:
    """The answer with each needed quantity as the text has it; None: it has not all of them."""
    found = quantities(text)
    known = {n: worked.quantities[n].value for n in worked.sure if worked.quantities[n].value in found}
    return worked.answer(known) if len(known) == len(worked.sure) else None


def _fact(number: int, text: str, worked: Executable | None) -> Fact:
    amounts = [q for q in find_quantities(text) if not q.doubtful]
    written = [text[q.start : q.end] for q in amounts]
    bare = text
    for q in reversed(amounts):
        bare = bare[: q.start].rstrip("$") + _UNIT.sub("", bare[q.end :])
    return Fact(
        id=f"shard_{number}",
        holder=HOLDER,
        slot=" ".join(bare.split()).rstrip(".").lower(),
        value=", ".join(written) or text.rstrip("."),
        text=text if text.endswith((".", "!")) else f"{text}.",
        required=_required(text, worked),
    )


def _required(text: str, worked: Executable | None) -> bool:
    """Whether the answer depends on what a shard says. Only what surely does not is not required: a whole number that
    the worked solution neither uses nor makes, or no number and no relation at all.
    """
    if worked is None:
        return True
    idle = {worked.quantities[n].value for n in worked.idle}
    return bool(_RELATES.search(text)) or any(value not in idle or value <= 1 for value in quantities(text))
