"""Commands that play dialogues."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli_options import Limit, MetricsPort, Out, OutFile, RecipePath, RunPath, Seed, Sets, overrides
from pipelines.environment import own_prefect

if TYPE_CHECKING:
    from pipelines.commands import Order

app = typer.Typer()


@app.command(epilog="Example: overture run recipes/quickstart.yaml --set target=24")
def run(
    recipe: RecipePath,
    out: Out = None,
    set_: Sets = None,
    limit: Limit = None,
    seed: Seed = None,
    resume: Annotated[
        str, typer.Option(help="never, always or if-possible: continue what lies in --out.")
    ] = "if-possible",
    metrics_port: MetricsPort = None,
) -> int:
    """Build the dataset of a recipe; continues what an interrupted run has left."""
    from pipelines import commands

    return _scheduled(commands.order(recipe, out, overrides(set_, limit, seed), resume), metrics_port)


@app.command(epilog="Example: overture resume runs/quickstart")
def resume(run_dir: RunPath, metrics_port: MetricsPort = None) -> int:
    """Continue a run from its directory alone."""
    from pipelines import commands

    return _scheduled(commands.order_again(run_dir), metrics_port)


@app.command(epilog="Example: overture validate recipes/*.yaml")
def validate(
    recipes: Annotated[list[Path], typer.Argument(help="Recipes.", metavar="RECIPE...")], set_: Sets = None
) -> int:
    """Find every mistake of recipes that can be found without a network."""
    from pipelines import commands

    return commands.validate(recipes, set_ or [])


@app.command(epilog="Example: overture check recipes/vllm.yaml")
def check(
    recipe: RecipePath,
    set_: Sets = None,
    quick: Annotated[bool, typer.Option("--quick", help="Without measuring the speed.")] = False,
    simulator: Annotated[
        bool, typer.Option("--simulator", help="Instead: are its simulated users committed to what they want?")
    ] = False,
    family: Annotated[str | None, typer.Option(help="With --simulator: this one alone.")] = None,
    dialogues: Annotated[int, typer.Option(min=1, help="With --simulator: played of each family.")] = 10,
    points: Annotated[str, typer.Option(help="With --simulator: turns to ask at, as 0,2,5,last.")] = "0,last",
    again: Annotated[int, typer.Option(min=1, help="With --simulator: answers to each question.")] = 3,
    replays: Annotated[int, typer.Option(min=0, help="With --simulator: times a question of theirs is put again.")] = 3,
    out: Annotated[
        Path | None, typer.Option("--out", help="With --simulator. Default: runs/<recipe name>-commitment.")
    ] = None,
) -> int:
    """Ask every server of a recipe what it can do, and how fast; starts those that are the recipe's own."""
    if simulator:
        from pipelines import commitment

        sizes = commitment.Sizes(dialogues, tuple(points.split(",")), again, replays)
        return commitment.check_simulator(recipe, set_ or [], sizes, family, out)
    from pipelines import checking

    return checking.check(recipe, set_ or [], quick)


@app.command(epilog="Example: overture probe recipes/external.yaml --role external --facts 120 --problems 74")
def probe(
    recipe: RecipePath,
    model: Annotated[str | None, typer.Option("--model", help="Which of the recipe's, by its name there.")] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="The model of this role. Default: the first family's learner.")
    ] = None,
    facts: Annotated[int, typer.Option(help="Made-up facts asked for, a multiple of 4; half choose the prompt.")] = 60,
    prompts: Annotated[int, typer.Option(help="Instructions tried, for facts and for problems each.")] = 8,
    problems: Annotated[int, typer.Option(help="Put with and without what they need; half choose the prompt.")] = 40,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write. Default: runs/<recipe name>-probe.")
    ] = None,
    set_: Sets = None,
    seed: Seed = None,
) -> int:
    """What prompting alone can do for a model: tell it nothing new, and perhaps make it ask."""
    from pipelines import probe as probing

    sizes = probing.Sizes(facts, prompts, problems)
    return probing.probe(recipe, overrides(set_, None, seed), sizes, model, role, out)


