"""Runs a recipe to its end without Prefect and without a display: `python tests/run_driver.py RECIPE OUT [KEY=VALUE ...]`."""

import sys
from pathlib import Path

from pipelines.environment import quiet
from pipelines.pool import Counts
from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import RunDir


class Nobody:
    """Watches nothing."""

    def fetching(self, name: str, done: int, total: int) -> None:
        pass

    def starting(self, name: str, seconds: float, line: str) -> None:
        pass

    def round(self, number: int, planned: int, accepted: int) -> None:
        pass

    def counts(self, counts: Counts) -> None:
        pass


if __name__ == "__main__":
    quiet()
    wanted = load(Path(sys.argv[1]), sys.argv[3:])
    result = build(wanted, RunDir(Path(sys.argv[2])), "if-possible", "test", Nobody())
    sys.exit(0 if result.manifest.status == "complete" else 3)
