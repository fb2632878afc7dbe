"""Cases of the `flawed` family: a flawed problem and its control, from built-in templates, from a file of worked
problems, or from a loaded set of flawed problems. All that is made from one source problem has one `base_case_id`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal

from generators.tasks import catalog, external
from generators.tasks.executable import Unreadable, executable
from generators.tasks.external import Refused
from generators.tasks.flawed import Flaw, Removed, Variant, pair, partnered
from generators.tasks.sources import Source, of_draft, of_executable
from schemas.errors import DataError
from schemas.identity import stable_hash
from schemas.scenario import Value, Verifier, parse_number

FlawType = Literal["none", "missing", "missing_distractor", "contradiction", "unanswerable"]
"""unanswerable: of a loaded set, which says no more."""
TRIES = 500
"""Draws for one case."""
TRIED = 6
"""Drafts of a template that are looked at before it is taken for a source."""
_BLURRED = re.compile(r"\bsome\b", re.IGNORECASE)


class Form(Value):
    """A problem as somebody poses it."""

    flaw_type: FlawType
    question: str
    verifier: Verifier | None
    """With everything known; None where nothing can be."""
    removed: Removed | None = None
    """What the one who poses it can tell."""


class Case(Value):
    base_case_id: str
    rewriting: Flaw | None
    """How both forms were made; None: as they were loaded."""
    flawed: Form
    control: Form


@dataclass(frozen=True, slots=True)
class Made:
    """Pairs of complete problems, and what was refused."""

    pairs: tuple[tuple[str, str], ...]
    sources: Mapping[str, Source]
    refused: Mapping[str, int]
    """Problems by reason: those of `Unreadable`, `says_some`, `no_number`, and `no_partner`."""

    def draw(self, kinds: Mapping[Flaw, float], rng: Random) -> Case | None:
        return _case(rng.choice(self.pairs), self.sources, kinds, rng)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Of a set of flawed problems."""

    cases: tuple[Case, ...]
    refused: Mapping[str, int]
    """Rows by reason."""


def built_in(kinds: Mapping[Flaw, float], rng: Random) -> Case:
    """Two templates, drawn anew. Raises DataError where none allows such a flaw."""
    for _ in range(TRIES):
        names = rng.choice(_templates())
        sources = {name: source for name in names if (source := of_draft(catalog.by_id(name).draft(rng)))}
        if case := _case(names, sources, kinds, rng):
            return case
    raise DataError(f"kinds: no built-in template allows {', '.join(kinds)}; 'problems' takes a file of others")


def of_file(path: Path, kinds: Mapping[Flaw, float], rng: Random) -> Case:
    """Two problems of a file. Raises DataError where none allows such a flaw."""
    made = worked(path)
    for _ in range(TRIES):
        if case := made.draw(kinds, rng):
            return case
    raise DataError(f"{path}: none of {TRIES} problems drawn allows {', '.join(kinds)}")


@cache
def worked(path: Path) -> Made:
    """The problems of a file whose solutions are programs (`answer` as in GSM8K: steps in `<<>>`, the result behind
    `####`), paired in the order of the file. Raises DataError where there is no pair.
    """
    found: dict[str, Source] = {}
    refused: Counter[str] = Counter()
    for row, _ in external.with_rows(path):
        try:
            source = _worked(row)
        except Unreadable as error:
            refused[str(error)] += 1
        else:
            found[str(row.get("problem_id") or stable_hash(source.question, bits=64))] = source
    pairs = partnered(list(found.items()))
    refused["no_partner"] += len(found) - 2 * len(pairs)
    if not pairs:
        raise DataError(f"{path}: no two problems of which flawed ones can be made ({_counts(refused)})")
    return Made(tuple(pairs), found, dict(refused))


