"""A run directory: where things lie, who is working in it, and what of an earlier run is there."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import orjson
import yaml
from pydantic import Field, ValidationError

from outputs.files import write_text
from outputs.manifest import Feasible, Moved, Round
from pipelines.recipe import Recipe, dump_yaml
from pipelines.shards import Shard, branches_of, round_of
from pipelines.steered import Steering
from schemas.errors import DataError, RunError, StorageError
from schemas.scenario import Value

Resume = Literal["never", "always", "if-possible"]


class Plan(Value):
    """One round's work: a journalled decision, made once."""

    round: int
    groups: dict[str, tuple[int, int]]
    """Family -> indices [start, stop)."""
    steering: dict[str, Steering] = Field(default_factory=dict)
    """By family, where its latents are not drawn as fitted."""
    lead: bool = False
    """The part of the round that was played while the selection before it ran."""


class Outcome(Value):
    """What the selection after a round found: a journalled decision, too."""

    rounds: tuple[Round, ...]
    """One a family."""
    made: dict[str, int]
    """Family -> dialogues so far."""
    feasible: tuple[Feasible, ...] = ()
    moved: tuple[Moved, ...] = ()
    """For the next round."""
    divergence: dict[str, float] = Field(default_factory=dict)
    uncontrolled: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Family -> heads of which labels are lacking that no latent moves."""
    steering: dict[str, Steering] = Field(default_factory=dict)
    """Of the next round."""


class RunDir:
    def __init__(self, path: Path):
        self.path = path
        self.config = path / "config.resolved.yaml"
        self.scored = path / "rewards.resolved.yaml"
        """The recipe of `overture score`, where its rewards are those of the published rows."""
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
        return self._recipe(self.config)

    @property
    def labelled_by(self) -> Path:
        """The recipe whose rewards the rows have or are to have."""
        return self.scored if self.scored.is_file() else self.config

    def read_scored(self) -> Recipe:
        """Raises DataError."""
        return self._recipe(self.labelled_by)

    def _recipe(self, path: Path) -> Recipe:
        if not path.is_file():
            raise DataError(f"{path}: not there; {self.path} is not a run directory, give one that a run has made")
        try:
            return Recipe.model_validate(yaml.safe_load(path.read_text()))
        except (ValidationError, yaml.YAMLError) as error:
            first = str(error).splitlines()[0]
            raise DataError(f"{path}: cannot be read back ({first}); start again with another --out") from None

    def write_config(self, recipe: Recipe) -> None:
        write_text(self.config, dump_yaml(recipe))

    def read_plans(self) -> list[Plan]:
        """One a round, without the leads."""
        return [plan for plan in self._plans() if not plan.lead]

    def read_leads(self) -> dict[int, Plan]:
        """By round: what was played of it while the selection before it ran."""
        return {plan.round: plan for plan in self._plans() if plan.lead}

    def _plans(self) -> list[Plan]:
        return [Plan.model_validate(orjson.loads(p.read_bytes())) for p in sorted(self.plans.glob("r*.json"))]

    def write_plan(self, plan: Plan) -> None:
        lead = ".lead" if plan.lead else ""
        write_text(self.plans / f"r{plan.round:03d}{lead}.json", plan.model_dump_json())

    def read_outcomes(self) -> list[Outcome]:
        """Of all selections so far, by round."""
        return [Outcome.model_validate_json(p.read_bytes()) for p in sorted(self.plans.glob("s*.json"))]

    def write_outcome(self, number: int, outcome: Outcome) -> None:
        write_text(self.plans / f"s{number:03d}.json", outcome.model_dump_json())

    def shard_paths(self, through: int | None = None) -> list[Path]:
        """Every shard that has rows, finished or the whole groups of an unfinished one; of rounds up to `through`."""
        finished = sorted(p for p in self.shards.glob("*.parquet") if not p.name.endswith(".partial.parquet"))
        done = {p.name for p in finished}
        partial = sorted(self.shards.glob("*.partial.parquet"))
        found = finished + [p for p in partial if p.name.replace(".partial", "") not in done]
        return found if through is None else [p for p in found if round_of(p) <= through]

    def branch_paths(self) -> list[Path]:
        """Of the same shards, what has branches."""
        return [path for path in map(branches_of, self.shard_paths()) if path.exists()]


def all_done(shards: list[Shard], folder: Path) -> bool:
    return all(s.path(folder).exists() for s in shards)
