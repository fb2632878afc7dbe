"""`overture hindsight LOGS --out FILE`: what experts asked next, and whether they went on, from what had been said
(methods §12). The labels of a context are read off what comes after it; nothing that comes after it is in the context.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from inference.client import Connections, HttpChatModel
from outputs.parquet import part_writer
from pipelines.checking import WIDTH
from pipelines.display import Display, Say, teller
from pipelines.engines import Server, model_server
from pipelines.hindsight_logs import EXCERPTS, Log, read_logs
from pipelines.hindsight_models import ASKER, Asker
from pipelines.hindsight_reading import read
from pipelines.hindsight_rows import HINDSIGHT, PROGRAM, Candidate, Cut, Pool, cuts, graded_by_words, row
from pipelines.hindsight_summary import Kept, kept_of, print_summary
from pipelines.journal import Journal
from pipelines.recipe import Recipe, load
from pipelines.rundir import RunDir
from pipelines.services import DialogueCalls, JournalledChat, Usage
from pipelines.together import together
from rewards.learn_to_ask import BETA
from schemas.contracts import JUDGE
from schemas.errors import DataError
from schemas.identity import stable_hash

AT_ONCE = 8
"""Dialogues; the questions of one are asked one after the other."""
BATCH = 64
"""Dialogues whose rows are written together."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    logs: Path
    out: Path
    model: Path | None = None
    """A recipe: its `judge` reads and grades, the model of its first family's learner asks."""
    sets: tuple[str, ...] = ()
    excerpts: bool = False
    """Whether the dialogues are cut from longer ones, so that their end tells nothing."""
    beta: float = BETA
    limit: int | None = None
    """Dialogues."""

    def read(self) -> Iterator[Log]:
        return islice(read_logs(self.logs), self.limit)

    def excerpt(self, log: Log) -> bool:
        return self.excerpts or log.source in EXCERPTS


@dataclass(frozen=True, slots=True)
class Seats:
    """Who is asked, and by which server."""

    recipe: Recipe
    models: Mapping[str, str]
    """Role (`judge`, `asker`) -> name in the recipe."""
    servers: Mapping[str, Server]
    """By that name."""
    journal: Journal
    usage: Mapping[str, Usage]
    lost: Counter[str]

    def asker(self, http: Mapping[str, HttpChatModel], log: Log) -> Asker:
        calls = DialogueCalls(self.journal, log.dialogue_id, self.usage)
        chat = {
            role: JournalledChat(
                role, http[name].conversation(log.dialogue_id), self.recipe.models[name].sampling, calls
            )
            for role, name in self.models.items()
        }
        judge = self.models.get(JUDGE)
        model = None if judge is None else self.servers[judge].endpoints[0].model
        return Asker(chat, model, self.recipe.seed, self.lost)


def hindsight(order: Order) -> int:
    """Writes one row a context, in the order of the dialogues; goes on where the same command was interrupted."""
    pool = Pool(order.read())  # the whole file is read before anything is asked: a bad row costs no call
    progress = Console(stderr=True)
    kept: list[Kept] = []
    dropped: Counter[str] = Counter()
    with ExitStack() as stack:
        writer = stack.enter_context(part_writer(order.out, HINDSIGHT))
        say = teller("reading", progress, stack)

        def write(log: Log, rows: list[Row]) -> None:
            dropped.update([] if rows else ["nothing_asked" if log.goes() else "no_expert"])
            writer.add(pa.Table.from_pylist(rows, HINDSIGHT))
            kept.extend(map(kept_of, rows))

        if order.model is None:
            for n, log in enumerate(order.read(), 1):
                write(log, _by_program(order, pool, log))
                if n % BATCH == 0:
                    say(f"{n} dialogues, {len(kept)} contexts")
        else:
            seats = _seats(order.model, order, progress, stack)
            asyncio.run(_by_models(order, pool, seats, say, write))
            dropped.update(seats.lost)
        if not kept:
            raise DataError(f"{order.logs}: no expert asks anything in it; the expert is `assistant`, or speaks first")
    out = Console(width=None if sys.stdout.isatty() else WIDTH)
    print_summary(kept, dropped, out)
    out.print(f"Wrote {order.out}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _by_program(order: Order, pool: Pool, log: Log) -> list[Row]:
    readings = [read(go.text, go.reply) for go in log.goes()]
    found: list[Row] = []
    for cut in cuts(log, readings, order.excerpt(log)):
        graded = [(candidate, graded_by_words(cut, candidate)) for candidate in _written(cut, pool)]
        found.append(row(cut, PROGRAM, graded, order.beta))
    return found


def _written(cut: Cut, pool: Pool) -> list[Candidate]:
    return [Candidate("expert", cut.go.text, cut.decision), pool.other(cut)]


def _seats(recipe_path: Path, order: Order, progress: Console, stack: ExitStack) -> Seats:
    """Raises InputError and RecipeError, ServerError kinds, and RunError where other models were asked before."""
    recipe = load(recipe_path, order.sets)
    learner = recipe.families[0].family.learner
    models = {ASKER: recipe.roles[learner]}
    if JUDGE in recipe.roles:
        models[JUDGE] = recipe.roles[JUDGE]
    run = RunDir(order.out.with_name(f"{order.out.stem}-calls"))
    stack.enter_context(run.lock())
    with Display(recipe, progress) as display:
        servers = {
            name: stack.enter_context(model_server(name, recipe.models[name], run.logs, display))
            for name in sorted(set(models.values()))
        }
    asked = {role: recipe.models[name].identity for role, name in models.items()}
    fingerprint = stable_hash("hindsight", asked, recipe.seed)
    journal = stack.enter_context(Journal(run.journal, "hindsight", fingerprint))
    return Seats(recipe, models, servers, journal, {role: Usage() for role in models}, Counter())


async def _by_models(order: Order, pool: Pool, seats: Seats, say: Say, write: Callable[[Log, list[Row]], None]) -> None:
    async with Connections() as connections:
        http = {name: connections.chat(*server.endpoints) for name, server in seats.servers.items()}
        logs, done = order.read(), 0
        while batch := list(islice(logs, BATCH)):
            work = [partial(_by_model, order, pool, seats.asker(http, log), log) for log in batch]
            what = f"dialogues from {done}"
            for log, rows in zip(batch, await together(work, what, say, at_once=AT_ONCE, parts=4), strict=True):
                write(log, rows)
            done += len(batch)


async def _by_model(order: Order, pool: Pool, asker: Asker, log: Log) -> list[Row]:
    goes = log.goes()
    judged = JUDGE in asker.chat
    readings = await asker.read(log, goes) if judged else [read(go.text, go.reply) for go in goes]
    found: list[Row] = []
    for cut in cuts(log, readings, order.excerpt(log)):
        candidates = [*_written(cut, pool), await asker.propose(cut)]
        micros = [await asker.grade(cut, c) if judged else graded_by_words(cut, c) for c in candidates]
        found.append(row(cut, asker.extractor, zip(candidates, micros, strict=True), order.beta))
    return found
