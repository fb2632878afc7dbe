"""How much a round plays: enough for what is still wanted, judged by what earlier rounds kept."""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from pipelines.recipe import Recipe
from pipelines.recipe_families import FamilyEntry
from pipelines.rundir import Plan
from pipelines.shards import Shard, cut
from pipelines.steered import Steering
from schemas.contracts import Family

LEAST_KEPT = 0.2
"""Share of dialogues taken to be kept when fewer were: a round stays bounded when hardly anything is valid."""
PILOT_FROM = 400
"""Dialogues of a family from which its first round is a pilot: what the latents do is known before most are played."""
PILOT = 0.25
LEAST_GAIN = 0.1
"""Share of a round that must have come nearer to real users for another round to be played for their sake alone."""
GROWTH = 2.0
"""Times all that was played before, the most that is played at once while the latents still move."""
LEAD = 0.25
"""Of the round before: the most that is played while its selection runs."""
LEAST_LEAD = 16
"""Groups; for fewer no workers are started beside a selection."""


class Standing(NamedTuple):
    """A family after a selection, in dialogues."""

    made: int = 0
    kept: int = 0
    matched: int | None = None
    """Those that can be kept distributed as real users; None where nothing is matched."""
    newest: float | None = None
    """What the newest round added to `matched` (else to `kept`), over what it made."""


def next_plan(
    recipe: Recipe,
    number: int,
    standing: Mapping[str, Standing],
    played: Mapping[str, int],
    steering: Mapping[str, Steering] | None = None,
    lead: Plan | None = None,
) -> Plan | None:
    """None when nothing is wanted or the budget of dialogues is spent. `played`: group indices by family; `lead`: what
    of the round is played already.
    """
    groups: dict[str, tuple[int, int]] = {}
    wanted = recipe.quotas()
    for entry in recipe.families:
        start = played.get(entry.name, 0)
        count = _groups(recipe, entry, wanted[entry.name], standing.get(entry.name, Standing()), start)
        first, last = lead.groups.get(entry.name, (0, 0)) if lead else (0, 0)
        groups[entry.name] = (start, start + max(0, count - (last - first)))
    return _plan(recipe, Plan(round=number, groups=groups, steering=dict(steering or {})), played)


def _groups(recipe: Recipe, entry: FamilyEntry, wanted: int, at: Standing, played: int) -> int:
    if not at.made:
        pilot = wanted >= PILOT_FROM and steers(recipe, entry)
        return ceil(wanted * (PILOT if pilot else recipe.oversample) / entry.siblings)
    before = at.made / entry.siblings
    nearer = at.matched is not None and (before * entry.siblings < wanted or (at.newest or 0) >= LEAST_GAIN)
    reached = at.matched if nearer and at.matched is not None else at.kept
    rate = max(LEAST_KEPT, min(max(reached / at.made, at.newest or 0), 1 / recipe.oversample))
    count = ceil(max(0, wanted - reached) / entry.siblings / rate)
    return min(count, ceil(GROWTH * before)) if nearer else count


def steers(recipe: Recipe, entry: FamilyEntry) -> bool:
    """Whether selection can tell the next round whom to draw more often."""
    family = type(entry.family)
    moves = family.traits is not Family.traits or family.steerable
    matches = any(selector.matches for selector in recipe.selectors)
    return bool(moves and matches and recipe.drift > 0 and entry.reference is not None)


def lead_plan(recipe: Recipe, before: Plan, valid: Mapping[str, int], played: Mapping[str, int]) -> Plan | None:
    """What the next round plays whatever selection says, as the last one was drawn: so many are wanted still if every
    valid dialogue were kept. None where that is little.
    """
    groups: dict[str, tuple[int, int]] = {}
    wanted = recipe.quotas()
    for entry in recipe.families:
        first, last = before.groups.get(entry.name, (0, 0))
        start = played.get(entry.name, 0)
        certain = max(0, wanted[entry.name] - valid.get(entry.name, 0)) // entry.siblings
        groups[entry.name] = (start, start + min(certain, int(LEAD * (last - first))))
    if sum(stop - start for start, stop in groups.values()) < LEAST_LEAD:
        return None
    return _plan(recipe, Plan(round=before.round + 1, groups=groups, steering=before.steering, lead=True), played)


def _plan(recipe: Recipe, plan: Plan, played: Mapping[str, int]) -> Plan | None:
    left = _budget_left(recipe, played)
    if left is not None:
        plan = plan.model_copy(update={"groups": _within(recipe, plan.groups, left)})
    return plan if any(stop > start for start, stop in plan.groups.values()) else None


def _budget_left(recipe: Recipe, played: Mapping[str, int]) -> int | None:
    if recipe.budget.dialogues is None:
        return None
    return recipe.budget.dialogues - sum(played.get(e.name, 0) * e.siblings for e in recipe.families)


def _within(recipe: Recipe, groups: Mapping[str, tuple[int, int]], left: int) -> dict[str, tuple[int, int]]:
    """Families take turns, a group each, until the budget of dialogues is spent."""
    taken = {name: start for name, (start, _) in groups.items()}
    going = True
    while going:
        going = False
        for entry in recipe.families:
            if taken[entry.name] < groups[entry.name][1] and left >= entry.siblings:
                taken[entry.name] += 1
                left -= entry.siblings
                going = True
    return {name: (start, taken[name]) for name, (start, _) in groups.items()}


def shards_of(recipe: Recipe, plan: Plan) -> list[Shard]:
    return [
        shard
        for position, entry in enumerate(recipe.families)
        for shard in cut(
            position,
            *plan.groups.get(entry.name, (0, 0)),
            plan.round,
            max(1, recipe.shard_size // entry.siblings),
        )
    ]
