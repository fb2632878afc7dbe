"""The end of a run: `data/`, `rejected/`, views, manifest, metrics, report and card, from what lies in the run
directory.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain

import orjson

from outputs.card import configs_of, write_card
from outputs.croissant import write_croissant
from outputs.files import write_text
from outputs.manifest import FunnelStep, Manifest, write_manifest
from outputs.publish import Published, publish
from outputs.report import write_report
from outputs.store import dialogue_files, read_records
from outputs.views.written import write_views
from pipelines import measure
from pipelines.engines import Engines
from pipelines.reward_choice import limits
from pipelines.rundir import RunDir
from pipelines.sources import sources
from pipelines.state import State
from schemas.record import Record

DIALOGUES_TO_READ = 12
PACKAGES = ("prefect", "pyarrow", "scikit-learn", "xllamacpp", "torch")


def publish_run(state: State, servers: Engines, command: str) -> None:
    """`data/`, `rejected/`, views, manifest, metrics, report and card. Calling it again writes the same."""
    began = time.monotonic()
    run, recipe = state.run, state.recipe
    rows = [*run.shard_paths(), *run.branch_paths()]
    published = publish(rows, state.pool.decisions, run.path, recipe.target, recipe.name)
    found = measure.gather(rows_of(run))
    manifest = _manifest(state, published, found, servers, command)
    state.clock.phase("publish", began)
    manifest = manifest.model_copy(update={"seconds": state.clock.seconds, "finished": datetime.now(UTC).isoformat()})
    present(run, manifest)


def present(run: RunDir, manifest: Manifest) -> None:
    """Views, manifest, metrics, report, card and Croissant metadata, of what is published."""
    to_read = _to_read(run)
    manifest = manifest.model_copy(update={"views": write_views(run.path)})
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
    write_croissant(run.path, manifest, configs_of(run.path))


def rows_of(run: RunDir) -> Iterable[Record]:
    """Published and rejected ones."""
    return chain(
        read_records(sorted((run.path / "data").glob("*.parquet"))),
        read_records(sorted((run.path / "rejected").glob("*.parquet"))),
    )


def _to_read(run: RunDir) -> list[Record]:
    """The first dialogues by group id (a hash, so a fair draw), families in turn."""
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
    outcomes = state.run.read_outcomes()
    newest = outcomes[-1] if outcomes else None
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
        funnel=tuple(funnel(found)),
        realism=tuple(realism),
        heads=tuple(heads),
        feasible=tuple(found.feasible for _, found in sorted(state.pool.matched.items())),
        selection_reward=tuple(found.reward for _, found in sorted(state.pool.matched.items())),
        rounds=tuple(row for found in outcomes for row in found.rounds),
        moved=newest.moved if newest else (),
        divergence=newest.divergence if newest else {},
        divergence_bound=recipe.drift,
        uncontrolled=newest.uncontrolled if newest else {},
        rewards=tuple(s for name in sorted(found) for s in measure.reward_summaries(name, found[name], recipe.seed)),
        policies=tuple(measure.policy_pair(name, found[name], recipe.seed) for name in sorted(found)),
        faults=tuple(measure.fault_counts(found)),
        none_rewards=measure.none_rewards(found),
        limits=limits(recipe.rewards),
        fingerprints=state.fingerprints,
        versions={"overture": version("overture"), **{name: version(name) for name in PACKAGES}},
        sources=tuple(sources(recipe, state.references)),
        seconds=state.clock.seconds,
        tokens=tokens,
        spent=spent,
        started=state.clock.started.isoformat(),
    )


def funnel(found: Mapping[str, measure.Gathered]) -> Iterable[FunnelStep]:
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
