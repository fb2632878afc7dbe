"""`overture probe RECIPE`: what prompting alone can and cannot do for a model (methods §11).

Facts that nobody can know are asked for without a prompt, with the best of k instructions, and with the facts in the
prompt. Problems, half of which lack a fact, show whether an instruction makes the model ask, and ask only then. The
best instruction is chosen on one half of the questions and reported on the other.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from inference.client import Connections, HttpChatModel
from outputs.charts import Axis, Span, axis_over, span
from outputs.files import write_text
from outputs.templates import render
from pipelines.checking import WIDTH
from pipelines.display import Display, Say, teller
from pipelines.engines import model_server
from pipelines.journal import Journal
from pipelines.probe_figures import (
    ASKED_MORE,
    CHANCE,
    Answer,
    Claim,
    Condition,
    Figure,
    Tried,
    asked_more,
    best,
    claims,
    described,
    figures,
    share,
)
from pipelines.probe_questions import (
    ASKING,
    KNOWING,
    MOST_PROBLEMS,
    MOST_PROMPTS,
    NO_PROMPT,
    Half,
    KnowledgeQuestion,
    Question,
    Task,
    knowledge_questions,
    problem_questions,
)
from pipelines.recipe import Recipe, load
from pipelines.rundir import RunDir
from pipelines.services import DialogueCalls, JournalledChat, Usage
from pipelines.together import together
from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.errors import ContentError, InputError, did_you_mean
from schemas.identity import derive, stable_hash

AT_ONCE = 16
"""Questions; how many requests an endpoint gets is measured as in a run."""
LEAST_FACTS, LEAST_PROBLEMS = 8, 4
"""A group of facts, and two problems, in each half."""
_BANKS: Mapping[Task, Mapping[str, str]] = {"facts": KNOWING, "problems": ASKING}
_USAGE = "probe"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The defaults are for a laptop; half of the facts and of the problems are reported."""

    facts: int = 60
    prompts: int = 8
    """Of each of the two banks."""
    problems: int = 40
    """Each lacking a fact, and complete."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The model that is asked, every call through the journal."""

    model: HttpChatModel
    sampling: Mapping[str, float | int]
    journal: Journal
    seed: int
    usage: Usage
    say: Say

    async def ask(self, question: Question, condition: Condition, prompt: str) -> Answer:
        """`prompt`: its id. An answer that cannot be used is kept with its reason."""
        messages = _messages(question, condition, prompt)
        name = stable_hash("probe", question.task, question.item, condition, prompt)
        calls = DialogueCalls(self.journal, name, {_USAGE: self.usage})
        conversation = self.model.conversation(stable_hash(messages[0].content))
        chat = JournalledChat(_USAGE, conversation, self.sampling, calls)
        request = ChatRequest(
            key=CallKey(turn=0, step="probe"),
            messages=messages,
            sampling=Sampling(temperature=0.0, max_tokens=question.max_tokens),
            seed=derive(self.seed, "probe", name),
            json_schema=question.schema,
        )
        about = (question.task, question.item, question.half, condition, prompt, question.text)
        try:
            reply = await chat.ask(request)
        except ContentError as fault:
            return Answer(*about, text=None, marks={}, reason=fault.reason)
        return Answer(*about, text=reply.text, marks=question.marks(reply), cut=reply.finish_reason == "length")

    async def ask_all(self, questions: Sequence[Question], condition: Condition, prompt: str) -> list[Answer]:
        """In their order; told at every half."""
        what = f"{questions[0].task}, {questions[0].half}: {condition}{'' if prompt == NO_PROMPT else f' {prompt}'}"
        asking = [partial(self.ask, question, condition, prompt) for question in questions]
        return await together(asking, what, self.say, at_once=AT_ONCE, parts=2)


def probe(
    recipe: Path, sets: Sequence[str], sizes: Sizes, model: str | None, role: str | None, out: Path | None
) -> int:
    """Prints the table and writes `probe.json`, `answers.jsonl` and `report.html`; goes on where the same command was
    interrupted.
    """
    _check(sizes)
    wanted = load(recipe, sets)
    name = _chosen(wanted, model, role)
    progress = Console(stderr=True)
    began = time.monotonic()
    run = RunDir(out or Path("runs") / f"{wanted.name}-probe")
    usage = Usage()
    with run.lock(), ExitStack() as stack:
        with Display(wanted, progress) as display:
            server = stack.enter_context(model_server(name, wanted.models[name], run.logs, display))
        fingerprint = stable_hash("probe", wanted.models[name].identity, wanted.seed)
        journal = stack.enter_context(Journal(run.journal, "probe", fingerprint))
        say = teller("asking", progress, stack)

        async def answered() -> tuple[list[Answer], dict[Task, list[Tried]]]:
            async with Connections() as http:
                asked = http.chat(*server.endpoints)
                bench = Bench(asked, wanted.models[name].sampling, journal, wanted.seed, usage, say)
                return await _answers(bench, sizes)

        answers, tried = asyncio.run(answered())
    found = figures(answers)
    shown = claims(found)
    spent = {"calls": usage.calls, "seconds": round(time.monotonic() - began, 1)}
    about = {"recipe": wanted.name, "model": server.endpoints[0].model, "seed": wanted.seed, "sizes": sizes}
    told = {"prompts": {task: [t._asdict() for t in some] for task, some in tried.items()}}
    data = {**about, **spent, **told, "figures": found, "claims": [c._asdict() for c in shown]}
    write_text(run.path / "answers.jsonl", "".join(orjson.dumps(a).decode() + "\n" for a in answers))
    write_text(run.path / "probe.json", orjson.dumps(data, option=orjson.OPT_INDENT_2, default=_plain).decode())
    page = render("probe.html.j2", about=about, panels=_panels(found, sizes.prompts), claims=shown, tried=tried)
    write_text(run.report, page)
    _print(found, shown, sizes.prompts, Console(width=None if sys.stdout.isatty() else WIDTH))
    ended = f"\n{usage.calls} calls, {spent['seconds']:.0f} s. Wrote {run.path / 'probe.json'} and {run.report}"
    Console().print(ended, markup=False, highlight=False, soft_wrap=True)
    return 0


