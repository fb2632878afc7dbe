"""Commands that work without Prefect: validate, serve, preview, generate; and what `run` and `resume` are asked for."""

import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, cast, get_args

from rich.console import Console

from inference.remote import RemoteServers
from outputs.render import render_dialogue
from outputs.store import read_records
from pipelines import run as steps
from pipelines.display import Display
from pipelines.engines import EMBEDDER, Server, embedder_key, embedder_server, engines, model_key, model_server
from pipelines.recipe import Recipe, load
from pipelines.rundir import Plan, Resume, RunDir
from pipelines.serving import announced, owner
from pipelines.watching import Together, Waiting, Watch
from schemas.errors import InputError, RecipeError, did_you_mean

OUT = Console()
SERVED_CHECK_S = 1.0


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


def serve(recipe: Path, sets: Sequence[str]) -> int:
    """Until it is interrupted, which is how it is meant to end. Raises Unreachable when a server ends before that."""
    wanted = load(recipe, sets)
    ours = dict(_to_serve(wanted))
    if not ours:
        raise InputError(f"{recipe}: nothing to serve: it asks only servers of yours; overture check asks them")
    started: dict[str, Server] = {}
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overture-serve-")))
        try:
            with Display(wanted, Console(stderr=True)) as display:
                for name, key in ours.items():
                    server = _kept(wanted, name, logs, display)
                    if not isinstance(server, RemoteServers):
                        display.say(f"starting {name} ...")
                        started[key] = server
                    stack.enter_context(server)
                    _tell_served(name, key, server)
            if not started:
                return 0
            stack.enter_context(announced({key: server.endpoints for key, server in started.items()}))
            OUT.print("Commands whose recipe has the same models use them. Ctrl-C stops them.", soft_wrap=True)
            while True:
                time.sleep(SERVED_CHECK_S)
                for server in started.values():
                    server.check()
        except KeyboardInterrupt:
            OUT.print("stopped")
            return 0


def _to_serve(wanted: Recipe) -> Iterable[tuple[str, str]]:
    """The models that are ours to start, each with the key under which its server is found."""
    for name in sorted(set(wanted.roles.values())):
        if (key := model_key(wanted.models[name])) is not None:
            yield name, key
    if (key := embedder_key(wanted.embedder)) is not None:
        yield EMBEDDER, key


def _kept(wanted: Recipe, name: str, logs: Path, watch: Waiting) -> Server:
    if name == EMBEDDER:
        return embedder_server(wanted.embedder, logs, watch)
    return model_server(name, wanted.models[name], logs, watch)


def _tell_served(name: str, key: str, server: Server) -> None:
    already = f" (up already, by process {owner(key)})" if isinstance(server, RemoteServers) else ""
    for endpoint in server.endpoints:
        told = f"{name}: {endpoint.model} at {endpoint.base_url}{already}"
        OUT.print(told, markup=False, highlight=False, soft_wrap=True)


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


def generate(recipe: Path, out: Path | None, sets: Sequence[str], *watches: Watch) -> int:
    wanted = load(recipe, sets)
    run_dir = RunDir(out or Path("runs") / wanted.name)
    quotas = wanted.quotas()
    limit = wanted.budget.dialogues
    groups = {e.name: (0, quotas[e.name] // e.siblings) for e in wanted.families}
    if limit is not None:
        share = limit / max(wanted.target, 1)
        groups = {name: (0, min(stop, max(1, int(stop * share)))) for name, (_, stop) in groups.items()}
    with run_dir.lock():
        _play(wanted, run_dir, groups, *watches)
    paths = run_dir.shard_paths()
    rows = sum(1 for _ in read_records(paths))
    OUT.print(f"{rows} dialogues in {run_dir.shards}; next: overture judge {run_dir.shards}", highlight=False)
    return 0


def _play(wanted: Recipe, run_dir: RunDir, groups: dict[str, tuple[int, int]], *watches: Watch) -> None:
    with Display(wanted, Console(file=sys.stderr)) as display:
        clock = steps.Clock()
        state = steps.prepare(wanted, run_dir, "if-possible", display, clock)
        plan = Plan(round=0, groups=groups)
        with steps.recorded(state), engines(state.recipe, run_dir.logs, display) as servers:
            steps.play_round(state, plan, servers, Together(display, *watches))
            state.events.tell("run_ended", status="generated")
