"""What several commands take."""

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[Path, typer.Argument(help="Recipe, a YAML file.", metavar="RECIPE")]
RunPath = Annotated[Path, typer.Argument(help="Run directory.", metavar="RUN")]
Dialogues = Annotated[
    Path, typer.Argument(help="Run directory, or Parquet in the dialogue schema or a corpus schema.", metavar="PATH")
]
Sets = Annotated[list[str] | None, typer.Option("--set", help="Override, e.g. --set target=100 (repeatable).")]
Out = Annotated[Path | None, typer.Option("--out", help="Where to write. Default: runs/<recipe name>.")]
OutFile = Annotated[Path, typer.Option("--out", help="File to write.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Play at most this many dialogues: the first of the full run.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Instead of the recipe's.")]
ReferenceSpec = Annotated[
    str | None,
    typer.Option("--reference", help="Real dialogues: pypi:chitchat-dataset, path:FILE.parquet or hf:owner/name."),
]
MetricsPort = Annotated[
    int | None,
    typer.Option("--metrics-port", min=1, max=65535, help="Prometheus metrics on this port of 127.0.0.1."),
]


def overrides(given: list[str] | None, limit: int | None, seed: int | None) -> list[str]:
    """All of them as `--set` takes them."""
    sets = list(given or [])
    if limit is not None:
        sets.append(f"budget.dialogues={limit}")
    if seed is not None:
        sets.append(f"seed={seed}")
    return sets
