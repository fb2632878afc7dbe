"""Commands before dialogues are passed on: join, compare, check against evaluation sets and for personal data."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import Dialogues

app = typer.Typer()
OutDir = Annotated[Path, typer.Option("--out", help="Directory to make; one that is not there yet.")]


@app.command(epilog="Example: overture merge runs/lessons runs/chats --out runs/both")
def merge(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.", metavar="RUN...")],
    out: OutDir,
) -> int:
    """Join runs: every id once, every dialogue in its split, counts, costs, sources and licences joined."""
    from pipelines import merging

    return merging.merge(runs, out)


@app.command(epilog="Example: overture diff runs/lessons runs/lessons-2 --json")
def diff(
    first: Annotated[Path, typer.Argument(help="Run directory.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another.", metavar="B")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as one JSON object.")] = False,
) -> int:
    """Tell how two runs differ: recipe, versions, counts, figures, dialogues."""
    from pipelines import differing

    return differing.diff(first, second, as_json)


@app.command(
    epilog="Examples: overture contamination runs/lessons --against gsm8k_test.jsonl; "
    "overture contamination runs/lessons --against hf:openai/gsm8k:main --remove --out runs/lessons-clean"
)
def contamination(
    path: Dialogues,
    against: Annotated[
        list[str],
        typer.Option(
            "--against",
            help="Evaluation set: JSON lines, CSV or Parquet, or hf:owner/name[:config] (repeatable). "
            "#columns=a,b behind it: of these alone.",
            metavar="SET",
        ),
    ],
    remove: Annotated[
        bool, typer.Option("--remove", help="Write the run anew, groups that overlap among its rejected ones.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="With --remove: directory to make.")] = None,
    found: Annotated[
        Path | None, typer.Option("--found", help="Write every overlap here, as JSON lines.", metavar="FILE")
    ] = None,
) -> int:
    """Find evaluation items in dialogues: runs of 13 words that both have, and short items as a whole."""
    from pipelines import contamination as contaminated

    return contaminated.contamination(contaminated.Order(path, tuple(against), remove, out, found))


@app.command(
    epilog="Examples: overture privacy runs/lessons --found personal.jsonl; "
    "overture privacy runs/lessons --mask --out runs/lessons-masked"
)
def privacy(
    path: Dialogues,
    mask: Annotated[bool, typer.Option("--mask", help="Write the run anew, personal data masked.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="With --mask: directory to make.")] = None,
    found: Annotated[
        Path | None,
        typer.Option("--found", help="Write where it is here, as JSON lines; without the data.", metavar="FILE"),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="Country whose phone numbers count without country code (repeatable). Default: US and GB."),
    ] = None,
) -> int:
    """Find personal data in every text of dialogues, and count what judges flagged as unsafe."""
    from pipelines import privacy as private

    regions = tuple(region or private.HOME)
    return private.privacy(private.Order(path, mask, out, found, regions))
