"""A person in a seat: `overture play`. One dialogue of a recipe's family, the other seats played as in a run. What is
typed is journalled like any answer, so that a session that was interrupted goes on where it was.
"""

import asyncio
import signal
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from generators.play import Watch, play
from generators.speakers.external import EXTERNAL
from generators.speakers.person import Person
from inference.client import Connections
from outputs.parquet import write_table
from pipelines.display import Display
from pipelines.engines import Engines, engines
from pipelines.fingerprints import generation_fingerprint
from pipelines.journal import Journal
from pipelines.recipe import Recipe, load
from pipelines.recipe_families import FamilyEntry
from pipelines.rundir import RunDir
from pipelines.scenarios import group
from pipelines.services import DialogueCalls, JournalledChat, Models, Usage
from pipelines.terminal import LEFT, Terminal
from pipelines.worker import judge, rewarded
from schemas.contracts import JUDGE, Detector, Family, Speaker
from schemas.dialogue import Dialogue, Ending
from schemas.errors import InputError, StorageError, did_you_mean
from schemas.identity import stable_hash
from schemas.judgement import Selection
from schemas.record import Record, to_row
from schemas.scenario import Scenario
from schemas.table import SCHEMA


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person wants to play, as asked for."""

    family: str | None = None
    """None: the recipe's first."""
    seat: str = "learner"
    """learner, partner, or a role of the family."""
    index: int = 0
    """Of the case, as in a run."""
    policy: str | None = None
    """Of the learner, where the person is another; None: proactive if the recipe plays it, else its first."""
    resume: bool | None = None
    """Whether to go on with an unfinished session; None: if there is one."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """A case, and the seat of it that a person takes."""

    recipe: Recipe
    entry: FamilyEntry
    scenario: Scenario
    seat: str

    @property
    def learns(self) -> bool:
        return self.seat == self.entry.family.learner

    @property
    def speakers(self) -> Mapping[str, Speaker]:
        others = self.entry.speakers if self.learns else self.entry.cast(self.scenario.policy)
        return {**others, self.seat: Person()}

    def models(self) -> Recipe:
        """The recipe with the models of the other seats alone: no server is started for a person."""
        asked = {*self.entry.speakers, JUDGE} - {self.seat}
        if self.learns or self.scenario.policy != EXTERNAL:
            asked.discard(EXTERNAL)
        else:
            asked.discard(self.entry.family.learner)
        return self.recipe.model_copy(update={"roles": {r: m for r, m in self.recipe.roles.items() if r in asked}})


def play_seat(recipe: Path, choice: Choice, out: Path | None, sets: Sequence[str]) -> int:
    wanted = load(recipe, sets)
    entry = _entry(wanted, choice.family)
    seat = _seat(entry.family, choice.seat)
    fingerprint = generation_fingerprint(wanted)
    scenario = _scenario(entry, choice, seat, wanted.seed, fingerprint)
    run = RunDir(out or Path("runs") / f"{wanted.name}-play")
    with run.lock(), ExitStack() as stack:
        name, goes_on = _session(run, f"{entry.name}-{choice.index}-{seat}-{scenario.policy}", choice.resume)
        dialogue_id = stable_hash(fingerprint, "play", name)
        sitting = Sitting(wanted, entry, scenario.model_copy(update={"dialogue_id": dialogue_id}), seat)
        with Display(wanted, Console(stderr=True)) as display:
            servers = stack.enter_context(engines(sitting.models(), run.logs, display))
        journal = stack.enter_context(Journal(run.journal / name, "person", fingerprint))
        terminal = _terminal(entry.family, seat)
        terminal.introduce(entry.family, sitting.scenario, goes_on)
        stack.enter_context(_interruptible())
        with asyncio.Runner() as runner:
            record = runner.run(_played(sitting, terminal, journal, servers))
        path = _row(run, name)
        _write(path, record)
    _tell(terminal, record, path, run)
    return 0


def _entry(recipe: Recipe, family: str | None) -> FamilyEntry:
    entries = {entry.name: entry for entry in recipe.families}
    if family is not None and family not in entries:
        raise InputError(f"--family: '{family}' is not in this recipe{did_you_mean(family, entries)}")
    return recipe.families[0] if family is None else entries[family]


def _seat(family: Family, seat: str) -> str:
    seats = {**{role: role for role in family.speakers}, "learner": family.learner, "partner": family.partner}
    if seat not in seats:
        raise InputError(f"--as: {family.name()} has no seat '{seat}'{did_you_mean(seat, seats)}")
    return seats[seat]


def _scenario(entry: FamilyEntry, choice: Choice, seat: str, seed: int, fingerprint: str) -> Scenario:
    siblings = group(entry, choice.index, seed, fingerprint)
    if seat == entry.family.learner:
        if choice.policy is not None:
            raise InputError(f"--policy: it is you who plays the {seat}; leave it out, or take another seat")
        return siblings[0].model_copy(update={"policy": EXTERNAL})
    found = {s.policy: s for s in reversed(siblings)}
    policy = choice.policy or ("proactive" if "proactive" in found else siblings[0].policy)
    chosen = next((s for name, s in found.items() if name == policy), None)
    if chosen is None:
        raise InputError(f"--policy: the recipe does not play '{policy}' here{did_you_mean(policy, found)}")
    return chosen


def _row(run: RunDir, session: str) -> Path:
    return run.path / "data" / f"{session}.parquet"


def _session(run: RunDir, name: str, resume: bool | None) -> tuple[str, bool]:
    """The session to play, and whether it goes on: the last one while it is unfinished, else a new one."""
    numbers = (p.name.removeprefix(f"{name}-") for p in run.journal.glob(f"{name}-*"))
    last = max((int(n) for n in numbers if n.isdigit()), default=None)
    unfinished = last is not None and not _row(run, f"{name}-{last}").exists()
    if resume and not unfinished:
        raise InputError(f"--resume: {run} has no unfinished session {name}; leave it out to begin one")
    if unfinished and resume is not False:
        return f"{name}-{last}", True
    return f"{name}-{0 if last is None else last + 1}", False


def _terminal(family: Family, seat: str) -> Terminal:
    other = family.partner if seat != family.partner else family.learner
    return Terminal(Console(highlight=False, soft_wrap=not sys.stdout.isatty()), seat, other)


@contextmanager
def _interruptible() -> Generator[None]:
    """Ctrl-C ends a wait for the keyboard at once; asyncio's own handler would let that end first."""
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


