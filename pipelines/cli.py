"""The command line. A command's module is imported when it is called, so that `--help` answers at once (the one
exception to imports at the top).
"""

import errno
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.environment import own_prefect, quiet
from schemas.errors import EXIT_INTERRUPTED, InputError, OvertureError, StorageError

if TYPE_CHECKING:
    from pipelines.commands import Order

app = typer.Typer(
    name="overture",
    help="Makes the dialogues that teach a language model to take the initiative.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

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

    return _scheduled(commands.order(recipe, out, _sets(set_, limit, seed), resume), metrics_port)


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
    return probing.probe(recipe, _sets(set_, None, seed), sizes, model, role, out)


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

    return commands.preview(recipe, n, _sets(set_, None, seed))


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
    return playing.play_seat(recipe, choice, out, _sets(set_, None, seed))


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

    sets = _sets(set_, limit, seed)
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


@app.command(
    epilog="Examples: overture judge chats.parquet --reference pypi:chitchat-dataset --out judged.parquet; "
    "overture judge --synthetic chats.parquet --reference path:real.parquet --out judgement; "
    "overture judge --human --synthetic chats.parquet --reference pypi:chitchat-dataset --out judging; "
    "overture judge --human --report judging"
)
def judge(
    path: Annotated[
        Path | None,
        typer.Argument(help="Run directory, or Parquet in the dialogue schema or a corpus schema.", metavar="PATH"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Default: judged.parquet; the folder judgement with --synthetic, judging with --human."
        ),
    ] = None,
    reference: ReferenceSpec = None,
    synthetic: Annotated[
        Path | None,
        typer.Option("--synthetic", help="Instead of PATH: compare these as a whole with --reference; JSON and HTML."),
    ] = None,
    human: Annotated[
        bool,
        typer.Option("--human", help="Instead: people tell real users from synthetic, on a page served here."),
    ] = False,
    trials: Annotated[int, typer.Option(min=1, help="With --human: pairs of a real and a synthetic dialogue.")] = 60,
    raters: Annotated[int, typer.Option(min=1, help="With --human: how many people you expect.")] = 3,
    seed: Seed = None,
    export_: Annotated[
        str | None, typer.Option("--export", help="With --human: write the trials as csv, jsonl or label-studio.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", help="With --human: answers from a .csv, .jsonl or Label Studio's .json.")
    ] = None,
    report_: Annotated[
        Path | None,
        typer.Option("--report", help="With --human: what the answers in this folder come to.", metavar="DIR"),
    ] = None,
    delta: Annotated[float, typer.Option(help="With --human --report: equivalent is a fool rate of .5 ± this.")] = 0.05,
    host: Annotated[str, typer.Option(help="With --human: where to serve the page.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --human: 0 for any that is free.")] = 8737,
) -> int:
    """Filter dialogues and score each one's realism; or compare all with real ones, by tests or by people."""
    if human:
        from pipelines import human_judging

        order = human_judging.Order(
            out=out or Path("judging"),
            synthetic=synthetic or path,
            reference=reference,
            trials=trials,
            raters=raters,
            seed=7 if seed is None else seed,
            export=export_,
            import_=import_,
            report=report_,
            delta=delta,
            host=host,
            port=port,
        )
        return human_judging.judge(order)
    if synthetic is not None:
        from pipelines import judging

        if path is not None or reference is None:
            raise InputError(
                "judge --synthetic: give --reference with it, and no PATH; overture judge --help shows more"
            )
        return judging.compare(synthetic, reference, out or Path("judgement"), 7 if seed is None else seed)
    from pipelines import verbs

    if path is None:
        raise InputError("judge: give the dialogues, as overture judge chats.parquet; overture judge --help shows more")
    return verbs.judge(path, out or Path("judged.parquet"), reference)


@app.command(
    epilog="Example: overture match chats.parquet --reference pypi:chitchat-dataset --target 500 --out kept.parquet"
)
def match(
    path: Dialogues,
    target: Annotated[int, typer.Option(min=1, help="Dialogues to keep.")],
    out: OutFile = Path("matched.parquet"),
    reference: ReferenceSpec = None,
    seed: Seed = None,
) -> int:
    """Keep exactly --target dialogues whose users are distributed as real ones, given what the assistant did.

    Without --reference the realism scores in the file decide alone.
    """
    from pipelines import verbs

    return verbs.match(path, target, out, 7 if seed is None else seed, reference)


@app.command(epilog="Example: overture score kept.parquet --out scored.parquet")
def score(path: Dialogues, out: OutFile = Path("scored.parquet")) -> int:
    """Label dialogues with every reward that needs no model."""
    from pipelines import verbs

    return verbs.score(path, out)


@app.command(epilog="Example: overture export runs/quickstart --format jsonl --out dialogues.jsonl")
def export(
    path: Dialogues,
    format_: Annotated[str, typer.Option("--format", help="jsonl; sft, sft_primed: the learner's turns")] = "jsonl",
    out: OutFile = Path("dialogues.jsonl"),
    private: Annotated[bool, typer.Option(help="With the private parts: facts, views, solutions.")] = False,
) -> int:
    """Write dialogues in another format. Private parts stay behind unless asked for."""
    from pipelines import verbs

    return verbs.export_file(path, format_, out, private)


@app.command(epilog="Example: overture report judged.parquet --out report.html")
def report(path: Dialogues, out: OutFile = Path("report.html"), reference: ReferenceSpec = None) -> int:
    """Write a quality report: funnel, realism, labels, rewards, dialogues to read."""
    from pipelines import verbs

    return verbs.report(path, out, reference)


@app.command(epilog="Example: overture view runs/quickstart")
def view(path: Dialogues) -> int:
    """Browse dialogues in the terminal."""
    from pipelines import verbs

    return verbs.browse(path)


def _scheduled(order: "Order", metrics_port: int | None) -> int:
    own_prefect(order.run.path)
    from pipelines import scheduled

    return scheduled.run(order, metrics_port)


def _sets(given: list[str] | None, limit: int | None, seed: int | None) -> list[str]:
    sets = list(given or [])
    if limit is not None:
        sets.append(f"budget.dialogues={limit}")
    if seed is not None:
        sets.append(f"seed={seed}")
    return sets


_STORAGE = frozenset({errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EPERM})


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> None:
    quiet()
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_guarded())


def _guarded() -> int:
    """The one boundary: every failure becomes one message and its exit code."""
    try:
        code = app(standalone_mode=False) or 0
        return _interrupted() if code == EXIT_INTERRUPTED else code  # typer turns KeyboardInterrupt into this code
    except typer.TyperException as error:
        return _fail(f"{error.format_message()} (overture --help lists the commands)", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except OvertureError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno in _STORAGE:
            return _fail(
                f"{error.filename}: {error.strerror}; free space or mend permissions, then run again",
                StorageError.exit_code,
            )
        return _bug(error)
    except Exception as error:  # noqa: BLE001 - the boundary
        return _bug(error)


def _interrupted() -> int:
    told = "interrupted; nothing answered is lost, the same command goes on where this one stopped"
    return _fail(told, EXIT_INTERRUPTED)


def _fail(message: str, code: int) -> int:
    typer.echo(f"overture: {message}", err=True)
    return code


def _bug(error: Exception) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="overture-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    return _fail(f"a bug of ours ({type(error).__name__}: {error}); please report it with {file.name}", 1)


if __name__ == "__main__":
    main()
