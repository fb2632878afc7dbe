"""How much a round plays: enough for what is still wanted, judged by what earlier rounds kept."""

from collections.abc import Mapping
from math import ceil

from pipelines.recipe import Recipe
from pipelines.rundir import Plan
from pipelines.shards import Shard, cut

LEAST_KEPT = 0.2
"""Share of dialogues taken to be kept when fewer were: a round stays bounded when hardly anything is valid."""


def next_plan(
    recipe: Recipe, number: int, accepted: Mapping[str, int], made: Mapping[str, int], played: Mapping[str, int]
) -> Plan | None:
    """None when nothing is wanted or the budget of dialogues is spent.

    By family: `accepted` and `made` dialogues, `played` group indices.
    """
    groups: dict[str, tuple[int, int]] = {}
    wanted = recipe.quotas()
    left = _budget_left(recipe, played)
    for entry in recipe.families:
        deficit = max(0, wanted[entry.name] - accepted.get(entry.name, 0))
        kept = accepted.get(entry.name, 0) / made[entry.name] if made.get(entry.name) else 1 / recipe.oversample
        count = ceil(deficit / entry.siblings / max(LEAST_KEPT, min(kept, 1 / recipe.oversample)))
        start = played.get(entry.name, 0)
        groups[entry.name] = (start, start + count)
    if left is not None:
        groups = _within(recipe, groups, left)
    return Plan(round=number, groups=groups) if any(stop > start for start, stop in groups.values()) else None


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
