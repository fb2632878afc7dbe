"""Commands on dialogues that lie there already."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import Dialogues, OutFile, ReferenceSpec, RunPath, Seed, Sets
from schemas.errors import InputError

app = typer.Typer()


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
    epilog="Example: overture match --synthetic chats.parquet --reference pypi:chitchat-dataset --keep 500 "
    "--out kept.parquet"
)
def match(
    synthetic: Annotated[
        Path,
        typer.Option("--synthetic", help="Run directory, or Parquet in the dialogue schema or a corpus schema."),
    ],
    keep: Annotated[int, typer.Option("--keep", min=1, help="Dialogues to keep.")],
    reference: ReferenceSpec = None,
    out: OutFile = Path("matched.parquet"),
    seed: Seed = None,
) -> int:
    """Keep exactly --keep dialogues whose users are distributed as real ones, given what the assistant did.

    Tells first what the pool can give and what it lacks, and whether what was kept was chosen by reward. Without
    --reference the realism scores in the file decide alone. Fewer than 100 dialogues are not matched but drawn. Exit
    code 3: fewer were kept, as near-duplicates or whole groups left too few.
    """
    from pipelines import verbs

    return verbs.match(synthetic, keep, out, 7 if seed is None else seed, reference)


@app.command(
    epilog="Examples: overture score kept.parquet --out scored.parquet; "
    "overture score runs/problems --rewards recipes/rewards.yaml; "
    "overture score runs/problems --grader guidance.v2.yaml"
)
def score(
    path: Dialogues,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write. Default: a run in place, else scored.parquet.")
    ] = None,
    rewards: Annotated[
        str | None,
        typer.Option(
            "--rewards",
            help="A recipe with rewards and the models they ask, or import paths with commas between. Default: the "
            "run's own; else those that need no model.",
        ),
    ] = None,
    grader: Annotated[
        list[Path] | None, typer.Option("--grader", help="A grader file the judge goes by (repeatable).")
    ] = None,
    set_: Sets = None,
) -> int:
    """Label dialogues with rewards; of a run only what is new or changed is asked, nothing is played again."""
    from pipelines import rescoring

    return rescoring.score(rescoring.Order(path, out, rewards, tuple(grader or ()), tuple(set_ or ())))


@app.command(
    epilog="Examples: overture export runs/quickstart --format trl-sft; "
    "overture export runs/quickstart --format verl-rl --out s3://bucket/folder; "
    "overture export runs/quickstart --format jsonl --private facts --out dialogues.jsonl"
)
def export(
    path: Dialogues,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="trl-sft, trl-dpo, trl-kto, trl-grpo, trl-reward, trl-prm, verl-rl, verl-sft, collabllm, sharegpt, "
            "openai; jsonl: whole dialogues; or a view by its name.",
        ),
    ] = "jsonl",
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            help="Folder, one file (.jsonl, .parquet), or a URL of either, as s3://bucket/folder or "
            "hf://datasets/owner/name. Default: exports/<run>/<format>.",
        ),
    ] = None,
    private: Annotated[
        list[str] | None,
        typer.Option(
            "--private", help="Private column or view to let out, as facts; or all (repeatable).", metavar="NAME"
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="train, validation or test. Default: all, a file each.")
    ] = None,
) -> int:
    """Write dialogues as trainers read them. Private parts stay behind unless named.

    Repeated, it keeps the files that are there whole; interrupted, it leaves no half file and goes on.
    """
    from pipelines import exporting

    return exporting.run(exporting.Order(path, format_, out, tuple(private or ()), split))


@app.command(epilog="Example: overture push runs/quickstart acme/first-dialogues --dry-run")
def push(
    run: RunPath,
    repo: Annotated[str, typer.Argument(help="Dataset repository of the hub.", metavar="OWNER/NAME")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may read it. Default: private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would leave; no network.")] = False,
    private: Annotated[
        list[str] | None,
        typer.Option("--private", help="Private column to send along, as facts; or all (repeatable).", metavar="NAME"),
    ] = None,
) -> int:
    """Send a run's card, dialogues and views to the hub, in one commit. Private columns stay behind unless named.

    The token comes from HF_TOKEN or from the hub's own login. Interrupted, it shows nothing there; the same command
    sends what is missing.
    """
    from pipelines import pushing

    return pushing.run(pushing.Order(run, repo, public, dry_run, tuple(private or ())))


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
