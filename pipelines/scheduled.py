"""`run` and `resume`: the flow in this process. Imported after PREFECT_HOME is set: Prefect reads it when imported."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

from prefect import get_client
from rich.console import Console

from outputs.manifest import read_manifest
from pipelines.commands import Order
from pipelines.dataset import build_dataset
from pipelines.display import summary
from pipelines.exposition import serve_metrics
from pipelines.recipe_models import LlamaCpp
from schemas.errors import EXIT_SHORT


def run(order: Order, metrics_port: int | None = None) -> int:
    console = Console()
    flags = "".join(f" --set {s}" for s in order.sets)
    command = f"overture run {order.recipe}{flags} --out {order.run}"
    if metrics_port is not None:
        with serve_metrics(metrics_port):
            pass  # a port that cannot be had is told before Prefect starts
    with _deaf_children(), get_client(sync_client=True) as client:
        client.hello()
    result = build_dataset(str(order.recipe), list(order.sets), str(order.run), order.resume, command, metrics_port)
    manifest = read_manifest(order.run.manifest)
    if result["already"]:
        told = f"{order.run}: finished already, {manifest.accepted} dialogues; raise the target to extend it"
        console.print(told, highlight=False, soft_wrap=True)
        return 0
    play = {**result["usage"], "wall_s": result["play_s"]}
    wanted = order.wanted
    slots = sum(m.slots for m in wanted.models.values() if isinstance(m, LlamaCpp))
    summary(order.run, manifest, play, slots or wanted.concurrency * wanted.workers, console)
    return 0 if manifest.status == "complete" else EXIT_SHORT


@contextmanager
def _deaf_children() -> Generator[None]:
    """Processes started now get no SIGINT. Ctrl-C reaches every process of a terminal's group, but Prefect's own server
    has to outlive the run, which tells it how it ended.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