@cache
def loaded(path: Path) -> Loaded:
    """Every flawed row of a set with its control: the row that `original_problem_id` or `original_question` of its
    `meta` names; where its source has none, one of another source, all by turns. Raises DataError where there is none.
    """
    refused: Counter[str] = Counter()
    controls: dict[str, Form] = {}
    named: dict[str, str] = {}
    flawed: list[tuple[Mapping[str, Any], Form]] = []
    for row, problem in external.with_rows(path):
        question = str(row["question"] or "").strip()
        if "answerable" not in row:
            raise DataError(f"{path}: no column 'answerable'; a file of problems without flaws goes under 'problems'")
        if question and row["answerable"] is False:
            flawed.append((row["meta"], Form(flaw_type="unanswerable", question=question, verifier=None)))
        elif isinstance(problem, Refused):
            refused[problem.reason] += 1
        elif problem.verifier.kind != "number":
            refused["no_number"] += 1
        else:
            named[str(row.get("problem_id"))] = _key(question)
            controls[_key(question)] = Form(flaw_type="none", question=question, verifier=problem.verifier)
    if not controls or not flawed:
        raise DataError(
            f"{path}: {len(flawed)} flawed problems and {len(controls)} controls ({_counts(refused)}); a set needs "
            "both, as flawed problems alone teach always-asking: put answerable rows beside the others"
        )
    spare = sorted(controls)
    cases: list[Case] = []
    for n, (meta, form) in enumerate(flawed):
        own = named.get(str(meta.get("original_problem_id"))) or _key(str(meta.get("original_question") or ""))
        key = own if own in controls else spare[n % len(spare)]
        cases.append(Case(base_case_id=f"flawed/{key}", rewriting=None, flawed=form, control=controls[key]))
    return Loaded(tuple(cases), dict(refused))


def _case(
    names: tuple[str, str], sources: Mapping[str, Source], kinds: Mapping[Flaw, float], rng: Random
) -> Case | None:
    """Of two partners either, with a kind of flaw that it allows; None where it allows none of these."""
    host, partner = rng.sample(names, 2)
    left = dict(kinds)
    while left:
        kind = rng.choices(list(left), list(left.values()))[0]
        if found := pair(sources[host], kind, sources[partner], rng):
            flawed, control = (_form(variant) for variant in found)
            return Case(base_case_id=f"flawed/{'+'.join(names)}", rewriting=kind, flawed=flawed, control=control)
        del left[kind]
    return None


def _form(variant: Variant) -> Form:
    answer = variant.answer
    written = str(answer) if answer.denominator == 1 else f"{float(answer):.10g}"
    return Form(
        flaw_type=variant.kind if variant.flawed else "none",
        question=variant.question,
        verifier=Verifier(kind="number", answer=written, tolerance=0.01 if answer.denominator != 1 else 0.0),
        removed=variant.removed,
    )


@cache
def _templates() -> tuple[tuple[str, str], ...]:
    """Pairs of built-in templates that go together whatever is drawn, in the order of the catalogue."""
    drafts: dict[str, list[Source]] = defaultdict(list)
    for template in catalog.ALL:
        for n in range(TRIED):
            source = of_draft(template.draft(Random(n)))
            if source is not None and not _BLURRED.search(source.question):
                drafts[template.id].append(source)
    left = [name for name in drafts if len(drafts[name]) == TRIED]
    found: list[tuple[str, str]] = []
    while left:
        name = left.pop(0)
        for other in left:
            if all(partnered([("", a), ("", b)]) for a, b in zip(drafts[name], drafts[other], strict=True)):
                found.append((name, other))
                left.remove(other)
                break
    return tuple(found)


def _worked(row: Mapping[str, Any]) -> Source:
    """Raises Unreadable."""
    question, solution = str(row["question"] or "").strip(), str(row["answer"] or "")
    answer = parse_number(solution.rsplit("####", 1)[-1])
    if answer is None:
        raise Unreadable("no_number")
    if _BLURRED.search(question):
        raise Unreadable("says_some")  # what was blurred would not be all that is
    return of_executable(executable(question, solution, answer))


def _key(question: str) -> str:
    return str(stable_hash(" ".join(re.findall(r"\w+", question.lower())), bits=64))


def _counts(refused: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()) if count) or "it is empty"
