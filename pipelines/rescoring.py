"""`overture score`: dialogues that lie there labelled with rewards, without playing anything again.

Every answer a reward needs is journalled where the dialogues lie, a run's beside those it was played with: rewards are
recomputed from the journal, and only what is not in it, a new reward or a changed grader's questions, is asked. Then
the rows are written, file by file, each whole or not at all.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
from rich.console import Console

from generators.play import Watch
from outputs.files import write_text
from outputs.manifest import read_manifest
from outputs.parquet import part_writer
from outputs.store import read_dialogue_tables, read_records
from pipelines import measure
from pipelines.accounts import Ledger
from pipelines.branching import Branches
from pipelines.dialogue_files import read_dialogues
from pipelines.display import Display, Say, teller
from pipelines.engines import Engines, engines
from pipelines.fingerprints import reward_fingerprint
from pipelines.journal import Journal
from pipelines.pool import Counts
from pipelines.publishing import present, rows_of
from pipelines.recipe import Recipe, dump_yaml
from pipelines.recipe_families import FamilyEntry
from pipelines.replaying import Asked, NotAsked, Replay
from pipelines.reward_choice import chosen, limits
from pipelines.rundir import RunDir
from pipelines.worker import compared, first_error, rewarded
from schemas.contracts import Detector, GroupReward, Reward, Verdict
from schemas.dialogue import Dialogue
from schemas.errors import InputError, OvertureError
from schemas.identity import derive, stable_hash
from schemas.judgement import RewardValue
from schemas.record import Record, from_row, to_row
from schemas.table import SCHEMA

OUT = Console(highlight=False, markup=False, soft_wrap=True)
BATCH = 256
AT_A_TIME = 20_000
"""Dialogues whose groups are compared in one pass."""
_REWARDS = SCHEMA.get_field_index("rewards")


@dataclass(frozen=True, slots=True)
class Order:
    path: Path
    out: Path | None = None
    """None: a run is labelled in place, other dialogues go to scored.parquet."""
    rewards: str | None = None
    """A recipe, or import paths with commas between them; None: a run's own, else the default ones."""
    graders: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    rewards: tuple[Reward, ...]
    recipe: Recipe | None
    """Whose models are asked; None: no model is."""
    place: RunDir | None
    """Of the journal; None without models."""
    fingerprint: str
    """Of the journal."""
    records: Callable[[], Iterator[Record]]
    plays: tuple[FamilyEntry, ...] = ()
    """Families whose dialogues can be played on."""

    def replay(self, stack: ExitStack) -> Replay:
        """From what the journal holds now."""
        if self.recipe is None or self.place is None:
            return Replay(None, None)
        journal = stack.enter_context(Journal(self.place.journal, "score", self.fingerprint))
        return Replay(self.recipe, journal)

    async def rewarded(
        self, dialogue: Dialogue, source: Replay | Asked, order: int = 0
    ) -> tuple[tuple[RewardValue, ...], Verdict]:
        """The values, and what they say of it. It can be played on where the recipe plays its family as the run did."""
        calls = source.calls(dialogue.id)
        entry = next((e for e in self.plays if e.name == dialogue.scenario.family), None)
        if calls is None or entry is None or self.recipe is None:
            return await rewarded(dialogue, self.rewards, source.services(calls, order), calls)
        watch = Watch(tuple(f for f in self.recipe.filters if isinstance(f, Detector)), self.recipe.remakes)
        branches = Branches(entry, dialogue, watch, calls, lambda c: source.services(c, order))
        return await rewarded(dialogue, self.rewards, branches.offered(), calls)

    def valid(self) -> Iterator[Record]:
        return (r for r in self.records() if is_valid(r))


