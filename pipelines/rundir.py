"""A run directory: where things lie, who is working in it, and what of an earlier run is there."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import orjson
import yaml
from pydantic import ValidationError

from outputs.files import write_text
from pipelines.recipe import Recipe, dump_yaml
from pipelines.shards import Shard
from schemas.errors import DataError, RunError, StorageError
from schemas.scenario import Value

Resume = Literal["never", "always", "if-possible"]


class Plan(Value):
    """One round's work: a journalled decision, made once."""

    round: int
    groups: dict[str, tuple[int, int]]
    """Family -> indices [start, stop)."""


class RunDir:
    def __init__(self, path: Path):
        self.path = path
        self.config = path / "config.resolved.yaml"
        self.manifest = path / "manifest.json"
        self.journal = path / "journal"
        self.shards = path / "shards"
        self.plans = path / "plans"
        self.logs = path / "logs"
        self.metrics = path / "metrics.json"
        self.report = path / "report.html"
        self.card = path / "README.md"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def started(self) -> bool:
        return self.config.exists()

    def prepare(self) -> None:
        """Raises StorageError where nothing can be written."""
        try:
            for folder in (self.path, self.journal, self.shards, self.plans, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{error.filename}: {error.strerror}; choose another --out or mend its permissions"
            ) from None

    @contextmanager
    def lock(self) -> Generator[None]:
        """One run at a time; the lock goes with the process, however that ends."""
        self.prepare()
        path = self.path / "lock"
        try:
            file = path.open("a+")
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}; choose another --out or mend its permissions") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip() or "unknown"
                raise RunError(f"{self.path}: in use by process {owner}; wait for it, or give another --out") from None
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield

    def read_config(self) -> Recipe:
        """The recipe of the run. Raises DataError."""
        if not self.config.is_file():
            raise DataError(
                f"{self.config}: not there; {self.path} is not a run directory, give one that a run has made"
            )
        try:
            return Recipe.model_validate(yaml.safe_load(self.config.read_text()))
        except (ValidationError, yaml.YAMLError) as error:
            first = str(error).splitlines()[0]
            raise DataError(f"{self.config}: cannot be read back ({first}); start again with another --out") from None

    def write_config(self, recipe: Recipe) -> None:
        write_text(self.config, dump_yaml(recipe))

    def read_plans(self) -> list[Plan]:
        return [Plan.model_validate(orjson.loads(p.read_bytes())) for p in sorted(self.plans.glob("r*.json"))]

    def write_plan(self, plan: Plan) -> None:
        write_text(self.plans / f"r{plan.round:03d}.json", plan.model_dump_json())

    def shard_paths(self) -> list[Path]:
        """Every shard that has rows: finished, or the whole groups of an unfinished one."""
        finished = sorted(p for p in self.shards.glob("*.parquet") if not p.name.endswith(".partial.parquet"))
        done = {p.name for p in finished}
        partial = sorted(self.shards.glob("*.partial.parquet"))
        return finished + [p for p in partial if p.name.replace(".partial", "") not in done]


def all_done(shards: list[Shard], folder: Path) -> bool:
    return all(s.path(folder).exists() for s in shards)
