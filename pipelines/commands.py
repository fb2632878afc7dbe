"""Commands that work without Prefect: validate, check, preview, generate; and what `run` and `resume` are asked for."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast, get_args

from rich.console import Console

from inference.client import Connections, probe_structured_output
from outputs.store import read_records
from outputs.view import render_dialogue
from pipelines import run as steps
from pipelines.display import Display
from pipelines.engines import Engines, engines
from pipelines.recipe import Recipe, load
from pipelines.rundir import Plan, Resume, RunDir
from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.errors import InputError, RecipeError, did_you_mean

OUT = Console()


class Order(NamedTuple):
    """A run as it was asked for, checked."""

    wanted: Recipe
    recipe: Path
    """Where `wanted` was read."""
    sets: tuple[str, ...]
    run: RunDir
    resume: Resume


def order(recipe: Path, out: Path | None, sets: Sequence[str], resume: str) -> Order:
    if resume not in get_args(Resume):
        raise InputError(f"--resume: '{resume}' is no choice{did_you_mean(resume, get_args(Resume))}")
    wanted = load(recipe, sets)
    run_dir = RunDir(out or Path("runs") / wanted.name)
    run_dir.prepare()
    return Order(wanted, recipe, tuple(sets), run_dir, cast(Resume, resume))


def order_again(path: Path) -> Order:
    """From a run directory alone."""
    run_dir = RunDir(path)
    return Order(run_dir.read_config(), run_dir.config, (), run_dir, "always")


def validate(recipes: Sequence[Path], sets: Sequence[str]) -> int:
    failed = 0
    for path in recipes:
        try:
            recipe = load(path, sets)
        except RecipeError as error:
            failed += 1
            OUT.print(f"✗ {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        else:
            families = ", ".join(e.name for e in recipe.families)
            OUT.print(
                f"✓ {path}: {recipe.target} dialogues of {families}", markup=False, highlight=False, soft_wrap=True
            )
    return RecipeError.exit_code if failed else 0


def check(recipe: Path, sets: Sequence[str]) -> int:
    wanted = load(recipe, sets)
    with (
        tempfile.TemporaryDirectory() as logs,
        Display(wanted, OUT) as display,
        engines(wanted, Path(logs), display.fetching) as servers,
    ):
        for line in asyncio.run(_asked(servers)):
            display.say(f"✓ {line}")
    return 0


async def _asked(servers: Engines) -> list[str]:
    told: list[str] = []
    async with Connections() as http:
        vectors = await http.embedder(servers.embedder).embed(["hello"])
        told.append(f"embedder {servers.embedder.model}: {vectors.shape[1]} dimensions")
        for endpoint in {e.base_url + e.model: e for m in servers.roles.values() for e in m.endpoints}.values():
            model = http.chat(endpoint)
            request = ChatRequest(CallKey(0), (Message("user", "Say hi."),), Sampling(max_tokens=8), seed=1)
            reply = await model.ask(request)
            await probe_structured_output(model)
            told.append(
                f"model {endpoint.model}: answers ({reply.completion_tokens} tokens) and keeps to a JSON schema"
            )
    return told


def preview(recipe: Path, n: int, sets: Sequence[str]) -> int:
    wanted = load(recipe, sets)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = RunDir(Path(folder))
        run_dir.prepare()
        _play(wanted, run_dir, {e.name: (0, n) for e in wanted.families})
        for record in sorted(
            read_records(run_dir.shard_paths()), key=lambda r: (r.dialogue.scenario.family, r.dialogue.scenario.index)
        ):
            OUT.print(render_dialogue(record))
    return 0


def generate(recipe: Path, out: Path | None, sets: Sequence[str]) -> int:
    wanted = load(recipe, sets)
    run_dir = RunDir(out or Path("runs") / wanted.name)
    quotas = wanted.quotas()
    limit = wanted.budget.dialogues
    groups = {e.name: (0, quotas[e.name] // e.siblings) for e in wanted.families}
    if limit is not None:
        share = limit / max(wanted.target, 1)
        groups = {name: (0, min(stop, max(1, int(stop * share)))) for name, (_, stop) in groups.items()}
    with run_dir.lock():
        _play(wanted, run_dir, groups)
    paths = run_dir.shard_paths()
    rows = sum(1 for _ in read_records(paths))
    OUT.print(f"{rows} dialogues in {run_dir.shards}; next: overture judge {run_dir.shards}", highlight=False)
    return 0


def _play(wanted: Recipe, run_dir: RunDir, groups: dict[str, tuple[int, int]]) -> None:
    with Display(wanted, Console(file=sys.stderr)) as display:
        clock = steps.Clock()
        state = steps.prepare(wanted, run_dir, "if-possible", display.fetching, clock)
        plan = Plan(round=0, groups=groups)
        with engines(state.recipe, run_dir.logs, display.fetching) as servers:
            steps.play_round(state, plan, servers, display)
