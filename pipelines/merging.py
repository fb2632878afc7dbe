"""`overture merge`: runs joined into one directory. No id is there twice, and every dialogue keeps its split.

Counts, sources and costs are added up; licences follow from all sources together. What a run measured against real
dialogues holds for its own rows and cannot be added up: it is listed run by run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from outputs.licences import Source, terms
from outputs.manifest import Feasible, HeadMarginal, Manifest, Measure, SelectionReward
from outputs.publish import Published, TwoRows, split_of
from outputs.spent import EndpointUse, Spent, Tokens
from outputs.store import read_batches, read_dialogue_tables
from pipelines.derived import Given, claim, given, write
from schemas.errors import DataError, InputError
from schemas.table import SCHEMA

Figure = TypeVar("Figure", Measure, HeadMarginal, Feasible, SelectionReward)
OUT = Console(highlight=False, markup=False, soft_wrap=True)


def merge(paths: Sequence[Path], out: Path) -> int:
    if len({path.resolve() for path in paths}) < 2:
        raise InputError("merge: give two runs or more, each once, as overture merge runs/a runs/b --out runs/both")
    runs = given(paths)
    for run in runs:
        _check_splits(run)
    command = f"overture merge {' '.join(str(p) for p in paths)} --out {out}"
    claim(out, command, runs)
    try:
        done = write(
            out,
            (file for run in runs for file in run.files()),
            sum(run.manifest.target for run in runs),
            lambda published: joined(runs, published, out.name, command),
        )
    except TwoRows as error:
        raise _clash(runs, error.dialogue_id) from None
    rows = sum(sum(run.manifest.published.values()) for run in runs)
    twice = f"; {rows - done.accepted} were in several runs and count once" if rows > done.accepted else ""
    OUT.print(f"{done.accepted} dialogues of {len(runs)} runs{twice}. Wrote {out}")
    return 0


_place = lru_cache(maxsize=100_000)(split_of)


def _check_splits(run: Given) -> None:
    """Splits follow from the base case alone, so runs agree; rows that another program has split do not."""
    for file in run.files():
        for batch in read_batches(file, 4096, ("dialogue_id", "base_case_id", "split")):
            for name, base, split in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if split != _place(base):
                    raise DataError(
                        f"{file}: dialogue {name} is in split '{split}', its base case '{base}' belongs to "
                        f"'{_place(base)}'; publish the run with this Overture first"
                    )


def _clash(runs: Iterable[Given], dialogue_id: str) -> DataError:
    """What to say of an id with two rows."""
    rows = [
        (run.name, row)
        for run in runs
        for file in run.files()
        for table in read_dialogue_tables(file)
        if dialogue_id in table["dialogue_id"].to_pylist()
        for row in table.to_pylist()
        if row["dialogue_id"] == dialogue_id
    ]
    name, first = rows[0]
    other, second = next((n, row) for n, row in rows if row != first)
    columns = ", ".join(column for column in SCHEMA.names if first[column] != second[column])
    return DataError(
        f"dialogue {dialogue_id}: {name} and {other} hold different rows of it (they differ in {columns}); leave one "
        "of the runs out, overture diff shows how they differ"
    )


def joined(runs: Sequence[Given], published: Published, name: str, command: str) -> Manifest:
    manifests = [run.manifest for run in runs]
    first = manifests[0]
    own = [Source(name=run.name, kind="other", licence=run.manifest.licence) for run in runs]
    short = [f"{run.name}: {run.manifest.status_reason}" for run in runs if run.manifest.status != "complete"]
    timed = sorted({phase for m in manifests for phase in m.seconds})
    asked = sorted({role for m in manifests for role in m.tokens})
    return Manifest(
        recipe=name,
        command=command,
        status="short" if short else "complete",
        status_reason="; ".join(short),
        target=sum(m.target for m in manifests) if short else published.accepted,
        seed=first.seed,
        families=tuple(sorted({family for m in manifests for family in m.families})),
        realism=_by_run(runs, lambda m: m.realism),
        heads=_by_run(runs, lambda m: m.heads),
        feasible=_by_run(runs, lambda m: m.feasible),
        selection_reward=_by_run(runs, lambda m: m.selection_reward),
        fingerprints=_told({run.name: run.manifest.fingerprints for run in runs}),
        versions=_told({run.name: run.manifest.versions for run in runs}),
        sources=tuple(dict.fromkeys(source for m in manifests for source in m.sources)),
        licence=terms(own, first.licence).licence,
        limits=(*dict.fromkeys(limit for m in manifests for limit in m.limits), *_limits(runs)),
        seconds={phase: sum(m.seconds.get(phase, 0.0) for m in manifests) for phase in timed},
        tokens={role: _tokens([m.tokens[role] for m in manifests if role in m.tokens]) for role in asked},
        spent=_spent([m.spent for m in manifests], published.accepted),
        started=min(m.started for m in manifests),
        finished=max(m.finished for m in manifests),
    )


def _limits(runs: Sequence[Given]) -> Iterator[str]:
    names = ", ".join(f"{run.name} ({run.manifest.accepted})" for run in runs)
    yield f"Joined from {names}; the manifest of each, with its rounds and steering, is in origin/."
    if _shared_families(runs):
        yield "Realism, label shares and matching are of single runs (named behind the family), not of all together."
    if others := [run.name for run in runs if run.manifest.seed != runs[0].manifest.seed]:
        yield f"The seed is that of {runs[0].name}; {', '.join(others)} had another."


def _shared_families(runs: Sequence[Given]) -> set[str]:
    """Those that several runs have figures of."""
    each = [family for run in runs for family in set(run.manifest.families)]
    return {family for family in each if each.count(family) > 1}


def _by_run(runs: Sequence[Given], of: Callable[[Manifest], Iterable[Figure]]) -> tuple[Figure, ...]:
    """Figures of single runs; the run stands behind the family where several runs have it."""
    shared = _shared_families(runs)
    return tuple(
        f.model_copy(update={"family": f"{f.family} ({run.name})"}) if f.family in shared else f
        for run in runs
        for f in of(run.manifest)
    )


def _told(of_runs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """One value where all runs have the same, else one a run."""
    told: dict[str, str] = {}
    for key in sorted({key for values in of_runs.values() for key in values}):
        values = {name: found[key] for name, found in of_runs.items() if key in found}
        if len(values) == len(of_runs) and len(set(values.values())) == 1:
            told[key] = next(iter(values.values()))
        else:
            told |= {f"{key} ({name})": value for name, value in values.items()}
    return told


def _tokens(several: Sequence[Tokens]) -> Tokens:
    costs = [t.cost for t in several if t.cost is not None]
    return Tokens(
        prompt=sum(t.prompt for t in several),
        completion=sum(t.completion for t in several),
        cached=sum(t.cached for t in several),
        calls=sum(t.calls for t in several),
        replayed=sum(t.replayed for t in several),
        seconds=sum(t.seconds for t in several),
        cost=sum(costs) if len(costs) == len(several) else None,
    )


def _spent(several: Sequence[Spent], accepted: int) -> Spent:
    tokens = _tokens([s.tokens for s in several])
    names = sorted({name for s in several for name in s.labels})
    addresses = sorted({name for s in several for name in s.endpoints})
    return Spent(
        invocations=sum(s.invocations for s in several),
        tokens=tokens,
        tokens_an_accepted=(tokens.prompt + tokens.completion) / accepted if accepted else None,
        cost_an_accepted=None if tokens.cost is None or not accepted else tokens.cost / accepted,
        labels={name: _tokens([s.labels[name] for s in several if name in s.labels]) for name in names},
        endpoints={name: _use([s.endpoints[name] for s in several if name in s.endpoints]) for name in addresses},
        worker_peak_mb=max((s.worker_peak_mb for s in several if s.worker_peak_mb is not None), default=None),
        loop_lag_p99_ms=max((s.loop_lag_p99_ms for s in several if s.loop_lag_p99_ms is not None), default=None),
    )


def _use(several: Sequence[EndpointUse]) -> EndpointUse:
    kinds = sorted({kind for use in several for kind in use.faults})
    timed = [use for use in several if use.mean_s is not None]
    answered = sum(use.answered for use in timed)
    return EndpointUse(
        sent=sum(use.sent for use in several),
        answered=sum(use.answered for use in several),
        faults={kind: sum(use.faults.get(kind, 0) for use in several) for kind in kinds},
        retries=sum(use.retries for use in several),
        cancelled=sum(use.cancelled for use in several),
        set_aside=sum(use.set_aside for use in several),
        mean_s=sum(use.answered * (use.mean_s or 0.0) for use in timed) / answered if answered else None,
    )
