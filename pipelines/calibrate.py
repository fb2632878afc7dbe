"""`overture calibrate GRADER --labels FILE --model RECIPE --out GRADER2`: how far does a judge agree with people?

Labelled texts are split by context into fit, dev and test (methods §12, auto-prompt calibration). Where the grader is
wrong on fit, a note or an example against that is put into its prompt; the best prompt on dev is asked once on test,
and written with what was measured as the grader's next version.
"""

import asyncio
import hashlib
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from inference.client import Connections, HttpChatModel
from inference.transport import PATIENCE, Patience
from outputs.files import write_text
from pipelines.calibrate_figures import Agreement, Pair, agreement, by_length, majority
from pipelines.checking import WIDTH
from pipelines.display import Display, Say, teller
from pipelines.engines import model_server
from pipelines.grader_labels import SPLITS, Labelled, Labels, Split, read_labels
from pipelines.journal import Journal
from pipelines.recipe import Recipe, load
from pipelines.rundir import RunDir
from pipelines.services import DialogueCalls, JournalledChat, Usage
from pipelines.together import together
from rewards.grading import Calibration, Example, Graded, Grader, Measured, read_grader, written
from schemas.contracts import JUDGE, Services
from schemas.errors import DataError, InputError
from schemas.identity import derive, stable_hash
from schemas.judgement import Interval, shown

AT_ONCE = 16
"""Texts; how many requests an endpoint gets is measured as in a run."""
EXCERPT = 120
"""Characters of a text that a note quotes."""


@dataclass(frozen=True, slots=True)
class Order:
    grader: Path
    labels: Path
    model: Path
    """A recipe; its judge is asked."""
    out: Path
    variants: int = 4
    """Prompts tried beside the grader's own."""
    sets: tuple[str, ...] = ()
    patience: Patience = PATIENCE


class Asked(NamedTuple):
    """A text and what the judge said of it."""

    label: Labelled
    graded: Graded

    @property
    def pair(self) -> Pair:
        graded = self.graded
        reason = graded.missing[-1] if graded.label is None else None
        return Pair(self.label.group, self.label.label, graded.label, graded.score, graded.confidence, reason)


class Tried(NamedTuple):
    grader: Grader
    found: Agreement
    """On dev."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The judge, every call through the journal."""

    model: HttpChatModel
    recipe: Recipe
    name: str
    """Of its model."""
    journal: Journal
    usage: Usage
    say: Say

    async def ask(self, grader: Grader, label: Labelled) -> Asked:
        calls = DialogueCalls(self.journal, label.id, {JUDGE: self.usage})
        conversation = self.model.conversation(grader.prompt_hash)
        chat = JournalledChat(JUDGE, conversation, self.recipe.models[self.name].sampling, calls)
        services = Services(chat={JUDGE: chat}, embed=_NoEmbedder())
        return Asked(label, await grader.grade(label.context, label.text, 0, self.recipe.seed, services))

    async def ask_all(self, grader: Grader, labels: Sequence[Labelled], what: str) -> list[Asked]:
        asking = [partial(self.ask, grader, label) for label in labels]
        return await together(asking, what, self.say, at_once=AT_ONCE, parts=4)


class _NoEmbedder:
    """A judge needs none."""

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        raise DataError("a grader embeds nothing")

    phrases = embed


class Outcome(NamedTuple):
    tried: list[Tried]
    """The grader's own prompt first."""
    test: list[Asked]
    """Of the best."""
    answers: list[dict[str, object]]
    """Everything that was asked, by split and prompt."""

    @property
    def best(self) -> Grader:
        return max(self.tried, key=lambda t: t.found.rank).grader  # of equally good ones the first


