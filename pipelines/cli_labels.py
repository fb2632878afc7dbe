"""Commands that label dialogues, and say how far labels can be trusted."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import OutFile, Sets

app = typer.Typer()


@app.command(
    epilog="Examples: overture hindsight visits.parquet --out contexts.parquet; "
    "overture hindsight chats.jsonl --model recipes/hindsight.yaml --out contexts.parquet"
)
def hindsight(
    logs: Annotated[
        Path,
        typer.Argument(
            help="Dialogues of experts: run directory, Parquet in the dialogue or a corpus schema, or JSON lines of "
            "messages.",
            metavar="LOGS",
        ),
    ],
    out: OutFile,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="A recipe: its role judge reads and grades, its learner asks.", metavar="RECIPE"),
    ] = None,
    set_: Sets = None,
    excerpts: Annotated[
        bool, typer.Option("--excerpts", help="They are cut from longer ones: no decisions, only what is asked for.")
    ] = False,
    beta: Annotated[float, typer.Option(min=0, help="How much a good question counts beside a right decision.")] = 2.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most this many dialogues.")] = None,
) -> int:
    """Turn experts' dialogues into contexts: what was asked next, whether to go on, what was still to be known."""
    from pipelines import hindsight as looking_back

    order = looking_back.Order(logs, out, model, tuple(set_ or ()), excerpts, beta, limit)
    return looking_back.hindsight(order)


@app.command(
    epilog="Example: overture calibrate recipes/graders/guidance.yaml --labels guidance.parquet "
    "--model recipes/quickstart.yaml --out guidance.v2.yaml"
)
def calibrate(
    grader: Annotated[Path, typer.Argument(help="Grader file, YAML or JSON.", metavar="GRADER")],
    labels: Annotated[
        Path, typer.Option("--labels", help="Parquet, CSV or JSON lines: text, label; context, label2, group.")
    ],
    model: Annotated[
        Path, typer.Option("--model", help="A recipe: its role judge is asked, or its only model.", metavar="RECIPE")
    ],
    out: Annotated[Path, typer.Option("--out", help="File of the grader's next version.")],
    variants: Annotated[int, typer.Option(min=0, help="Prompts tried beside the grader's own.")] = 4,
    set_: Sets = None,
) -> int:
    """Measure how far a judge agrees with people, with the best of a few prompts, and write that into the grader."""
    from pipelines import calibrate as calibrating

    return calibrating.calibrate(calibrating.Order(grader, labels, model, out, variants, tuple(set_ or ())))
