"""A run without Prefect: prepare, serve, play in rounds, select, publish. The flow in `dataset.py` makes each step a
task.
"""

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import chain
from typing import NamedTuple

import orjson

from inference.catalogue import WEIGHTS
from inference.weights import cache_folder, fetch
from outputs.card import write_card
from outputs.files import write_text
from outputs.manifest import FunnelStep, Manifest, Source, read_manifest, write_manifest
from outputs.publish import Published, publish
from outputs.report import write_report
from outputs.store import dialogue_files, read_records
from pipelines import measure
from pipelines.accounts import Ledger
from pipelines.engines import Engines, engines
from pipelines.events import Events
from pipelines.fingerprints import generation_fingerprint, reward_fingerprint, selection_fingerprint
from pipelines.plan import next_plan, shards_of
from pipelines.pool import Counts, play_all
from pipelines.recipe import Recipe
from pipelines.reference import Reference, load_reference
from pipelines.rundir import Plan, Resume, RunDir
from pipelines.selection import Pool, select
from pipelines.watching import Waiting, Watch
from pipelines.worker import Job
from schemas.errors import RunError
from schemas.record import Record

DIALOGUES_TO_READ = 12
PACKAGES = ("prefect", "pyarrow", "scikit-learn", "xllamacpp", "torch")


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
        self.pool = Pool()
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
        same = manifest.fingerprints == self.fingerprints and manifest.target == self.recipe.target
        return manifest if same and manifest.status == "complete" else None


class Result(NamedTuple):
    manifest: Manifest
    already: bool
    """The run had reached its target before."""
    counts: Counts
    play_s: float


def call(name: str, step: Callable[[], None]) -> None:
    """How a step is taken where nobody schedules it."""
    step()


def build(
    wanted: Recipe,
    run: RunDir,
    resume: Resume,
    command: str,
    watch: Watch,
    step: Callable[[str, Callable[[], None]], None] = call,
) -> Result:
    """The whole run. `step(name, do)` takes one coarse step; every step is idempotent and finds its input in the run
    directory.
    """
    clock = Clock()
    with ExitStack() as stack:
        stack.enter_context(run.lock())
        began = time.monotonic()
        state = prepare(wanted, run, resume, watch, clock)
        clock.phase("prepare", began)
        if (finished := state.finished()) is not None:
            return Result(finished, True, Counts(), 0.0)
        stack.enter_context(recorded(state))
        began = time.monotonic()
        servers = stack.enter_context(engines(state.recipe, run.logs, watch))
        clock.phase("start servers", began)
        number = 0
        while not state.stopped_by and (plan := plan_round(state, number)) is not None:
            step(f"play round {number + 1}", partial(play_round, state, plan, servers, watch))
            step(f"select after round {number + 1}", partial(select_pool, state, servers))
            number += 1
        step("publish", partial(publish_run, state, servers, command))
        manifest = read_manifest(run.manifest)
        state.events.tell("run_ended", status=manifest.status, accepted=manifest.accepted, target=manifest.target)
    return Result(manifest, False, state.counts, clock.seconds.get("play", 0.0))


@contextmanager
def recorded(state: State) -> Generator[None]:
    """The events of its beginning and, when the block fails, of its end."""
    recipe = state.recipe
    state.events.tell("run_started", recipe=recipe.name, target=recipe.target, generation=state.fingerprint)
    try:
        yield
    except BaseException as error:
        state.events.run_failed(error)
        raise


def prepare(recipe: Recipe, run: RunDir, resume: Resume, watch: Waiting, clock: Clock) -> State:
    """References, and whether what lies in the directory may be continued. Raises RunError,
    DataError.
    """
    references = {e.name: _reference(e.reference, watch) for e in recipe.families}
    if resume == "always" and not run.started:
        raise RunError(f"{run}: nothing to resume there; leave --resume out to start a run")
    if resume == "never" and run.started:
        raise RunError(f"{run}: holds a run already; give another --out, or leave out --resume never to continue it")
    fingerprint = generation_fingerprint(recipe)
    if run.started:
        before = generation_fingerprint(run.read_config())
        if before != fingerprint:
            raise RunError(
                f"{run}: holds a run of generation {before[:12]}, this recipe is {fingerprint[:12]}: families, "
                "speakers, models, sampling or seed differ; give another --out, or restore the recipe "
                "(config.resolved.yaml has the one that was run)"
            )
    run.write_config(recipe)
    return State(recipe, run, fingerprint, references, clock)


def _reference(spec: str | None, watch: Waiting) -> Reference | None:
    return (
        None
        if spec is None
        else load_reference(spec, cache_folder(), fetch=lambda name: fetch(name, watch.fetching).parent)
    )


