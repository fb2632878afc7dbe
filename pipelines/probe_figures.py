"""The figures of `overture probe` (methods §11), each with its interval, and what they show.

The unit is the question: the facts of a group share their choices and a problem its template, of which each stands in
one half. Shares have Wilson's 95% interval, differences Newcombe's (MOVER: of the two shares' intervals), which for two
shares of the same questions is rather too wide than too narrow.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal, NamedTuple

from generators.tasks.knowledge_base import CHOICES
from pipelines.probe_questions import NO_PROMPT, Half, Mark, Task
from schemas.judgement import Interval

Condition = Literal["no prompt", "prompt", "prompt and facts"]

CHANCE = 1 / CHOICES
ASKED_MORE = "asked less asked_on_answerable"
_BASELINES = {
    "right": "chance 0.25",
    "asked": "never 0, always 1",
    "asked_on_answerable": "never 0, always 1",
    "asked_right_slot": "never 0",
    ASKED_MORE: "never and always 0",
}
"""What who does not read the question reaches: by chance, by never asking, by always asking."""
_MARKS: Mapping[Task, tuple[Mark, ...]] = {
    "facts": ("right",),
    "problems": ("asked", "asked_on_answerable", "asked_right_slot"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to one question. `text` is None, with a reason, where no answer could be used."""

    task: Task
    item: str
    half: Half
    condition: Condition
    prompt_variant_id: str
    question: str
    text: str | None
    marks: Mapping[Mark, bool]
    cut: bool = False
    """By the token limit; what it asked until then is what it asked."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """Of the test half."""

    measure: str
    condition: Condition
    prompt_variant_id: str
    found: Interval | None
    """None: no answer could be used."""
    missing: Mapping[str, int]
    """Reason -> answers that could not be used; they are in no share."""
    cut: int
    """Answers cut by the token limit."""
    beside: str


class Tried(NamedTuple):
    """A prompt on the dev half, where the best of them is chosen: too high for that one, and reported of none."""

    prompt_variant_id: str
    text: str
    found: Interval | None


class Claim(NamedTuple):
    name: str
    verdict: str


def share(answers: Iterable[Answer], mark: Mark) -> Interval | None:
    """Of the answers that could be used and have this mark."""
    hits = [a.marks[mark] for a in answers if mark in a.marks]
    return Interval.of_share(sum(hits) / len(hits), len(hits)) if hits else None


def difference(one: Interval | None, other: Interval | None) -> Interval | None:
    """one - other."""
    if one is None or other is None:
        return None
    gap = one.value - other.value
    low = gap - hypot(one.value - one.low, other.high - other.value)
    high = gap + hypot(one.high - one.value, other.value - other.low)
    return Interval(gap, low, high, min(one.n, other.n))


def asked_more(answers: Sequence[Answer]) -> Interval | None:
    """Share asked of the problems that lack something, less that of the complete ones."""
    return difference(share(answers, "asked"), share(answers, "asked_on_answerable"))


def best(tried: Sequence[Tried]) -> Tried:
    """Of equally good ones the first."""
    return max(tried, key=lambda t: -2.0 if t.found is None else t.found.value)


def figures(answers: Sequence[Answer]) -> list[Figure]:
    """By measure, then in the order the conditions were asked in."""
    tested = [a for a in answers if a.half == "test"]
    found: list[Figure] = []
    for task, marks in _MARKS.items():
        ours = [a for a in tested if a.task == task]
        by: dict[tuple[Condition, str], list[Answer]] = {}
        for a in ours:
            by.setdefault((a.condition, a.prompt_variant_id), []).append(a)
        lost = {c: Counter(a.reason for a in some if a.reason is not None) for c, some in by.items()}
        cut = {c: sum(a.cut for a in some) for c, some in by.items()}
        measures = [(mark, {c: share(some, mark) for c, some in by.items()}) for mark in marks]
        if task == "problems":
            measures.append((ASKED_MORE, {c: asked_more(some) for c, some in by.items()}))
        found += [
            Figure(name, *c, interval, dict(lost[c]), cut[c], _BASELINES[name])
            for name, row in measures
            for c, interval in row.items()
        ]
    return found


def claims(found: Sequence[Figure]) -> list[Claim]:
    """The bound decides, not the point."""
    by = {(f.measure, f.condition): f.found for f in found}
    told, instructed = by.get(("right", "prompt and facts")), by.get(("right", "prompt"))
    gain = difference(by.get((ASKED_MORE, "prompt")), by.get((ASKED_MORE, "no prompt")))
    return [
        Claim("instructions alone know more than chance", above(instructed, CHANCE)),
        Claim("facts in context know more than instructions alone", above(difference(told, instructed), 0.0)),
        Claim(
            "without a prompt it asks more where something is missing", above(by.get((ASKED_MORE, "no prompt")), 0.0)
        ),
        Claim(
            "with the best prompt it asks more where something is missing", above(by.get((ASKED_MORE, "prompt")), 0.0)
        ),
        Claim("the best prompt tells the two apart better than none", above(gain, 0.0)),
    ]


def above(found: Interval | None, bar: float) -> str:
    """`no` only where the whole interval lies below."""
    if found is None:
        return "not shown (nothing to judge)"
    verdict = "yes" if found.low > bar else "no" if found.high < bar else "not shown"
    by = f"{found.value - bar:+.2f}, {found.low - bar:+.2f} to {found.high - bar:+.2f}"
    return f"{verdict} ({by}, n = {found.n})"


def described(figure: Figure, of: int) -> str:
    """The condition in words. `of`: prompts that were tried."""
    chosen = f"best of {of} prompts: {figure.prompt_variant_id}" if figure.prompt_variant_id != NO_PROMPT else ""
    return {"no prompt": "no prompt", "prompt": chosen, "prompt and facts": f"{chosen}, facts in context"}[
        figure.condition
    ]
