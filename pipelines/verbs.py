"""Single verbs on any Parquet of dialogues, ours or a corpus: judge, match, score, report, view.

No Prefect, no run directory.
"""

import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from discriminators.user_turns import Sample
from inference.weights import cache_folder, fetch
from outputs.browser import view
from outputs.manifest import FunnelStep, Manifest
from outputs.parquet import part_writer
from outputs.report import write_report
from pipelines import measure
from pipelines import recipe as recipes
from pipelines import selection_figures as figures
from pipelines.dialogue_files import parquet_files, read_dialogues
from pipelines.engines import local_embedder
from pipelines.progress import Progress
from pipelines.recipe_stages import build
from pipelines.reference import Reference, load_reference
from pipelines.scoring import NO_REFERENCE, PER_SIDE, Scorer, fit_scorer, unscored
from pipelines.sketches import Sketches, of_dialogues
from pipelines.worker import judge as verdict_of
from schemas.contracts import Discriminator, Filter, Selector
from schemas.dialogue import Dialogue
from schemas.errors import EXIT_SHORT, DataError
from schemas.judgement import Feasibility, Realism, Selection
from schemas.record import Record, to_row
from schemas.table import SCHEMA

OUT = Console(highlight=False, markup=False, soft_wrap=True)
CHUNK = 256
SEED = 7


def judge(path: Path, out: Path, reference: str | None) -> int:
    """Filter verdicts for every dialogue; realism and labels for the valid ones."""
    if next(read_dialogues(path), None) is None:
        raise DataError(f"{path}: holds no dialogue; give a file that has some")
    filters = tuple(build(spec, Filter) for spec in recipes.DEFAULT_FILTERS)
    reasons: Counter[str] = Counter()
    valid = (r.dialogue for r in read_dialogues(path) if verdict_of(r.dialogue, filters).keep)
    with Progress("judging") as progress, _scorer(valid, reference, progress) as scorer:
        judged = _judged(read_dialogues(path), filters, scorer, reasons)
        _write(out, progress.counting(judged, "judged", _rows(path)))
    made = sum(reasons.values())
    dropped = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common() if reason != "ok") or "none"
    OUT.print(f"{reasons['ok']} of {made} dialogues are valid; dropped: {dropped}. Wrote {out}")
    return 0


@contextmanager
def _scorer(valid: Iterable[Dialogue], reference: str | None, progress: Progress) -> Generator[Scorer | None]:
    """Fitted on the first of the valid dialogues and the reference's fit split; None without a reference."""
    if reference is None:
        yield None
        return
    real_side = _reference(reference)
    with local_embedder(watched=progress.embedding) as embed:
        some = list(islice(valid, PER_SIDE))
        lengths = [len(dialogue.turns) for dialogue in some]
        beginnings = real_side.beginnings("fit", lengths, SEED) if some else iter(())
        real, synthetic = ([Sample.of(d) for d in side] for side in (islice(beginnings, PER_SIDE), some))
        named = {s.rsplit(".", 1)[-1]: build(s, Discriminator) for s in recipes.DEFAULT_DISCRIMINATORS}
        progress.begins(f"learning to tell {len(real):,} real dialogues from {len(synthetic):,} of these")
        yield fit_scorer(named, real, synthetic, embed, SEED)


def _reference(spec: str) -> Reference:
    return load_reference(spec, cache_folder(), fetch=lambda name: fetch(name, lambda *_: None).parent)


def _judged(
    records: Iterable[Record], filters: Sequence[Filter], scorer: Scorer | None, reasons: Counter[str]
) -> Iterator[Record]:
    for batch in _batches(records):
        verdicts = [verdict_of(r.dialogue, filters) for r in batch]
        valid = [r for r, v in zip(batch, verdicts, strict=True) if v.keep]
        dialogues = [r.dialogue for r in valid]
        scored = map(unscored, dialogues) if scorer is None else scorer.judged(dialogues)
        for record, verdict in zip(batch, verdicts, strict=True):
            reasons["ok" if verdict.keep else verdict.reason] += 1
            if verdict.keep:
                judged = next(scored)
                known = {"realism": judged.realism, "labels": judged.labels, "selection": None}
            else:
                known = {"selection": Selection(keep=False, reason=verdict.reason)}
            yield record.model_copy(update=known)


def match(path: Path, keep: int, out: Path, seed: int, reference: str | None = None) -> int:
    """The selectors over dialogues; what they drop is left out of `out` and counted. Without a reference they go by the
    realism that the rows have, and not by labels and residuals.
    """
    if next(_valid(path), None) is None:
        raise DataError(f"{path}: holds no valid dialogue; give a file that has some")
    selectors = [build(spec, Selector) for spec in recipes.DEFAULT_SELECTORS]
    with Progress("matching") as progress:
        with _scorer((r.dialogue for r in _valid(path)), reference, progress) as scorer:
            records = progress.counting(_valid(path), "scored", _rows(path))
            tables, realism = _sketched(records, selectors, scorer)
        if keep > len(realism):
            raise DataError(f"{path}: --keep {keep} is more than its {len(realism)} valid dialogues; ask for fewer")
        if len(realism) > PER_SIDE:  # else it is done at once
            progress.begins(f"selecting from {len(realism):,}")
        chosen, told = _selected(path, list(zip(selectors, tables, strict=True)), keep, seed, scorer)
    left = {name for name, selection in chosen.items() if selection.keep}
    kept = (r for r in _valid(path) if r.dialogue.id in left)
    _write(out, (r.model_copy(update={"selection": chosen[i := r.dialogue.id], "realism": realism[i]}) for r in kept))
    reasons = Counter(selection.reason for selection in chosen.values() if not selection.keep)
    dropped = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common()) or "none"
    OUT.print("\n".join([*told, f"Kept {len(left)} of {keep} wanted; dropped: {dropped}. Wrote {out}"]))
    return 0 if len(left) == keep else EXIT_SHORT


