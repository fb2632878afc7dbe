"""What a run knows while it goes on."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from outputs.manifest import Manifest, read_manifest
from pipelines.accounts import Ledger
from pipelines.events import Events
from pipelines.fingerprints import reward_fingerprint, selection_fingerprint
from pipelines.pool import Counts
from pipelines.recipe import Recipe
from pipelines.reference import Reference
from pipelines.rundir import RunDir
from pipelines.selection import Pool


@dataclass(slots=True)
class Clock:
    """Wall time of this invocation, and where it went."""

    began: float = field(default_factory=time.monotonic)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def minutes(self) -> float:
        return (time.monotonic() - self.began) / 60

    def phase(self, name: str, began: float) -> None:
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 2)


class State:
    """What a run knows while it goes on; all of it can be found again in the run directory.

    No dataclass: Prefect walks through dataclasses given to a task, and a pool may hold millions of decisions.
    """

    def __init__(
        self, recipe: Recipe, run: RunDir, fingerprint: str, references: dict[str, Reference | None], clock: Clock
    ):
        self.recipe = recipe
        self.run = run
        self.fingerprint = fingerprint
        self.references = references
        self.clock = clock
        self.rounds_before = len(run.read_plans())
        """Planned by earlier processes."""
        self.pool = Pool()
        self.selected = list[Path]()
        """The shards that `pool` is about."""
        self.counts = Counts()
        """Of all rounds this invocation has played."""
        self.stopped_by = ""
        """The budget that ended the playing; empty while none has."""
        self.events = Events(run.logs / "events.jsonl")
        self.ledger = Ledger(run.path / "spent.json", clock.started)

    @property
    def fingerprints(self) -> dict[str, str]:
        return {
            "generation": self.fingerprint,
            "selection": selection_fingerprint(self.recipe),
            "rewards": reward_fingerprint(self.recipe),
        }

    def finished(self) -> Manifest | None:
        """The manifest, if the run has published just what is wanted now."""
        if not self.run.manifest.exists():
            return None
        manifest = read_manifest(self.run.manifest)
        wanted = self.fingerprints
        if self.run.scored.exists() and wanted["rewards"] == reward_fingerprint(self.run.read_config()):
            # labelled anew since it was played (`overture score`): that is not to be undone
            wanted["rewards"] = manifest.fingerprints.get("rewards", "")
        same = manifest.fingerprints == wanted and manifest.target == self.recipe.target
        return manifest if same and manifest.status == "complete" else None
