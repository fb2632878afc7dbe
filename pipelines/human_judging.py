"""`overture judge --human`: people as discriminators (methods §1 and §25), from two files to a verdict.

A judging folder holds `trials.jsonl` (what raters see), `key.json` (which side is which: never to be passed on),
`answers.sqlite`, what was exported under `export/`, and the report.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from discriminators.two_alternative import needed_for_equivalence, needed_to_detect
from inference.weights import cache_folder, fetch
from outputs.files import atomic_file, write_text
from outputs.human_tasks import FORMATS, read_answers, write_tasks
from pipelines.dialogue_files import read_dialogues
from pipelines.human_answers import Answers
from pipelines.human_report import write_report
from pipelines.human_server import application, listening, server_of
from pipelines.human_trials import Counts, prepare
from pipelines.reference import load_reference
from schemas.errors import DataError, InputError, RunError, did_you_mean
from schemas.judgement import Interval, shown
from schemas.scenario import Value
from schemas.trial import Key, Trial

OUT = Console(highlight=False, markup=False, soft_wrap=True)
DETECT = 0.6
SHORTCUT = 0.6
"""Above it a feature of one line is worth a warning."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Settings(Value):
    """What the trials of a folder follow from."""

    synthetic: str
    reference: str
    trials: int
    seed: int