def _selected(
    path: Path, sketched: Sequence[tuple[Selector, pa.Table]], keep: int, seed: int, scorer: Scorer | None
) -> tuple[dict[str, Selection], Sequence[str]]:
    """What became of each dialogue, and what is to be said of it."""
    left: set[str] | None = None
    chosen: dict[str, Selection] = {}
    told: Sequence[str] = ()
    for selector, sketches in sketched:
        table = sketches if left is None else of_dialogues(sketches, left)
        try:
            choice = selector.select(table, keep, seed, {} if scorer is None else scorer.given.errors)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
        found = dict(choice.each)
        if selector.matches:
            told = _figures(choice.feasibility, table, found, scorer)
        chosen |= found
        left = {name for name, selection in found.items() if selection.keep}
    return chosen, told


def _figures(
    limits: Feasibility | None, sketches: pa.Table, found: Mapping[str, Selection], scorer: Scorer | None
) -> Sequence[str]:
    given = None if scorer is None else scorer.given
    return figures.told(None if limits is None else figures.feasible("", limits, given), sketches, found)


def _rows(path: Path) -> int | None:
    try:
        return sum(pq.read_metadata(file).num_rows for file in parquet_files(path))
    except (pa.ArrowException, OSError):
        return None  # whoever reads it says what is wrong


def _valid(path: Path) -> Iterator[Record]:
    """Those that nothing has dropped so far. Raises DataError for an id that is there twice."""
    seen: set[str] = set()
    for record in read_dialogues(path):
        if record.selection is not None and not record.selection.keep:
            continue
        if record.dialogue.id in seen:
            raise DataError(f"{path}: dialogue_id '{record.dialogue.id}' is there twice; give every dialogue its own")
        seen.add(record.dialogue.id)
        yield record


def _sketched(
    valid: Iterable[Record], selectors: Sequence[Selector], scorer: Scorer | None
) -> tuple[list[pa.Table], dict[str, Realism]]:
    """The dialogues as each selector wants them, and their realism by id."""
    sketches = Sketches(selectors)
    realism: dict[str, Realism] = {}
    known = Realism(reason=NO_REFERENCE)
    for batch in _batches(valid):
        scored = None if scorer is None else scorer.judged(r.dialogue for r in batch)
        for judged in scored or (unscored(r.dialogue)._replace(realism=r.realism or known) for r in batch):
            realism[judged.dialogue.id] = judged.realism
            sketches.add(judged)
    return sketches.tables(), realism


def report(path: Path, out: Path, reference: str | None) -> int:
    """The report of any dialogues: what can be said of them without a run."""
    found = measure.gather(read_dialogues(path))
    made = sum(sum(g.made.values()) for g in found.values())
    if not made:
        raise DataError(f"{path}: holds no dialogue; give a file that has some")
    dropped: Counter[str] = Counter()
    for gathered in found.values():
        for (_, reason), n in gathered.rejected.items():
            dropped[reason] += n
    manifest = Manifest(
        recipe=path.stem,
        status="complete",
        target=made,
        published={"all": made - dropped.total()},
        families=tuple(sorted(found)),
        funnel=(
            FunnelStep(name="made", count=made),
            FunnelStep(name="published", count=made - dropped.total(), reasons=dict(dropped)),
        ),
        rewards=tuple(s for name in sorted(found) for s in measure.reward_summaries(name, found[name], SEED)),
        policies=tuple(measure.policy_pair(name, found[name], SEED) for name in sorted(found)),
        none_rewards=measure.none_rewards(found),
    )
    if reference is not None:
        manifest = _compared(manifest, found, reference)
    write_report(out, manifest, _first(read_dialogues(path), 200))
    OUT.print(f"Wrote {out}")
    return 0


def _compared(manifest: Manifest, found: Mapping[str, measure.Gathered], reference: str) -> Manifest:
    real = _reference(reference)
    discriminators = tuple(build(s, Discriminator) for s in recipes.DEFAULT_DISCRIMINATORS)
    with local_embedder() as embed:
        both = [measure.realism(discriminators, name, SEED, found[name], real, embed) for name in sorted(found)]
    return manifest.model_copy(
        update={
            "realism": tuple(m for measures, _ in both for m in measures),
            "heads": tuple(h for _, heads in both for h in heads),
        }
    )


def browse(path: Path) -> int:
    if not sys.stdout.isatty():
        raise DataError("overture view needs a terminal; `overture export` writes text")
    view(_first(read_dialogues(path), 5000))
    return 0


def _first(records: Iterable[Record], most: int) -> list[Record]:
    return [r for r, _ in zip(records, range(most), strict=False)]


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == CHUNK:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(out: Path, records: Iterable[Record]) -> None:
    with part_writer(out, SCHEMA) as writer:
        for batch in _batches(records):
            writer.add(pa.Table.from_pylist([to_row(r) for r in batch], schema=SCHEMA))