@app.command(epilog="Example: overture serve recipes/quickstart.yaml")
def serve(recipe: RecipePath, set_: Sets = None) -> int:
    """Start a recipe's own servers and keep them up until Ctrl-C: commands that need them find them."""
    from pipelines import commands

    return commands.serve(recipe, set_ or [])


@app.command(epilog="Example: overture fit path:casino.parquet --out casino.json")
def fit(
    reference: Annotated[
        str, typer.Argument(help="pypi:chitchat-dataset, path:FILE.parquet or hf:owner/name.", metavar="REFERENCE")
    ],
    out: OutFile,
) -> int:
    """Fit what simulated users are drawn from on real dialogues; a recipe names the file."""
    from pipelines import fitting

    return fitting.fit(reference, out)


@app.command(epilog="Example: overture preview recipes/quickstart.yaml -n 1")
def preview(
    recipe: RecipePath,
    n: Annotated[int, typer.Option("-n", min=1, help="Cases of each family.")] = 1,
    set_: Sets = None,
    seed: Seed = None,
) -> int:
    """Play a few dialogues and print them; writes nothing."""
    from pipelines import commands

    return commands.preview(recipe, n, overrides(set_, None, seed))


@app.command(epilog="Example: overture play recipes/quickstart.yaml --family tutoring --as student")
def play(
    recipe: RecipePath,
    family: Annotated[str | None, typer.Option("--family", help="Which of the recipe's. Default: its first.")] = None,
    as_: Annotated[
        str, typer.Option("--as", help="Your seat: learner, partner, or a role, as assistant or user.", metavar="SEAT")
    ] = "learner",
    index: Annotated[int, typer.Option("--index", min=0, help="Which case, counted as in a run.")] = 0,
    policy: Annotated[
        str | None, typer.Option("--policy", help="How the learner is played where you are its partner.")
    ] = None,
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--new", help="Go on with an unfinished session, or begin another. Default: go on."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write. Default: runs/<recipe name>-play.")] = None,
    set_: Sets = None,
    seed: Seed = None,
) -> int:
    """Sit in one of the seats yourself, at the terminal; the dialogue is kept as one row."""
    from pipelines import playing

    choice = playing.Choice(family, as_, index, policy, resume)
    return playing.play_seat(recipe, choice, out, overrides(set_, None, seed))


@app.command(epilog="Example: overture generate recipes/quickstart.yaml --out runs/raw --limit 100")
def generate(
    recipe: RecipePath,
    out: Out = None,
    set_: Sets = None,
    limit: Limit = None,
    seed: Seed = None,
    metrics_port: MetricsPort = None,
) -> int:
    """Play the first round of a recipe and keep every dialogue, unselected; no Prefect."""
    from pipelines import commands

    sets = overrides(set_, limit, seed)
    if metrics_port is None:
        return commands.generate(recipe, out, sets)
    from pipelines.exposition import serve_metrics

    with serve_metrics(metrics_port) as metrics:
        return commands.generate(recipe, out, sets, metrics)


@app.command(epilog="Example: overture forecast runs/quickstart --out forecasts.parquet --scripted")
def forecast(
    run_dir: RunPath,
    out: OutFile,
    family: Annotated[str | None, typer.Option(help="This one alone.")] = None,
    cuts: Annotated[int, typer.Option(min=1, help="Turns at which each dialogue is cut.")] = 1,
    rollouts: Annotated[int, typer.Option(min=1, help="Of each kind, at each cut.")] = 20,
    threshold: Annotated[float, typer.Option(help="From which success is to be expected.")] = 0.5,
    limit: Annotated[int | None, typer.Option(min=1, help="Cut at most this many dialogues.")] = None,
    scripted: Annotated[
        bool, typer.Option("--scripted", help="Roll on in the program's own words: no language model is asked.")
    ] = False,
) -> int:
    """Cut dialogues of a run and say how they will end, by rolling on: a rate for each cut, and what it is worth."""
    from pipelines import forecast

    return forecast.forecast(run_dir, out, forecast.Sizes(cuts, rollouts, threshold, limit), family, scripted)


def _scheduled(order: "Order", metrics_port: int | None) -> int:
    own_prefect(order.run.path)
    from pipelines import scheduled

    return scheduled.run(order, metrics_port)