def plan_round(state: State, number: int) -> Plan | None:
    """The journalled plan of a round, made and journalled now if there is none; None when nothing is left to play."""
    plans = state.run.read_plans()
    if number < len(plans):
        return plans[number]
    played = {
        e.name: max((p.groups[e.name][1] for p in plans if e.name in p.groups), default=0)
        for e in state.recipe.families
    }
    if number >= state.recipe.max_rounds + _rounds_of_smaller_targets(state, plans):
        state.stopped_by = state.stopped_by or f"max_rounds of {state.recipe.max_rounds}"
        return None
    plan = next_plan(state.recipe, number, state.pool.accepted, state.pool.made, played)
    if plan is not None:
        state.run.write_plan(plan)
    elif sum(state.pool.accepted.values()) < state.recipe.target:
        state.stopped_by = f"budget of {state.recipe.budget.dialogues} dialogues"
    return plan


def _rounds_of_smaller_targets(state: State, plans: Sequence[Plan]) -> int:
    """Rounds an earlier, finished run of this directory has used: a raised target gets its rounds anew."""
    return len(plans) if state.run.manifest.exists() else 0


def play_round(state: State, plan: Plan, servers: Engines, watch: Watch) -> None:
    """Plays what the round has not finished yet. Raises ServerError kinds when a server cannot be used."""
    siblings = {e.name: e.siblings for e in state.recipe.families}
    planned = sum((stop - start) * siblings[name] for name, (start, stop) in plan.groups.items())
    watch.round(plan.round, planned, sum(state.pool.accepted.values()))
    shards = [s for s in shards_of(state.recipe, plan) if not s.path(state.run.shards).exists()]
    if not shards or state.stopped_by:
        return
    state.events.round(plan.round, planned, sum(state.pool.accepted.values()))
    began = time.monotonic()
    workers = min(state.recipe.workers, len(shards))
    jobs = [
        Job(
            name=f"worker-{k:03d}",
            recipe=state.recipe.for_worker(),
            fingerprint=state.fingerprint,
            shards=tuple(shards[k::workers]),
            roles=servers.roles,
            embedder=servers.embedder,
            journal=state.run.journal,
            folder=state.run.shards,
            number=k,
            workers=workers,
        )
        for k in range(workers)
    ]
    latest = Counts()

    def seen(counts: Counts) -> None:
        nonlocal latest
        latest = counts
        state.ledger.note(state.counts, counts)
        state.events.counts(counts)
        watch.counts(counts)

    try:
        latest = play_all(jobs, state.run.logs, seen, lambda c: _spent(state, c), servers.check)
    finally:
        state.ledger.note(state.counts, latest, now=True)
    state.events.round_ended(latest)
    state.counts.add(latest)
    state.clock.phase("play", began)


def _spent(state: State, counts: Counts) -> bool:
    """Whether a budget ends the playing now; remembers which."""
    budget = state.recipe.budget
    tokens = counts.tokens + state.counts.tokens
    if budget.minutes is not None and state.clock.minutes() >= budget.minutes:
        state.stopped_by = f"budget of {budget.minutes:g} minutes"
    elif budget.tokens is not None and tokens >= budget.tokens:
        state.stopped_by = f"budget of {budget.tokens} tokens"
    return bool(state.stopped_by)


def select_pool(state: State, servers: Engines) -> None:
    """The selection over everything played so far."""
    began = time.monotonic()
    state.pool = select(state.recipe, state.run.shard_paths(), state.references, servers.embed())
    state.clock.phase("select", began)


def publish_run(state: State, servers: Engines, command: str) -> None:
    """`data/`, `rejected/`, manifest, metrics, report and card. Calling it again writes the same."""
    began = time.monotonic()
    run, recipe = state.run, state.recipe
    published = publish(run.shard_paths(), state.pool.decisions, run.path, recipe.target, recipe.name)
    found = measure.gather(_rows(run))
    manifest = _manifest(state, published, found, servers, command)
    state.clock.phase("publish", began)
    manifest = manifest.model_copy(update={"seconds": state.clock.seconds, "finished": datetime.now(UTC).isoformat()})
    to_read = _to_read(run)
    write_manifest(run.manifest, manifest)
    figures = {
        "realism": manifest.realism,
        "heads": manifest.heads,
        "rewards": manifest.rewards,
        "policies": manifest.policies,
    }
    named = {name: [v.model_dump(mode="json") for v in values] for name, values in figures.items()}
    write_text(run.metrics, orjson.dumps(named, option=orjson.OPT_INDENT_2).decode() + "\n")
    write_report(run.report, manifest, to_read)
    write_card(run.path, manifest, to_read[0] if to_read else None)


