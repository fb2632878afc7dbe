"""`overture forecast RUN --out FILE.parquet`: how will a dialogue end, seen from one of its turns (methods §8)?

A dialogue of a run is cut at a turn and rolled on: with its own hidden side (`mc_privileged`), and with hidden sides
drawn from the prior, weighted by how well they explain what the partner has done so far (`mc_public`, which is the
forecast: nothing in it was known to the simulator alone). No text after the cut is in any request or row.
"""

import asyncio
import sys
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from rich.console import Console

from generators.play import UNWATCHED, Watch
from generators.resampling import prior
from generators.speakers.external import EXTERNAL
from generators.speakers.verbatim import Verbatim
from inference.client import Connections
from outputs.parquet import part_writer
from outputs.store import dialogue_files, read_records, read_table
from pipelines.checking import WIDTH
from pipelines.display import Display, Say, teller
from pipelines.engines import Engines, engines
from pipelines.fingerprints import generation_fingerprint
from pipelines.forecast_rows import FORECASTS, BaseRate, Cut, forecast_row
from pipelines.forecast_summary import print_summary
from pipelines.journal import Journal
from pipelines.recipe import Recipe
from pipelines.rolling import Rolled, Roller
from pipelines.rundir import RunDir
from pipelines.services import DialogueCalls, Models
from pipelines.steered import case_rng
from pipelines.worker import first_error
from schemas.contracts import Detector, Services
from schemas.errors import InputError, did_you_mean
from schemas.identity import derive, rng
from schemas.record import Record, to_row
from schemas.table import SCHEMA

AT_ONCE = 4
"""Dialogues; the rollouts of a cut go together. How many requests an endpoint gets is measured as in a run."""
FIRST_CUT = 2
"""Turns that a forecaster sees at least."""


@dataclass(frozen=True, slots=True)
class Sizes:
    cuts: int = 1
    """Of each dialogue."""
    rollouts: int = 20
    """Of each kind, of each cut."""
    threshold: float = 0.5
    """From which success is to be expected."""
    limit: int | None = None
    """Dialogues."""


class Listed(NamedTuple):
    """A dialogue of the run, without its words."""

    dialogue_id: str
    family: str
    policy: str
    split: str | None
    success: bool | None
    verified: bool
    """Whether what somebody says is checked against an answer."""

    def lacks(self, families: Sequence[str], scripted: bool) -> str | None:
        """Why it is not cut."""
        if self.family not in families:
            return "other_family"
        if self.success is None:
            return "no_outcome"
        return "needs_a_model" if scripted and (self.verified or self.policy == EXTERNAL) else None


class Work(NamedTuple):
    """What is to be done, once the servers are there."""

    run: Path
    branches: Path
    """Not the run's own, which publishing makes anew."""
    recipe: Recipe
    sizes: Sizes
    scripted: bool
    chosen: Mapping[str, str]
    """Ids of dialogues, and their families."""
    base_rates: Mapping[tuple[str, str], BaseRate]
    """By family and policy."""

    def records(self) -> Iterator[Record]:
        found = read_records(dialogue_files(self.run))
        return (record for record in found if record.dialogue.id in self.chosen)


class Done(NamedTuple):
    """Of one dialogue."""

    rows: list[dict[str, Any]]
    privileged: list[Record]
    public: list[Record]