def _check(sizes: Sizes) -> None:
    """Raises InputError."""
    if sizes.facts % 4 or sizes.facts < LEAST_FACTS:
        nearest = max(LEAST_FACTS, round(sizes.facts / 4) * 4)
        raise InputError(f"--facts: {sizes.facts} is no multiple of 4 from {LEAST_FACTS} on; give {nearest}")
    if not LEAST_PROBLEMS <= sizes.problems <= MOST_PROBLEMS:
        raise InputError(
            f"--problems: {sizes.problems} is not between {LEAST_PROBLEMS} and {MOST_PROBLEMS}, one of each template"
        )
    if not 1 <= sizes.prompts <= MOST_PROMPTS:
        raise InputError(f"--prompts: {sizes.prompts} is not between 1 and {MOST_PROMPTS}, which are written down")


def _chosen(recipe: Recipe, model: str | None, role: str | None) -> str:
    """The name of a model; by default that of the first family's learner."""
    if model is not None and role is not None:
        raise InputError("--model and --role are both given; give one of them")
    if model is not None and model not in recipe.models:
        raise InputError(f"--model: no model '{model}' in this recipe{did_you_mean(model, recipe.models)}")
    seat = role or recipe.families[0].family.learner
    if model is None and seat not in recipe.roles:
        raise InputError(f"--role: no role '{seat}' in this recipe{did_you_mean(seat, recipe.roles)}")
    return model or recipe.roles[seat]


def _messages(question: Question, condition: Condition, prompt: str) -> tuple[Message, ...]:
    """What many questions share stands first."""
    asked = Message("user", question.text)
    if condition == "no prompt":
        return (asked,)
    standing = _BANKS[question.task][prompt]
    if condition == "prompt and facts" and isinstance(question, KnowledgeQuestion):
        standing = "\n".join([standing, "", "What is known:", *question.page])
    return Message("system", standing), asked


async def _answers(bench: Bench, sizes: Sizes) -> tuple[list[Answer], dict[Task, list[Tried]]]:
    """All answers, and how well the prompts did on the dev half."""
    questions: Mapping[Task, Sequence[Question]] = {
        "facts": knowledge_questions(sizes.facts, bench.seed),
        "problems": problem_questions(sizes.problems, bench.seed),
    }
    answers: list[Answer] = []
    tried: dict[Task, list[Tried]] = {}
    for task, some in questions.items():
        halves: dict[Half, list[Question]] = {h: [q for q in some if q.half == h] for h in ("dev", "test")}
        tried[task] = []
        for prompt, text in islice(_BANKS[task].items(), sizes.prompts):
            found = await bench.ask_all(halves["dev"], "prompt", prompt)
            score = share(found, "right") if task == "facts" else asked_more(found)
            tried[task].append(Tried(prompt, text, score))
            answers += found
        chosen = best(tried[task]).prompt_variant_id
        answers += await bench.ask_all(halves["test"], "no prompt", NO_PROMPT)
        answers += await bench.ask_all(halves["test"], "prompt", chosen)
        if task == "facts":
            answers += await bench.ask_all(halves["test"], "prompt and facts", chosen)
    return answers, tried


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures on one axis: each with its place, and that of what is reached without reading."""

    title: str
    axis: Axis
    rows: list[tuple[Figure, str, Span | None, Span | None]]


def _panels(found: Sequence[Figure], prompts: int) -> list[Panel]:
    panels: list[Panel] = []
    for title, measures, floor in (
        ("Facts: share right", ("right",), CHANCE),
        ("Problems: share asked", ("asked", "asked_on_answerable", "asked_right_slot"), None),
        ("Problems: asked where something is missing, less asked where nothing is", (ASKED_MORE,), 0.0),
    ):
        some = [f for f in found if f.measure in measures]
        known = [f.found for f in some if f.found is not None]
        axis = axis_over([bound for k in known for bound in k[:3]], 0.0, 1.0)
        rows = [(f, described(f, prompts), _placed(axis, f), span(axis, floor, None, None)) for f in some]
        panels.append(Panel(title, axis, rows))
    return panels


def _placed(axis: Axis, figure: Figure) -> Span | None:
    return span(axis, *figure.found[:3]) if figure.found is not None else None


def _print(found: Sequence[Figure], shown: Sequence[Claim], prompts: int, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "condition", "value", "95%", "n", "missing", "cut", "beside"):
        table.add_column(column, overflow="fold")
    for f in found:
        lost = ", ".join(f"{n} {reason}" for reason, n in f.missing.items()) or "0"
        table.add_row(f.measure, described(f, prompts), *_cells(f), lost, str(f.cut), f.beside)
    console.print(table, highlight=False)
    console.print()
    for claim in shown:
        console.print(f"{claim.name}: {claim.verdict}", markup=False, highlight=False, soft_wrap=True)


def _cells(f: Figure) -> tuple[str, str, str]:
    if f.found is None:
        return "-", "-", "0"
    return f"{f.found.value:.2f}", f"{f.found.low:.2f} to {f.found.high:.2f}", str(f.found.n)


def _plain(value: object) -> object:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()  # pyright: ignore
    raise TypeError(type(value).__name__)
