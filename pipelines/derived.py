"""Run-shaped directories made of published rows: runs joined, thinned out or masked.

They have `data/`, `rejected/`, views, manifest, report and card, and no journal: nothing is played on there. Where the
rows come from lies in `origin/`. Killed at any moment, the same command makes the directory whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa

from outputs.files import fresh_directory, storage_errors, write_text
from outputs.manifest import Manifest, read_manifest
from outputs.parquet import part_writer
from outputs.publish import Published, publish
from outputs.store import read_dialogue_tables
from pipelines import measure
from pipelines.publishing import funnel, present, rows_of
from pipelines.rundir import RunDir
from schemas.errors import DataError, InputError
from schemas.identity import stable_hash
from schemas.table import SCHEMA

FOLDERS = ("data", "rejected", "branches")
_ORIGIN = "origin"
_ROWS = "rows.tmp"
_KEPT = ("manifest.json", "config.resolved.yaml", "metrics.json")


class Given(NamedTuple):
    """A published run."""

    name: str
    """Unique among those given."""
    run: RunDir
    manifest: Manifest

    def files(self, *folders: str) -> list[Path]:
        return [p for folder in folders or FOLDERS for p in sorted((self.run.path / folder).glob("*.parquet"))]


def given(paths: Sequence[Path]) -> list[Given]:
    """Raises DataError for what is no run that has published."""
    runs: list[Given] = []
    names: Counter[str] = Counter()
    for path in paths:
        run = RunDir(path)
        manifest = read_manifest(run.manifest)
        name = path.resolve().name
        names[name] += 1
        found = Given(name if names[name] == 1 else f"{name}-{names[name]}", run, manifest)
        if not found.files("data", "rejected"):
            raise DataError(f"{path}: holds no dialogues; resume the run first")
        runs.append(found)
    return runs


def claim(out: Path, command: str, runs: Sequence[Given]) -> None:
    """Makes `out` the place of this command, of which nothing may be published there but by itself.

    Raises InputError where something else lies there.
    """
    hashes = {r.name: stable_hash(r.manifest.model_dump(mode="json")) for r in runs}
    origin = {"command": command, "runs": hashes}
    text = orjson.dumps(origin, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    path = out / _ORIGIN / "origin.json"
    with storage_errors(out):
        if out.exists() and not (path.is_file() and path.read_text() == text):
            there = {p.name for p in out.iterdir()} if out.is_dir() else {out.name}
            if there - {_ORIGIN, _ROWS, "publish.tmp"}:
                raise InputError(f"--out {out}: something else lies there; give a directory that is not there yet")
    fresh_directory(out / _ORIGIN)
    write_text(path, text)
    for run in runs:
        for name in _KEPT:
            if (run.run.path / name).is_file():
                write_text(out / _ORIGIN / run.name / name, (run.run.path / name).read_text())


def write(out: Path, files: Iterable[Path], target: int, manifest: Callable[[Published], Manifest]) -> Manifest:
    """The directory, from published rows that carry their decisions; what is counted in rows is counted anew."""
    published = publish(files, None, out, target, "")
    found = measure.gather(rows_of(run := RunDir(out)))
    known = manifest(published)
    counted = known.model_copy(
        update={
            "published": published.splits,
            "funnel": tuple(funnel(found)),
            "rewards": tuple(s for n in sorted(found) for s in measure.reward_summaries(n, found[n], known.seed)),
            "policies": tuple(measure.policy_pair(n, found[n], known.seed) for n in sorted(found)),
            "faults": tuple(measure.fault_counts(found)),
            "none_rewards": measure.none_rewards(found),
        }
    )
    present(run, counted)
    return counted


def rewrite(
    run: Given, out: Path, change: Callable[[pa.Table], pa.Table], manifest: Callable[[Published], Manifest]
) -> Manifest:
    """The directory, from a run's rows with `change` made to some hundreds at a time."""
    work = fresh_directory(out / _ROWS)
    files: list[Path] = []
    for number, file in enumerate(run.files()):
        files.append(work / f"{number}.parquet")
        with part_writer(files[-1], SCHEMA) as writer:
            for table in read_dialogue_tables(file):
                writer.add(change(table))
    done = write(out, files, run.manifest.target, manifest)
    fresh_directory(work).rmdir()
    return done