def calibrate(order: Order) -> int:
    """Prints the figures and writes the grader's next version, and `answers.jsonl` beside it; goes on where the same
    command was interrupted.
    """
    grader = read_grader(order.grader)
    if order.out.resolve() == order.grader.resolve():
        raise InputError(f"--out: {order.out} is the grader itself; give the next version a file of its own")
    labels = read_labels(order.labels, grader)
    recipe = load(order.model, order.sets)
    name = _judge(recipe)
    progress = Console(stderr=True)
    began, usage = time.monotonic(), Usage()
    run = RunDir(order.out.with_name(f"{order.out.stem}-calibration"))
    with run.lock(), ExitStack() as stack:
        with Display(recipe, progress) as display:
            server = stack.enter_context(model_server(name, recipe.models[name], run.logs, display))
        fingerprint = stable_hash("calibrate", recipe.models[name].identity, recipe.seed)
        journal = stack.enter_context(Journal(run.journal, "judge", fingerprint))
        say = teller("asking", progress, stack)

        async def asked() -> Outcome:
            async with Connections(order.patience) as http:
                bench = Bench(http.chat(*server.endpoints), recipe, name, journal, usage, say)
                return await _outcome(bench, grader, labels, order.variants)

        outcome = asyncio.run(asked())
    found = agreement([a.pair for a in outcome.test], grader, derive(recipe.seed, "test"))
    model, sampling = server.endpoints[0].model, dict(recipe.models[name].sampling)
    known = _calibration(outcome, found, labels, model, sampling, order)
    made = outcome.best.model_copy(update={"version": grader.version + 1, "calibration": known})
    rows = "".join(orjson.dumps(a).decode() + "\n" for a in outcome.answers)
    write_text(run.path / "answers.jsonl", rows)
    write_text(order.out, written(made))
    _print(outcome, found, known, labels, Console(width=None if sys.stdout.isatty() else WIDTH))
    told = f"\n{usage.calls} calls, {time.monotonic() - began:.0f} s. Wrote {order.out} (version {made.version})"
    Console().print(told, markup=False, highlight=False, soft_wrap=True)
    return 0


def _judge(recipe: Recipe) -> str:
    """The name of the model that is asked."""
    if JUDGE in recipe.roles:
        return recipe.roles[JUDGE]
    if len(recipe.models) == 1:
        return next(iter(recipe.models))
    raise InputError(
        f"--model: the recipe has no judge; name one of its models, as --set roles.judge={min(recipe.models)}"
    )


async def _outcome(bench: Bench, grader: Grader, labels: Labels, most: int) -> Outcome:
    answers: list[dict[str, object]] = []

    async def ask(candidate: Grader, number: int, split: Split) -> list[Asked]:
        which = "its own prompt" if not number else f"variant {number}"
        asked = await bench.ask_all(candidate, labels.of(split), f"{split}, {which}")
        answers.extend(_told(one, split, number, candidate) for one in asked)
        return asked

    wrong = [a for a in await ask(grader, 0, "fit") if a.graded.label not in (None, a.label.label)]
    candidates = [grader, *variants(grader, wrong, most)]
    tried: list[Tried] = []
    for number, candidate in enumerate(candidates):
        pairs = [a.pair for a in await ask(candidate, number, "dev")]
        tried.append(Tried(candidate, agreement(pairs, grader, derive(bench.recipe.seed, "dev"))))
    outcome = Outcome(tried, [], answers)
    best = next(n for n, candidate in enumerate(candidates) if candidate == outcome.best)
    return outcome._replace(test=await ask(outcome.best, best, "test"))


def _told(one: Asked, split: Split, variant: int, grader: Grader) -> dict[str, object]:
    label, graded = one
    about = {"split": split, "variant": variant, "prompt_hash": grader.prompt_hash, "group": label.group}
    return {**about, "context": label.context, "text": label.text, "label": label.label, "judge": graded._asdict()}


def variants(grader: Grader, wrong: Sequence[Asked], most: int) -> list[Grader]:
    """Prompts against the commonest confusions, one more at a time: as notes, and as examples with the right answer.

    Of each confusion the worst case speaks: the one the judge was surest of, then the shortest.
    """
    by: dict[tuple[str, str], list[Asked]] = {}
    for one in wrong:
        by.setdefault((one.label.label, str(one.graded.label)), []).append(one)
    worst = [
        max(by[cell], key=lambda a: (a.graded.confidence or 0.0, -len(a.label.text), a.label.id))
        for cell in sorted(by, key=lambda cell: (-len(by[cell]), cell))
    ]
    found: list[Grader] = []
    for n in range(1, len(worst) + 1):
        notes = (*grader.notes, *(_note(one) for one in worst[:n]))
        kept = max(grader.context, 1)
        examples = tuple(
            Example(context=a.label.context[-kept:], text=a.label.text, label=a.label.label) for a in worst[:n]
        )
        found.append(grader.model_copy(update={"notes": notes}))
        found.append(grader.model_copy(update={"examples": (*grader.examples, *examples)}))
    return found[:most]


