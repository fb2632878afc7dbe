"""A worker: one event loop that plays dialogues from as many open shards as its limit needs, judges them, rewards
them, and spools their rows; whoever owns it commits the shards it tells of (`pipelines.commit`).

`python -m pipelines.worker JOB.json` prints one JSON line an event. `stop` on stdin ends it after the calls in flight
are dropped (what was answered is journalled); the end of stdin ends it at once. It imports no Prefect, torch,
scikit-learn or datasets.
"""

import asyncio
import gc
import logging
import os
import resource
import sys
import threading
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import ConfigDict, Field

from filters.prompt_leak import prompt_leak
from generators.play import Watch, play
from inference.client import Connections
from inference.transport import PATIENCE
from pipelines.admission import Admission
from pipelines.branching import Branches
from pipelines.journal import Journal
from pipelines.lag import Lag
from pipelines.loop import new_loop
from pipelines.recipe import Recipe
from pipelines.scenarios import group
from pipelines.services import DialogueCalls, Models, Prompt, RoleModel
from pipelines.shards import Shard, Spool
from pipelines.steered import AS_FITTED, Steering
from schemas.chat import EndpointSpec
from schemas.contracts import Detector, Filter, GroupReward, Reward, Services
from schemas.dialogue import Dialogue
from schemas.errors import OvertureError
from schemas.judgement import RewardValue, Selection, Verdict
from schemas.record import Record
from schemas.scenario import Scenario, Value

PROGRESS_S = 0.5
SWITCH_S = 0.0005
"""How long a busy event loop may keep the journal's writer from its turn: answers wait for it. Python's own is 5 ms."""
YOUNG_OBJECTS = 25_000
"""New objects, more than were freed, from which garbage is looked for. A dialogue leaves none in cycles, a failed call
a few; Python's own 700 stops a loop of 512 calls for 10 to 40 ms, again and again.
"""
METRICS_S = 1.0
"""What a server's first metrics are waited for, before dialogues start."""