async def _played(sitting: Sitting, terminal: Terminal, journal: Journal, servers: Engines) -> Record:
    recipe, entry, scenario, seat = sitting.recipe, sitting.entry, sitting.scenario, sitting.seat
    async with Connections() as connections:
        models = Models(connections, servers.roles, servers.embedder)
        calls = DialogueCalls(journal, scenario.dialogue_id, {**models.usage, seat: Usage()})
        others = models.services(calls, 0)
        chat = {**others.chat, seat: JournalledChat(seat, terminal, {}, calls)}
        services = replace(others, chat=chat)
        watch = Watch(tuple(f for f in recipe.filters if isinstance(f, Detector)), recipe.remakes)
        dialogue = await play(entry.family, sitting.speakers, scenario, services, watch=watch)
        dialogue = _left(dialogue, entry.family, seat)
        verdict = judge(dialogue, recipe.filters, calls.prompts)
        return Record(
            dialogue=dialogue,
            recipe=recipe.name,
            rewards=(await rewarded(dialogue, recipe.rewards, services))[0] if verdict.keep else (),
            selection=None if verdict.keep else Selection(keep=False, reason=verdict.reason),
        )


def _left(dialogue: Dialogue, family: Family, seat: str) -> Dialogue:
    """Who quits has closed the dialogue; that is no fault."""
    if dialogue.ending.detail != LEFT:
        return dialogue
    side = "closed_by_partner" if seat == family.partner else "closed_by_learner"
    ending = Ending(reason=side, by=seat, detail=LEFT)
    outcome = family.outcome(dialogue.scenario, dialogue.turns, ending)
    return dialogue.model_copy(update={"ending": ending, "outcome": outcome})


def _write(path: Path, record: Record) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path.parent}: {error.strerror}; choose another --out or mend its permissions") from None
    write_table(path, pa.Table.from_pylist([to_row(record)], schema=SCHEMA))


def _tell(terminal: Terminal, record: Record, path: Path, run: RunDir) -> None:
    dialogue = record.dialogue
    terminal.rest(dialogue)
    detail = f" ({dialogue.ending.detail})" if dialogue.ending.detail else ""
    terminal.say(f"\nThe dialogue has ended: {dialogue.ending.reason}{detail}.", "bold")
    if dialogue.outcome.get("success") is not None:
        terminal.say(f"Success: {'yes' if dialogue.outcome['success'] else 'no'}.")
    if record.selection is not None:
        terminal.say(f"A run would drop it: {record.selection.reason}.")
    terminal.say(f"Wrote {path}. With its labels: overture view {run}", "dim")