class KeyFile(Value):
    settings: Settings
    lower_case: bool
    shortcuts: dict[str, Interval]
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The command line. Without one of `export`, `import_` and `report` the trials are served."""

    out: Path
    synthetic: Path | None = None
    reference: str | None = None
    trials: int = 60
    raters: int = 3
    seed: int = 7
    export: str | None = None
    import_: Path | None = None
    report: Path | None = None
    delta: float = 0.05
    host: str = "127.0.0.1"
    port: int = 8737


def judge(order: Order) -> int:
    given = {"--export": order.export, "--import": order.import_, "--report": order.report}
    asked = [name for name, value in given.items() if value is not None]
    if len(asked) > 1:
        raise InputError(f"{' and '.join(asked)} are given together; one at a time")
    if not 0 < order.delta < 0.5:
        raise InputError(f"--delta: {order.delta:g} is not between 0 and 0.5")
    if order.export is not None and order.export not in FORMATS:
        raise InputError(f"--export: no format '{order.export}'{did_you_mean(order.export, FORMATS)}")
    if order.report is not None:
        return _report(order.report, order.delta)
    if order.import_ is not None:
        return _import(order.out, order.import_)
    trials, key = _prepared(order)
    if order.export is not None:
        for path in write_tasks(trials, order.export, order.out / "export"):
            OUT.print(f"wrote {path}")
        OUT.print(f"{order.out / 'key.json'} says which side is real: keep it to yourself.")
        return 0
    return _serve(order, trials, key.settings.seed)


def _prepared(order: Order) -> tuple[list[Trial], KeyFile]:
    """Those of the folder, else new ones. Raises RunError where the folder holds others."""
    given = (order.synthetic, order.reference)
    if (order.out / "key.json").exists():
        trials, key = _loaded(order.out)
        if any(given) and _settings(order) != key.settings:
            said = ", ".join(f"{name} {value}" for name, value in key.settings.model_dump().items())
            raise RunError(f"{order.out}: holds other trials ({said}); choose another --out, or leave the rest out")
        return trials, key
    wanted = _settings(order)
    reference = load_reference(wanted.reference, cache_folder(), fetch=lambda n: fetch(n, lambda *_: None).parent)
    ours = (r.dialogue for r in read_dialogues(Path(wanted.synthetic)) if r.selection is None or r.selection.keep)
    made = prepare(ours, reference.dialogues("test"), wanted.trials, wanted.seed)
    key = KeyFile(settings=wanted, lower_case=made.lower_case, shortcuts=made.shortcuts, keys=made.keys)
    write_text(order.out / "trials.jsonl", "".join(f"{trial.model_dump_json()}\n" for trial in made.trials))
    with atomic_file(order.out / "key.json") as file:
        Path(file.name).chmod(0o600)
        file.write(key.model_dump_json(indent=1).encode())
    _tell(order, key)
    return list(made.trials), key


def _settings(order: Order) -> Settings:
    if order.synthetic is None or order.reference is None:
        missing = "--synthetic" if order.synthetic is None else "--reference"
        raise InputError(f"{missing}: needed, as {order.out} holds no trials yet")
    return Settings(synthetic=str(order.synthetic), reference=order.reference, trials=order.trials, seed=order.seed)


def _loaded(folder: Path) -> tuple[list[Trial], KeyFile]:
    key, trials = folder / "key.json", folder / "trials.jsonl"
    for path in (key, trials):
        if not path.is_file():
            raise DataError(f"{path}: not there; overture judge --human --synthetic A --reference B --out DIR makes it")
    try:
        found = KeyFile.model_validate_json(key.read_bytes())
        shown = [Trial.model_validate_json(line) for line in trials.read_bytes().splitlines()]
    except ValidationError as error:
        raise DataError(f"{folder}: key.json or trials.jsonl was changed ({str(error).splitlines()[0]})") from error
    if {t.id for t in shown} != {k.trial for k in found.keys}:
        raise DataError(f"{folder}: key.json and trials.jsonl are not of the same trials; prepare them anew")
    return shown, found


def _tell(order: Order, key: KeyFile) -> None:
    counts = Counts.of(order.trials)
    OUT.print(
        f"{len(key.keys)} trials: {counts.test} real against synthetic, {counts.catch} catch trials, "
        f"{counts.control} real against real"
    )
    for claim, n in _needs(order.delta).items():
        each = ceil(n / order.raters)
        enough = "enough" if each <= counts.test else f"more than the {counts.test} there are"
        OUT.print(f"  {claim}: {n} independent judgements; of {_people(order.raters)} {each} each ({enough})")
    OUT.print("  Answers of one rater, or to one trial, are alike and worth less; the report says how much.")
    if key.lower_case:
        OUT.print("  One side has no capitals: both are shown without.")
    for name, share in key.shortcuts.items():
        if share.value > SHORTCUT:
            OUT.print(f"  Careful: {name} alone would tell the sides apart in {shown(share)} of the trials")


def _needs(delta: float) -> dict[str, int]:
    return {
        f"to detect users that are told apart {DETECT:.0%} of the time": needed_to_detect(DETECT),
        f"to show a fool rate of 50% ± {100 * delta:g}": needed_for_equivalence(delta),
    }


def _people(raters: int) -> str:
    return f"{raters} rater{'s' * (raters != 1)}"


def _serve(order: Order, trials: Sequence[Trial], seed: int) -> int:
    with Answers(order.out / "answers.sqlite") as answers, listening(order.host, order.port) as listener:
        port = listener.getsockname()[1]
        shown = f"[{order.host}]" if ":" in order.host else order.host
        OUT.print(f"\n  http://{shown}:{port}/{answers.token()}\n")
        if order.host not in LOOPBACK:
            OUT.print("Whoever has the link can judge; it goes over the network unencrypted.")
        OUT.print("Every rater under a name or code of their own. Ctrl-C stops; the same command goes on.")
        with suppress(KeyboardInterrupt):
            server_of(application(trials, answers, seed)).run(sockets=[listener])
        told = answers.of()
    raters = len({a.rater for a in told})
    OUT.print(f"{len(told)} answers of {_people(raters)}. The report: overture judge --human --report {order.out}")
    return 0


def _import(folder: Path, path: Path) -> int:
    trials, _ = _loaded(folder)
    found = read_answers(path, frozenset(t.id for t in trials))
    with Answers(folder / "answers.sqlite") as answers:
        new = answers.add_all(found, path.name)
    known = f"; {len(found) - new} were there already" if new < len(found) else ""
    OUT.print(f"{new} answers of {_people(len({a.rater for a in found}))} taken in{known}")
    return 0


def _report(folder: Path, delta: float) -> int:
    _, key = _loaded(folder)
    with Answers(folder / "answers.sqlite") as answers:
        given = answers.of()
    about = {"settings": key.settings.model_dump(), "lower_case": key.lower_case, "shortcuts": key.shortcuts}
    write_report(folder, given, key.keys, about, delta)
    return 0