class Tally:
    """What became of the rewards."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.missing: dict[str, Counter[str]] = {}
        self.dropped: Counter[str] = Counter()
        """Verdicts of rewards against dialogues that are published."""

    def add(self, values: Iterable[RewardValue]) -> None:
        for value in values:
            self.values[value.name] += value.value is not None
            if value.value is None:
                self.missing.setdefault(value.name, Counter())[value.reason or "unknown"] += 1

    def tell(self) -> None:
        for name in sorted(self.values):
            lost = self.missing.get(name, Counter[str]())
            share = 100 * lost.total() / (lost.total() + self.values[name])
            reasons = ", ".join(f"{n} {reason}" for reason, n in lost.most_common())
            OUT.print(f"{self.values[name]:6d} {name}" + (f"; missing {share:.0f}%: {reasons}" if lost else ""))
        for what, n in self.dropped.most_common():
            OUT.print(f"{n} published dialogues would be dropped by {what}; selection is left as it is")


def is_valid(record: Record) -> bool:
    """Whether no filter has dropped it: such a dialogue has no rewards."""
    return record.selection is None or record.selection.keep or bool(record.rewards)


def score(order: Order) -> int:
    run = RunDir(order.path)
    return _score_run(order, run) if run.started and order.out is None else _score_file(order)


def _score_run(order: Order, run: RunDir) -> int:
    """In place: data, rejected, manifest, report and card."""
    manifest = read_manifest(run.manifest)
    wanted = chosen(order.rewards, order.graders, order.sets, run)
    recipe = wanted.recipe
    if recipe is None:  # a run has one
        raise OvertureError(f"{run}: a run without a recipe; please report this")
    files = sorted(p for folder in ("data", "rejected") for p in (run.path / folder).glob("*.parquet"))
    if not files:
        raise InputError(f"{run}: holds no dialogues; resume the run first")
    with run.lock():
        plays = tuple(entry for entry in recipe.families if entry in run.read_config().families)
        generation = manifest.fingerprints["generation"]
        work = Work(wanted.rewards, recipe, run, generation, lambda: read_records(files), plays)
        ledger = Ledger(run.path / "spent.json", datetime.now(UTC))
        asked = _answered(work, lambda counts: ledger.note(counts, now=True))
        tokens, spent = ledger.spent(recipe, sum(manifest.published.values()))
        write_text(run.scored, dump_yaml(recipe))
        tally = asyncio.run(_rewrite(work, files))
        found = measure.gather(rows_of(run))
        rewards = tuple(s for n in sorted(found) for s in measure.reward_summaries(n, found[n], manifest.seed))
        known: Mapping[str, object] = {
            "rewards": rewards,
            "none_rewards": measure.none_rewards(found),
            "fingerprints": {**manifest.fingerprints, "rewards": reward_fingerprint(recipe)},
            "limits": limits(wanted.rewards),
            "tokens": tokens,
            "spent": spent,
        }
        present(run, manifest.model_copy(update=known))
    tally.tell()
    OUT.print(f"{asked} answers were asked for. Labelled {run} anew")
    return 0


def _score_file(order: Order) -> int:
    out = order.out or Path("scored.parquet")
    wanted = chosen(order.rewards, order.graders, order.sets, None)
    place = None if wanted.recipe is None else RunDir(out.with_name(f"{out.stem}-scoring"))
    work = Work(wanted.rewards, wanted.recipe, place, stable_hash("score"), lambda: read_dialogues(order.path))
    with ExitStack() as stack:
        if place is not None:
            stack.enter_context(place.lock())
        asked = _answered(work)
        tally = asyncio.run(_write(work, out))
    tally.tell()
    OUT.print(f"{f'{asked} answers were asked for. ' if place else ''}Wrote {out}")
    return 0


def _answered(work: Work, note: Callable[[Counts], None] = lambda counts: None) -> int:
    """Asks for everything the rewards need that is in no journal, and notes what was asked; how many answers came."""
    asked = Counts()
    progress = Console(stderr=True)
    before: Mapping[str, str] = {}
    roles = set[str]()  # those asked before stay: who plays on asks them in turn
    while missing := asyncio.run(_missing(work)):
        if work.recipe is None or work.place is None or missing == before:
            raise OvertureError(f"{next(iter(missing))}: its answers do not come back from the journal; please report")
        before = missing
        roles |= {*missing.values()}
        recipe = work.recipe.model_copy(update={"roles": {r: m for r, m in work.recipe.roles.items() if r in roles}})
        with ExitStack() as stack:
            with Display(recipe, progress) as display:
                servers = stack.enter_context(engines(recipe, work.place.logs, display))
            say = teller("asking", progress, stack)
            try:
                asyncio.run(_ask(work, servers, missing, say, asked))
            finally:
                note(asked)
    return int(asked.total("calls"))


async def _missing(work: Work) -> dict[str, str]:
    """The dialogues whose rewards need an answer that is in no journal, and the first role that was not asked."""
    found: dict[str, str] = {}
    if work.recipe is None:
        return found
    with ExitStack() as stack:
        replay = work.replay(stack)
        for record in work.valid():
            try:
                await work.rewarded(record.dialogue, replay)
            except NotAsked as lacking:
                found[record.dialogue.id] = lacking.role
    return found


async def _ask(work: Work, servers: Engines, missing: Mapping[str, str], say: Say, sums: Counts) -> None:
    """Journals what these dialogues lack, and adds it to the sums. As many at once as a worker has live."""
    with ExitStack() as stack:
        replay = work.replay(stack)
        limit = asyncio.Semaphore(work.recipe.concurrency if work.recipe else 1)
        async with Asked(replay, servers.roles, servers.embedder) as asked:
            done = 0

            async def one(record: Record, order: int) -> None:
                nonlocal done
                try:
                    await work.rewarded(record.dialogue, asked, order)
                except NotAsked:
                    pass  # of a role that comes next
                finally:
                    limit.release()
                done += 1
                if done * 10 // len(missing) != (done - 1) * 10 // len(missing):
                    say(f"asking: {done} of {len(missing)} dialogues")

            try:
                async with asyncio.TaskGroup() as tasks:
                    for order, record in enumerate(r for r in work.valid() if r.dialogue.id in missing):
                        await limit.acquire()
                        tasks.create_task(one(record, order))
            except BaseExceptionGroup as several:
                raise first_error(several) from None
            finally:
                sums.add(asked.counts)


async def _labelled(work: Work, replay: Replay, record: Record, tally: Tally | None = None) -> Record:
    """With the rewards it has by itself."""
    values, verdict = await work.rewarded(record.dialogue, replay)
    if tally is not None and not verdict.keep and (record.selection is None or record.selection.keep):
        tally.dropped[f"{verdict.by} ({verdict.reason})"] += 1
    return record.model_copy(update={"rewards": values})


async def _beside(work: Work, replay: Replay) -> dict[str, bytes]:
    """Dialogue -> the rewards it has beside its siblings, as JSON: small, for there may be a million."""
    if not any(isinstance(reward, GroupReward) for reward in work.rewards):
        return {}
    found: dict[str, bytes] = {}
    passes = 1 + sum(1 for _ in work.valid()) // AT_A_TIME
    for n in range(passes):
        groups: dict[str, list[Record]] = {}
        for record in work.valid():
            if derive(0, record.dialogue.scenario.group_id) % passes == n:
                labelled = await _labelled(work, replay, record.model_copy(update={"selection": None}))
                groups.setdefault(record.dialogue.scenario.group_id, []).append(labelled)
        for group in groups.values():
            own = {record.dialogue.id: len(record.rewards) for record in group}
            for record in compared(group, work.rewards):
                values = record.rewards[own[record.dialogue.id] :]
                found[record.dialogue.id] = orjson.dumps([value.model_dump(mode="json") for value in values])
    return found


def _whole(record: Record, beside: Mapping[str, bytes]) -> Record:
    more = (RewardValue.model_validate(v) for v in orjson.loads(beside.get(record.dialogue.id, b"[]")))
    return record.model_copy(update={"rewards": (*record.rewards, *more)})


async def _rewrite(work: Work, files: Iterable[Path]) -> Tally:
    """Every file anew, with all its rows and none of their columns changed but `rewards`."""
    tally = Tally()
    with ExitStack() as stack:
        replay = work.replay(stack)
        beside = await _beside(work, replay)
        for path in files:
            with part_writer(path, SCHEMA) as writer:
                for table in read_dialogue_tables(path):
                    records = [from_row(row) for row in table.to_pylist()]
                    labelled = [
                        _whole(await _labelled(work, replay, r, tally), beside) if is_valid(r) else r for r in records
                    ]
                    rows = pa.array([to_row(r)["rewards"] for r in labelled], SCHEMA.field(_REWARDS).type)
                    writer.add(table.set_column(_REWARDS, SCHEMA.field(_REWARDS), rows))
                    for record in labelled:
                        if record.selection is None or record.selection.keep:
                            tally.add(record.rewards)
    return tally


async def _write(work: Work, out: Path) -> Tally:
    tally = Tally()
    with ExitStack() as stack:
        replay = work.replay(stack)
        beside = await _beside(work, replay)
        with part_writer(out, SCHEMA) as writer:
            records = work.records()
            while batch := list(islice(records, BATCH)):
                labelled = [
                    _whole(await _labelled(work, replay, r, tally), beside) if is_valid(r) else r for r in batch
                ]
                writer.add(pa.Table.from_pylist([to_row(r) for r in labelled], schema=SCHEMA))
                for record in labelled:
                    tally.add(record.rewards)
    return tally
