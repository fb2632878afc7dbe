"""A run without Prefect: prepare, serve, play in rounds, select, publish. The flow in `dataset.py` makes each step a
task.
"""

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

from inference.weights import cache_folder, fetch
from outputs.manifest import Manifest, read_manifest
from pipelines.beside import Beside
from pipelines.engines import Engines, engines
from pipelines.fingerprints import generation_fingerprint, reward_fingerprint
from pipelines.plan import lead_plan, next_plan, shards_of
from pipelines.pool import Counts, play_all
from pipelines.publishing import publish_run
from pipelines.recipe import Recipe
from pipelines.reference import Reference, load_reference
from pipelines.rounds import next_steering, outcome, standing
from pipelines.rundir import Plan, Resume, RunDir
from pipelines.selection import select, valid_dialogues
from pipelines.state import Clock, State
from pipelines.watching import Waiting, Watch
from pipelines.worker import Job
from schemas.errors import RunError


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
            if len(run.read_plans()) <= number + 1:  # else what it led to is decided
                step(f"select after round {number + 1}", partial(select_round, state, plan, servers, watch))
            number += 1
        if state.selected != run.shard_paths():  # played after the last selection, or selected by an earlier process
            step("select all", partial(select_pool, state, servers))
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
    state = State(recipe, run, fingerprint, references, clock)
    if not run.shard_paths() or reward_fingerprint(run.read_config()) == reward_fingerprint(recipe):
        run.write_config(recipe)
    elif state.finished() is None:  # else `overture score` has labelled it with just these
        raise RunError(
            f"{run}: what lies there was labelled with other rewards than this recipe's; label it with "
            f"`overture score {run.path} --rewards RECIPE` (nothing is played again, only what changed is asked), or "
            f"restore the rewards to go on ({run.config.name} has them)"
        )
    return state


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
    if number >= _rounds_allowed(state):
        state.stopped_by = state.stopped_by or f"max_rounds of {state.recipe.max_rounds}"
        return None
    newest = next(reversed(state.run.read_outcomes()), None)
    lead = state.run.read_leads().get(number)
    plan = next_plan(state.recipe, number, standing(newest), _played(state), next_steering(newest), lead)
    if plan is None and lead is not None:  # which was enough
        plan = lead.model_copy(update={"groups": {}, "lead": False})
    if plan is not None:
        state.run.write_plan(plan)
    elif newest is None or sum(row.accepted for row in newest.rounds) < state.recipe.target:
        state.stopped_by = f"budget of {state.recipe.budget.dialogues} dialogues"
    return plan


def _played(state: State) -> dict[str, int]:
    """Group indices by family that any plan has."""
    plans = [*state.run.read_plans(), *state.run.read_leads().values()]
    return {
        e.name: max((p.groups[e.name][1] for p in plans if e.name in p.groups), default=0)
        for e in state.recipe.families
    }


def _rounds_allowed(state: State) -> int:
    """A raised target gets its rounds anew: those of an earlier, finished run of this directory count not."""
    return state.recipe.max_rounds + (state.rounds_before if state.run.manifest.exists() else 0)


def play_round(state: State, plan: Plan, servers: Engines, watch: Watch) -> None:
    """Plays what the round has not finished yet. Raises ServerError kinds when a server cannot be used."""
    siblings = {e.name: e.siblings for e in state.recipe.families}
    planned = sum((stop - start) * siblings[name] for name, (start, stop) in plan.groups.items())
    newest = next(reversed(state.run.read_outcomes()), None)
    accepted = sum(row.accepted for row in newest.rounds) if newest else 0
    watch.round(plan.round, planned, accepted)
    shards = [s for s in shards_of(state.recipe, plan) if not s.path(state.run.shards).exists()]
    if not shards or state.stopped_by:
        return
    state.events.round(plan.round, planned, accepted)
    began = time.monotonic()
    workers = min(state.recipe.workers, len(shards))
    jobs = [
        Job(
            name=f"worker-{k:03d}",
            recipe=state.recipe.for_worker(),
            fingerprint=state.fingerprint,
            shards=tuple(shards[k::workers]),
            steering=plan.steering,
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


def select_round(state: State, plan: Plan, servers: Engines, watch: Watch) -> None:
    """The selection over the rounds so far, and what follows from it for the next; what that plays in any case is
    played meanwhile.
    """
    lead = _lead(state, plan)
    selecting = Beside(partial(select_pool, state, servers, plan.round))
    if lead is not None:
        play_round(state, lead, servers, watch)
    selecting.join()
    found = outcome(state.recipe, state.pool, plan, state.run.read_outcomes()[: plan.round])
    state.run.write_outcome(plan.round, found)
    told = found.model_dump(mode="json", include={"rounds", "divergence", "uncontrolled"})
    state.events.tell("round_selected", **told)


def _lead(state: State, plan: Plan) -> Plan | None:
    """Journalled."""
    number = plan.round + 1
    lead = state.run.read_leads().get(number)
    if lead is None and not state.stopped_by and number < _rounds_allowed(state):
        valid = valid_dialogues(state.recipe, state.run.shard_paths(plan.round))
        lead = lead_plan(state.recipe, plan, valid, _played(state))
        if lead is not None:
            state.run.write_plan(lead)
    return lead


def select_pool(state: State, servers: Engines, through: int | None = None) -> None:
    """The selection over everything played so far, or in rounds up to `through`."""
    began = time.monotonic()
    shards = state.run.shard_paths(through)
    state.pool = select(state.recipe, shards, state.references, servers.embed())
    state.selected = shards
    state.clock.phase("select", began)
