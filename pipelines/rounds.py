"""After a round: what it brought, and what the next one draws more often."""

from collections.abc import Mapping, Sequence

from outputs.manifest import Moved, Round
from pipelines.plan import Standing
from pipelines.recipe import Recipe
from pipelines.recipe_families import FamilyEntry
from pipelines.rundir import Outcome, Plan
from pipelines.selection import Pool
from pipelines.steered import AS_FITTED, Steering
from pipelines.steering import Cell, Steered, steer
from schemas.identity import derive


def outcome(recipe: Recipe, pool: Pool, plan: Plan, earlier: Sequence[Outcome]) -> Outcome:
    """Of the round whose last plan this was; `earlier`: of those before."""
    rounds, steered = list[Round](), dict[str, Steered]()
    for entry in recipe.families:
        rounds.append(_round(entry, pool, earlier))
        found, last = pool.matched.get(entry.name), plan.steering.get(entry.name, AS_FITTED)
        if found is not None and (moved := steer(found.seen, last, derive(recipe.seed, "steer"), recipe.drift)):
            steered[entry.name] = moved
    return Outcome(
        rounds=tuple(rounds),
        made=dict(pool.made),
        feasible=tuple(found.feasible for _, found in sorted(pool.matched.items())),
        moved=tuple(_moved(name, cell) for name, s in sorted(steered.items()) for cell in s.cells),
        divergence={name: round(s.divergence, 4) for name, s in sorted(steered.items())},
        uncontrolled={name: s.uncontrolled for name, s in sorted(steered.items()) if s.uncontrolled},
        steering={name: s.steering for name, s in sorted(steered.items()) if not s.steering.idle},
    )


def standing(found: Outcome | None) -> Mapping[str, Standing]:
    """By family, what a plan follows from."""
    if found is None:
        return {}
    matched = {row.family for row in found.feasible}
    return {
        row.family: Standing(
            found.made.get(row.family, 0),
            row.accepted,
            row.matched if row.family in matched else None,
            row.acceptance,
        )
        for row in found.rounds
    }


def next_steering(found: Outcome | None) -> Mapping[str, Steering]:
    return found.steering if found else {}


def _round(entry: FamilyEntry, pool: Pool, earlier: Sequence[Outcome]) -> Round:
    family, found = entry.name, pool.matched.get(entry.name)
    before = [row for o in earlier for row in o.rounds if row.family == family]
    made = pool.made[family] - sum(row.made for row in before)
    accepted = pool.accepted[family]
    matched = min(found.feasible.joint, found.feasible.effective) if found else accepted
    gained = matched - (before[-1].matched if before else 0)
    return Round(
        number=len(earlier) + 1,
        family=family,
        groups=made // entry.siblings,
        made=made,
        valid=pool.valid[family] - sum(row.valid for row in before),
        matched=matched,
        accepted=accepted,
        acceptance=round(gained / made, 4) if made else None,
    )


def _moved(family: str, cell: Cell) -> Moved:
    head, _, label = cell.feature.partition("=")
    return Moved(
        family=family,
        latent=cell.latent,
        value=cell.value,
        fitted=round(cell.fitted, 4),
        drawn=round(cell.drawn, 4),
        detected=cell.effect,
        status=cell.status,
        head=head,
        label=label,
    )