def _note(one: Asked) -> str:
    text = " ".join(one.label.text.split())
    quoted = text if len(text) <= EXCERPT else f"{text[: EXCERPT - 1]}…"
    return f'"{quoted}" is "{one.label.label}", not "{one.graded.label}".'


def _calibration(
    outcome: Outcome, found: Agreement, labels: Labels, model: str, sampling: dict[str, float | int], order: Order
) -> Calibration:
    best, people = outcome.best, _people(outcome, labels)
    answered = [a for a in outcome.test if a.graded.label is not None]
    known = [(x.text, x.label) for split in ("fit", "dev") for x in labels.of(split)]
    texts = [(a.label.text, a.label.label) for a in answered]
    return Calibration(
        judges=best.judges,
        model=model,
        prompt_hash=best.prompt_hash,
        sampling=sampling,
        labels=hashlib.sha256(order.labels.read_bytes()).hexdigest(),
        rows={split: len(labels.of(split)) for split in SPLITS},
        missing=dict(found.missing),
        accuracy=_measured(found.accuracy),
        majority=majority([label for _, label in texts]) if texts else 1.0,
        by_length=by_length(known, texts) if texts else 1.0,
        kappa=_measured(found.kappa),
        spearman=_measured(found.spearman),
        ece=_measured(found.ece),
        people_accuracy=_measured(people.accuracy),
        people_kappa=_measured(people.kappa),
    )


def _measured(found: Interval | None) -> Measured | None:
    return None if found is None else Measured(**{k: round(v, 4) for k, v in found._asdict().items()})


def _people(outcome: Outcome, labels: Labels) -> Agreement:
    """The second person against the first, on every text that has both: nothing was chosen by them."""
    pairs = [
        Pair(x.group, x.label, x.second, outcome.best.value_of(x.second)) for x in labels.rows if x.second is not None
    ]
    return agreement(pairs, outcome.best, derive(0, "people"))


def _print(outcome: Outcome, found: Agreement, known: Calibration, labels: Labels, console: Console) -> None:
    groups = ", ".join(f"{split} {len(labels.of(split))} ({labels.groups(split)} contexts)" for split in SPLITS)
    console.print(f"{labels.told}. Split by context: {groups}.", markup=False, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("who", "on", "accuracy", "kappa", "Spearman", "ECE", "n", "missing"):
        table.add_column(column, overflow="fold")
    for n, tried in enumerate(outcome.tried):
        mark = " (chosen)" if tried.grader == outcome.best else ""
        table.add_row(("its own prompt" if not n else f"variant {n}") + mark, "dev", *_cells(tried.found))
    table.add_row("the chosen prompt", "test", *_cells(found))
    people = _people(outcome, labels)
    if people.rows:
        table.add_row("a second person", "all", *_cells(people))
    table.add_row("always the commonest label", "test", f"{known.majority:.2f}", "0.00", "-", "-", "", "")
    table.add_row("by length alone", "test", f"{known.by_length:.2f}", "-", "-", "-", "", "")
    console.print(table, highlight=False)
    console.print(_verdict(known), markup=False, highlight=False, soft_wrap=True)


def _cells(found: Agreement) -> tuple[str, ...]:
    lost = sum(found.missing.values())
    reasons = ", ".join(f"{n} {reason}" for reason, n in found.missing.items())
    missing = f"{100 * lost / (found.rows + lost):.0f}% ({reasons})" if lost else "0"
    figures = (shown(f) for f in (found.accuracy, found.kappa, found.spearman, found.ece))
    return (*figures, str(found.rows), missing)


def _verdict(known: Calibration) -> str:
    if known.accuracy is None:
        return "Not calibrated: too few answers on test for an interval."
    bar = max(known.majority, known.by_length)
    than = f"lower bound {known.accuracy.low:.2f}, without reading {bar:.2f}, {known.accuracy.n} contexts"
    if known.shown:
        return f"Calibrated ({than}): its values count with {known.model} and this very prompt."
    return f"Not calibrated ({than}): its values stay out of training views, as `uncalibrated`."