class Job(Value):
    """Everything a worker needs, as JSON: no object crosses the process boundary."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str
    """Of the worker: its journal file."""
    recipe: Recipe
    """As `Recipe.for_worker` makes it."""
    fingerprint: str
    """Of generation."""
    shards: tuple[Shard, ...]
    steering: dict[str, Steering] = Field(default_factory=dict)
    """By family; none: as fitted."""
    roles: dict[str, RoleModel]
    embedder: EndpointSpec
    journal: Path
    folder: Path
    """Of the shards."""
    number: int = 0
    workers: int = 1
    """That play this round and share the servers; this is number `number` of them."""
    patience_s: float = PATIENCE.faults_s
    """How long a server may fail before it is given up."""
    stall_s: float | None = None
    """How long one attempt may be silent; None: as long as an answer may take."""


@dataclass(slots=True)
class Progress:
    """Of this life of the worker."""

    dialogues: int = 0
    valid: int = 0
    turns: int = 0


class Worker:
    def __init__(self, job: Job, journal: Journal, connections: Connections):
        self._job = job
        self._journal = journal
        self._connections = connections
        self._models = Models(connections, job.roles, job.embedder)
        pools = self._models.pools(entry.speakers for entry in job.recipe.families)
        self._admission = Admission(job.recipe.concurrency, pools, job.workers)
        detectors = tuple(f for f in job.recipe.filters if isinstance(f, Detector))
        self._watch = Watch(detectors, job.recipe.remakes)
        self._open: dict[Shard, Spool] = {}
        self._groups: dict[str, list[Record]] = {}
        """What is there of groups that are not whole yet."""
        self._branches: dict[str, list[Record]] = {}
        """Of their dialogues."""
        self.progress = Progress()

    async def run(self, stop: asyncio.Event) -> None:
        """Plays every shard; on `stop` gives back what it has of the open ones."""
        async with _cancelled_by(stop), asyncio.TaskGroup() as tasks:
            await self._connections.watch(METRICS_S)
            for order, (shard, scenario) in enumerate(self._scenarios()):
                await self._admission.enter()
                tasks.create_task(self._dialogue(shard, scenario, order))
        for shard in list(self._open):
            self._close(shard)

    def _scenarios(self) -> Iterator[tuple[Shard, Scenario]]:
        for shard in self._job.shards:
            if (done := shard.path(self._job.folder)).exists():  # by an earlier life of this worker
                tell({"found": str(done)})
                continue
            entry = self._job.recipe.families[shard.position]
            self._open[shard] = Spool(shard, self._job.folder)
            steering = self._job.steering.get(entry.name, AS_FITTED)
            for index in range(shard.start, shard.stop):
                for scenario in group(entry, index, self._job.recipe.seed, self._job.fingerprint, steering):
                    yield shard, scenario

    async def _dialogue(self, shard: Shard, scenario: Scenario, order: int) -> None:
        entry = self._job.recipe.families[shard.position]
        models = self._models
        calls = DialogueCalls(self._journal, scenario.dialogue_id, models.usage, labels=models.labels)
        try:
            services = models.services(calls, order)
            dialogue = await play(entry.family, entry.cast(scenario.policy), scenario, services, watch=self._watch)
            branches = Branches(entry, dialogue, self._watch, calls, lambda c: models.services(c, order))
            record = await self._judged(branches, shard)
        finally:
            self._admission.leave(models.held(calls))
        self._count(record)
        group = self._groups.setdefault(scenario.group_id, [])
        group.append(record)
        beside = self._branches.setdefault(scenario.group_id, [])
        beside += branches.records(record.recipe, record.round)
        if len(group) < entry.siblings:
            return
        spool = self._open[shard]
        for whole in compared(self._groups.pop(scenario.group_id), self._job.recipe.rewards):
            spool.add(whole)
        for branch in self._branches.pop(scenario.group_id):
            spool.add(branch)
        if spool.rows == (shard.stop - shard.start) * entry.siblings:
            self._close(shard)

    def _close(self, shard: Shard) -> None:
        self._open.pop(shard).close()
        tell({"spooled": shard.name})

    def told(self) -> dict[str, Any]:
        """Counts so far: of dialogues, by role, by endpoint."""
        return {
            "progress": {**asdict(self.progress), "live": self._admission.live},
            **self._models.told(),
            "endpoints": self._connections.told(),
        }

    def _count(self, record: Record) -> None:
        self.progress.dialogues += 1
        self.progress.valid += record.selection is None
        self.progress.turns += len(record.dialogue.turns)

    async def _judged(self, branches: Branches, shard: Shard) -> Record:
        dialogue, calls = branches.dialogue, branches.calls
        verdict, rewards = judge(dialogue, self._job.recipe.filters, calls.prompts), tuple[RewardValue, ...]()
        if verdict.keep:
            rewards, verdict = await rewarded(dialogue, self._job.recipe.rewards, branches.offered(), calls)
        return Record(
            dialogue=dialogue,
            recipe=self._job.recipe.name,
            round=shard.round,
            rewards=rewards,
            selection=None if verdict.keep else Selection(keep=False, reason=verdict.reason),
        )


def judge(dialogue: Dialogue, filters: Iterable[Filter], prompts: Iterable[Prompt] = ()) -> Verdict:
    """The first verdict that drops, else keep; of a dialogue that the detectors among the filters have watched."""
    for prompt in prompts:
        leak = prompt_leak(dialogue, prompt.role, prompt.turn, prompt.messages)
        if not leak.keep:
            return leak
    for filter_ in filters:
        verdict = filter_.judge_labelled(dialogue) if isinstance(filter_, Detector) else filter_.judge(dialogue)
        if not verdict.keep:
            return verdict.model_copy(update={"by": filter_.import_path()})
    return Verdict(keep=True)


async def rewarded(
    dialogue: Dialogue, rewards: Iterable[Reward], services: Services, calls: DialogueCalls | None = None
) -> tuple[tuple[RewardValue, ...], Verdict]:
    """All values, and the first verdict on them that drops, else keep. `calls`: those behind the services, counted by
    reward.
    """
    values, verdict = list[RewardValue](), Verdict(keep=True)
    for stage in rewards:
        if calls is not None:
            calls.reward = stage.label
        found = await stage.annotate(dialogue, services)
        values += found
        if verdict.keep and not (said := stage.verdict(found)).keep:
            verdict = said.model_copy(update={"by": stage.import_path()})
    return tuple(values), verdict


def compared(group: Iterable[Record], rewards: Iterable[Reward]) -> list[Record]:
    """The dialogues of a group by sibling, the valid ones with what they are worth beside one another."""
    records = sorted(group, key=lambda record: record.dialogue.scenario.sibling)
    valid = [record for record in records if record.selection is None]
    values = [stage.compare(valid) for stage in rewards if isinstance(stage, GroupReward)]
    beside = {r.dialogue.id: found for r, *found in zip(valid, *values, strict=True)}
    return [r.model_copy(update={"rewards": (*r.rewards, *beside.get(r.dialogue.id, ()))}) for r in records]


@asynccontextmanager
async def _cancelled_by(stop: asyncio.Event) -> AsyncGenerator[None]:
    """Cancels the block when `stop` is set, and swallows that cancellation alone."""
    block = asyncio.current_task()
    assert block is not None

    async def watch() -> None:
        await stop.wait()
        block.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        block.uncancel()
    finally:
        watcher.cancel()


def tell(event: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(event) + b"\n")
    sys.stdout.buffer.flush()


def peak_mb() -> float:
    """The most memory this process has held. `ru_maxrss` would count the owner it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _report(worker: Worker) -> None:
    while True:
        tell(worker.told())
        await asyncio.sleep(PROGRESS_S)


def _listen(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """`stop` on stdin stops; its end means that the owner is gone, however it went."""
    for line in sys.stdin:
        if line.strip() == "stop":
            loop.call_soon_threadsafe(stop.set)
    os._exit(1)


async def work(job: Job) -> None:
    stop = asyncio.Event()
    threading.Thread(target=_listen, args=(asyncio.get_running_loop(), stop), daemon=True).start()
    with Journal(job.journal, job.name, job.fingerprint) as journal:
        patience = replace(PATIENCE, faults_s=job.patience_s, first_byte_s=job.stall_s or PATIENCE.first_byte_s)
        async with Connections(patience, job.number, job.workers) as connections, Lag() as lag:
            worker = Worker(job, journal, connections)
            reporting = asyncio.create_task(_report(worker))
            try:
                await worker.run(stop)
            finally:
                reporting.cancel()
            tell(worker.told())
            tell({"end": {"peak_mb": peak_mb(), "lag_p99_ms": lag.quantile_ms(0.99)}})


def first_error(error: BaseException) -> BaseException:
    """The first of ours in a group of errors, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    flat = [first_error(e) for e in error.exceptions]
    return next((e for e in flat if isinstance(e, OvertureError)), flat[0])


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")  # stderr: the worker's log
    job = Job.model_validate_json(Path(sys.argv[1]).read_bytes())
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what is imported stays: no collection need look at it again
    gc.set_threshold(YOUNG_OBJECTS, 1, 1)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(work(job))
    except BaseException as error:
        found = first_error(error)
        tell({"error": {"kind": type(found).__name__, "message": str(found), "ours": isinstance(found, OvertureError)}})
        if not isinstance(found, OvertureError):
            raise
        sys.exit(found.exit_code)


if __name__ == "__main__":
    main()
