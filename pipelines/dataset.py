"""The Prefect flow: prepare, serve, play in rounds, select, publish. Prefect schedules and shows; journal and manifest decide what is done."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from outputs.manifest import Manifest
from pipelines import run as steps
from pipelines.display import Display
from pipelines.engines import Engines, engines
from pipelines.pool import Counts
from pipelines.recipe import Recipe, load
from pipelines.rundir import Plan, Resume, RunDir

PROGRESS_EVERY_S = 5.0


@flow(name="build-dataset", flow_run_name="build {recipe}", persist_result=False, validate_parameters=True)
def build_dataset(
    recipe: str,
    sets: list[str] | None = None,
    out: str | None = None,
    resume: Resume = "if-possible",
    command: str = "",
) -> dict[str, Any]:
    """Build the dataset of a recipe (a path). `sets`: overrides such as `target=100`. Returns status and where the run lies."""
    return build(load(Path(recipe), sets or ()), out, resume, command)


def build(wanted: Recipe, out: str | None, resume: Resume, command: str) -> dict[str, Any]:
    run = RunDir(Path(out) if out else Path("runs") / wanted.name)
    clock = steps.Clock()
    with ExitStack() as stack:
        stack.enter_context(run.lock())
        display = stack.enter_context(Display(wanted))
        state = prepare(wanted, run, resume, display, clock)
        if (finished := state.finished()) is not None:
            return _result(run, finished, already=True)
        began = time.monotonic()
        servers = stack.enter_context(engines(state.recipe, run.logs, display.fetching))
        clock.phase("start", began)
        number = 0
        while (plan := plan_round.with_options(task_run_name=f"plan round {number + 1}")(state, number)) is not None:
            play_round.with_options(task_run_name=f"play round {number + 1}")(state, plan, servers, display)
            select.with_options(task_run_name=f"select after round {number + 1}")(state, servers)
            number += 1
            if state.stopped_by:
                break
        manifest = publish(state, servers, command)
    return _result(run, manifest, play={"wall_s": clock.seconds.get("play", 0.0), **state.usage}, peak_mb=state.peak_mb)


def _result(run: RunDir, manifest: Manifest, **more: Any) -> dict[str, Any]:
    return {"run": str(run.path), "status": manifest.status, "accepted": manifest.accepted, **more}


@task(cache_policy=NO_CACHE, persist_result=False)
def prepare(wanted: Recipe, run: RunDir, resume: Resume, display: Display, clock: steps.Clock) -> steps.State:
    began = time.monotonic()
    state = steps.prepare(wanted, run, resume, display.fetching, clock)
    clock.phase("prepare", began)
    return state


@task(cache_policy=NO_CACHE, persist_result=False)
def plan_round(state: steps.State, number: int) -> Plan | None:
    return steps.plan_round(state, number)


@task(cache_policy=NO_CACHE, persist_result=False)
def play_round(state: steps.State, plan: Plan, servers: Engines, display: Display) -> None:
    siblings = {e.name: e.siblings for e in state.recipe.families}
    planned = sum((stop - start) * siblings[name] for name, (start, stop) in plan.groups.items())
    display.round(plan.round, planned, sum(state.pool.accepted.values()))
    artifact = create_progress_artifact(
        progress=0.0, key=f"round-{plan.round + 1}", description=f"{planned} dialogues of {state.recipe.name}"
    )
    shown = time.monotonic()

    def on_counts(counts: Counts) -> None:
        nonlocal shown
        display.counts(counts)
        if time.monotonic() - shown > PROGRESS_EVERY_S:
            shown = time.monotonic()
            update_progress_artifact(artifact_id=artifact, progress=100.0 * counts.dialogues / max(planned, 1))  # pyright: ignore

    steps.play_round(state, plan, servers, on_counts)
    update_progress_artifact(artifact_id=artifact, progress=100.0)  # pyright: ignore


@task(cache_policy=NO_CACHE, persist_result=False)
def select(state: steps.State, servers: Engines) -> None:
    steps.select_pool(state, servers)


@task(cache_policy=NO_CACHE, persist_result=False)
def publish(state: steps.State, servers: Engines, command: str) -> Manifest:
    manifest = steps.publish_run(state, servers, command)
    rows = [
        {
            "step": s.name,
            "family": s.family or "all",
            "policy": s.policy or "all",
            "dialogues": s.count,
            "dropped": str(s.reasons),
        }
        for s in manifest.funnel
    ]
    create_table_artifact(key="funnel", table=rows, description=f"{state.recipe.name}: {manifest.status}")
    return manifest