def _rows(run: RunDir) -> Iterable[Record]:
    return chain(
        read_records(sorted((run.path / "data").glob("*.parquet"))),
        read_records(sorted((run.path / "rejected").glob("*.parquet"))),
    )


def _to_read(run: RunDir) -> list[Record]:
    """The first dialogues by id (a hash, so a fair draw), families in turn."""
    by_family: dict[str, list[Record]] = {}
    for record in read_records(dialogue_files(run.path)) if any((run.path / "data").glob("*.parquet")) else ():
        rows = by_family.setdefault(record.dialogue.scenario.family, [])
        if len(rows) < DIALOGUES_TO_READ:
            rows.append(record)
    share = max(1, DIALOGUES_TO_READ // max(1, len(by_family)))
    return [r for name in sorted(by_family) for r in by_family[name][:share]]


def _manifest(
    state: State, published: Published, found: Mapping[str, measure.Gathered], servers: Engines, command: str
) -> Manifest:
    recipe = state.recipe
    embed = servers.embed()
    realism, heads = [], []
    for entry in recipe.families:
        measures, marginals = measure.realism(
            recipe.discriminators,
            entry.name,
            recipe.seed,
            found.get(entry.name, measure.Gathered()),
            state.references[entry.name],
            embed,
        )
        realism += measures
        heads += marginals
    tokens, spent = state.ledger.spent(recipe, published.accepted)
    short = published.accepted < recipe.target
    reason = f"{published.accepted} of {recipe.target} dialogues; ended by the {state.stopped_by or 'rounds allowed'}"
    return Manifest(
        recipe=recipe.name,
        command=command,
        status="short" if short else "complete",
        status_reason=reason if short else "",
        target=recipe.target,
        published=published.splits,
        seed=recipe.seed,
        families=tuple(e.name for e in recipe.families),
        funnel=tuple(_funnel(found)),
        realism=tuple(realism),
        heads=tuple(heads),
        rewards=tuple(s for name in sorted(found) for s in measure.reward_summaries(name, found[name], recipe.seed)),
        policies=tuple(measure.policy_pair(name, found[name], recipe.seed) for name in sorted(found)),
        faults=tuple(measure.fault_counts(found)),
        none_rewards=measure.none_rewards(found),
        fingerprints=state.fingerprints,
        versions={"overture": version("overture"), **{name: version(name) for name in PACKAGES}},
        sources=tuple(_sources(state)),
        seconds=state.clock.seconds,
        tokens=tokens,
        spent=spent,
        started=state.clock.started.isoformat(),
    )


def _funnel(found: Mapping[str, measure.Gathered]) -> Iterable[FunnelStep]:
    """Made -> published, over all, then by family and policy."""
    made = sum(sum(g.made.values()) for g in found.values())
    reasons: dict[str, int] = {}
    for gathered in found.values():
        for (_, reason), n in gathered.rejected.items():
            reasons[reason] = reasons.get(reason, 0) + n
    yield FunnelStep(name="made", count=made)
    yield FunnelStep(name="published", count=made - sum(reasons.values()), reasons=dict(sorted(reasons.items())))
    for family, gathered in sorted(found.items()):
        for policy in sorted(gathered.made):
            dropped = {r: n for (p, r), n in sorted(gathered.rejected.items()) if p == policy}
            yield FunnelStep(name="made", count=gathered.made[policy], family=family, policy=policy)
            yield FunnelStep(
                name="published", count=gathered.published[policy], reasons=dropped, family=family, policy=policy
            )


def _sources(state: State) -> Iterable[Source]:
    recipe = state.recipe
    for name in sorted(set(recipe.roles.values())):
        model = recipe.models[name]
        known = WEIGHTS.get(getattr(model, "weights", ""))
        yield Source(
            name=str(model.identity["model"]),
            kind="model",
            licence=known.licence if known else "see the model's card",
            use="speaks as " + ", ".join(sorted(r for r, m in recipe.roles.items() if m == name)),
        )
    known = WEIGHTS.get(getattr(recipe.embedder, "weights", ""))
    yield Source(
        name=str(recipe.embedder.identity["model"]),
        kind="embedder",
        licence=known.licence if known else "see the model's card",
        use="compares texts",
    )
    for spec in sorted({e.reference for e in recipe.families if e.reference is not None}):
        licences = {r.licence for r in state.references.values() if r is not None and r.spec == spec}
        licence = next((x for x in licences if x), None) or "see its source"
        yield Source(
            name=spec,
            kind="reference",
            licence=licence,
            use="statistics and comparison; no text of it is in the dataset",
        )
