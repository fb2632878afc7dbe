"""The Prefect flow: each coarse step of `pipelines.run` as a task. Prefect schedules and shows; journal and manifest
decide what is done.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from pipelines.display import Display
from pipelines.environment import quiet
from pipelines.exposition import serve_metrics
from pipelines.pool import Counts
from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import Resume, RunDir
from pipelines.watching import Together, Watch

PROGRESS_EVERY_S = 5.0


@flow(name="build-dataset", flow_run_name="build {recipe}", persist_result=False)
def build_dataset(
    recipe: str,
    sets: list[str] | None = None,
    out: str | None = None,
    resume: Resume = "if-possible",
    command: str = "",
    metrics_port: int | None = None,
) -> dict[str, Any]:
    """Build the dataset of a recipe.

    Args:
        recipe: Path of the recipe.
        sets: Overrides, such as `target=100`.
        out: Run directory; default `runs/<recipe name>`.
        resume: `never`, `always` or `if-possible`.
        command: What the card shows as the command that makes the run again.
        metrics_port: Where Prometheus finds the run's figures, on 127.0.0.1 alone; nowhere by default.
    """
    quiet()
    wanted = load(Path(recipe), sets or ())
    run = RunDir(Path(out) if out else Path("runs") / wanted.name)
    with ExitStack() as stack:
        watches: list[Watch] = [stack.enter_context(Display(wanted)), _Artifacts(wanted.name)]
        if metrics_port is not None:
            watches.append(stack.enter_context(serve_metrics(metrics_port)))
        result = build(wanted, run, resume, command or f"overture run {recipe}", Together(*watches), _as_task)
    rows = [
        {
            "step": s.name,
            "family": s.family or "all",
            "policy": s.policy or "all",
            "dialogues": s.count,
            "why not": str(s.reasons),
        }
        for s in result.manifest.funnel
    ]
    create_table_artifact(key="funnel", table=rows, description=f"{wanted.name}: {result.manifest.status}")
    return {
        "run": str(run.path),
        "status": result.manifest.status,
        "already": result.already,
        "usage": {name: result.counts.total(name) for name in ("prefill_ms", "decode_ms")},
        "play_s": result.play_s,
    }


def _as_task(name: str, step: Callable[[], None]) -> None:
    @task(name=name.split(" round")[0], task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    def take() -> None:
        step()

    take()


class _Artifacts:
    """A progress artifact a round."""

    def __init__(self, name: str):
        self._name = name
        self._artifact: Any = None
        self._planned = 1
        self._shown = 0.0

    def fetching(self, name: str, done: int, total: int) -> None:
        """Downloads have no artifact."""

    def starting(self, name: str, seconds: float, line: str) -> None:
        """Nor has a server's loading."""

    def round(self, number: int, planned: int, accepted: int) -> None:
        self._planned = max(planned, 1)
        self._artifact = create_progress_artifact(
            progress=0.0, key=f"round-{number + 1}", description=f"{planned} dialogues of {self._name}"
        )

    def counts(self, counts: Counts) -> None:
        done = counts.dialogues >= self._planned
        if done or time.monotonic() - self._shown > PROGRESS_EVERY_S:
            self._shown = time.monotonic()
            share = min(100.0, 100.0 * counts.dialogues / self._planned)
            update_progress_artifact(artifact_id=self._artifact, progress=share)