def forecast(path: Path, out: Path, sizes: Sizes, family: str | None = None, scripted: bool = False) -> int:
    """Writes one row a cut to `out`, the rollouts to `forecast/branches/` of the run; goes on where it was stopped."""
    if not 0 < sizes.threshold < 1:
        raise InputError(f"--threshold: {sizes.threshold:g} lies not between 0 and 1; give a probability, as .5")
    recipe = RunDir(path).read_config()
    listed = _listed(path)
    chosen, lost = _chosen(recipe, listed, family, scripted, sizes.limit)
    progress = Console(stderr=True)
    inside = RunDir(path / "forecast")
    with inside.lock(), ExitStack() as stack:
        with Display(recipe, progress) as display:
            asked = recipe.model_copy(update={"roles": {}}) if scripted else recipe
            servers = stack.enter_context(engines(asked, inside.logs, display))
        journal = stack.enter_context(Journal(inside.journal, "rollouts", generation_fingerprint(recipe)))
        work = Work(path, inside.path / "branches", recipe, sizes, scripted, chosen, _base_rates(listed))
        rows = asyncio.run(_forecasts(work, out, servers, journal, teller("rolling on", progress, stack)))
    if short := len(chosen.keys() - {row["dialogue_id"] for row in rows}):
        lost["too_short"] = short
    print_summary(rows, lost, Console(width=None if sys.stdout.isatty() else WIDTH))
    Console().print(f"Wrote {out}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _listed(path: Path) -> list[Listed]:
    found: list[Listed] = []
    for file in dialogue_files(path):
        rows = read_table(file, (*Listed._fields[:-1], "verifier")).to_pylist()
        found += [Listed(verified=row.pop("verifier") is not None, **row) for row in rows]
    return found


def _chosen(
    recipe: Recipe, listed: Sequence[Listed], family: str | None, scripted: bool, limit: int | None
) -> tuple[dict[str, str], Counter[str]]:
    """Ids with their families, the first of all by id; and how many of the others are lost why."""
    names = [entry.name for entry in recipe.families]
    if family is not None and family not in names:
        raise InputError(f"--family: '{family}' is not in this run{did_you_mean(family, names)}")
    lacking = [(one, one.lacks([family] if family else names, scripted)) for one in listed]
    lost = Counter(reason for _, reason in lacking if reason)
    found = sorted((one.dialogue_id, one.family) for one, reason in lacking if reason is None)
    if not found:
        told = ", ".join(f"{n} {reason}" for reason, n in sorted(lost.items()))
        remedy = next((_REMEDIES[reason] for reason, _ in lost.most_common() if reason in _REMEDIES), _ANOTHER)
        raise InputError(f"no dialogue of this run can be forecast ({told}); {remedy}")
    return dict(found[:limit]), lost


_ANOTHER = "take a run that has dialogues of it"
_REMEDIES: Mapping[str, str] = {
    "needs_a_model": "leave out --scripted, what they come to depends on words",
    "no_outcome": "name a --family that has an outcome `success`",
}


def _base_rates(listed: Sequence[Listed]) -> dict[tuple[str, str], BaseRate]:
    """Of all dialogues of the train split, whichever are cut."""
    found: dict[tuple[str, str], BaseRate] = {}
    for one in listed:
        if one.split == "train" and one.success is not None:
            hits, n = found.get((one.family, one.policy), BaseRate())
            found[one.family, one.policy] = BaseRate(hits + one.success, n + 1)
    return found


async def _forecasts(work: Work, out: Path, servers: Engines, journal: Journal, say: Say) -> list[dict[str, Any]]:
    """Rows without their messages; those of the files are in the order of the run's."""
    kept: list[dict[str, Any]] = []
    with (
        part_writer(out, FORECASTS) as forecasts,
        part_writer(work.branches / f"{out.stem}.privileged.parquet", SCHEMA) as privileged,
        part_writer(work.branches / f"{out.stem}.public.parquet", SCHEMA) as public,
    ):
        async with Connections() as connections:
            models = Models(connections, servers.roles, servers.embedder)
            rollers = _rollers(work, models, journal)
            waiting: deque[asyncio.Task[Done]] = deque()

            async def settle(most: int) -> None:
                while len(waiting) > most:
                    done = await waiting.popleft()
                    forecasts.add(pa.Table.from_pylist(done.rows, FORECASTS))
                    privileged.add(pa.Table.from_pylist([to_row(r) for r in done.privileged], SCHEMA))
                    public.add(pa.Table.from_pylist([to_row(r) for r in done.public], SCHEMA))
                    kept.extend({k: v for k, v in row.items() if k != "messages"} for row in done.rows)
                    say(f"{len(kept)} cuts of {len(work.chosen)} dialogues")

            try:
                async with asyncio.TaskGroup() as tasks:
                    for record in work.records():
                        await settle(AT_ONCE - 1)
                        waiting.append(tasks.create_task(_forecast(work, rollers, record)))
                    await settle(0)
            except BaseExceptionGroup as several:
                raise first_error(several) from None
    return kept


def _rollers(work: Work, models: Models, journal: Journal) -> dict[str, Roller]:
    recipe, seed = work.recipe, derive(work.recipe.seed, "forecast")

    def services(name: str) -> Services:
        return models.services(DialogueCalls(journal, name, models.usage), 0)

    detectors = tuple(f for f in recipe.filters if isinstance(f, Detector))
    return {
        entry.name: Roller(
            entry=entry,
            prior=prior(entry.family, seed),
            seed=seed,
            case=lambda scenario: case_rng(recipe.seed, scenario.family, scenario.index, scenario.plan.get("draw", 0)),
            speakers=dict.fromkeys(entry.family.speakers, Verbatim()) if work.scripted else None,
            watch=UNWATCHED if work.scripted else Watch(detectors, recipe.remakes),
            services=services,
            rollouts=work.sizes.rollouts,
        )
        for entry in recipe.families
        if entry.name in work.chosen.values()
    }


async def _forecast(work: Work, rollers: Mapping[str, Roller], record: Record) -> Done:
    scenario = record.dialogue.scenario
    roller = rollers[scenario.family].of_one()
    base = work.base_rates.get((scenario.family, scenario.policy), BaseRate())
    done = Done([], [], [])
    for turn in cut_turns(record, roller.seed, work.sizes.cuts):
        cut = Cut(record, turn)
        privileged, public = await roller.privileged(cut), await roller.public(cut)
        done.rows.append(forecast_row(cut, base, privileged.rate, public.rate, work.sizes.threshold))
        done.privileged.extend(_branches(record, privileged))
        done.public.extend(_branches(record, public))
    return done


def cut_turns(record: Record, seed: int, cuts: int) -> list[int]:
    """Numbers of turns seen, uniform in [2, n - 1], none twice."""
    places = range(FIRST_CUT, len(record.dialogue.turns))
    return sorted(rng(seed, "cuts", record.dialogue.id).sample(places, min(cuts, len(places))))


def _branches(record: Record, rolled: Rolled) -> list[Record]:
    return [
        Record(dialogue=dialogue, recipe=record.recipe, round=record.round, split=record.split)
        for dialogue in rolled.dialogues
    ]
