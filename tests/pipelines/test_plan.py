"""How much a round plays."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.plan import next_plan, shards_of
from pipelines.recipe import Recipe
from pipelines.rundir import Plan

TUTORING = {"use": "generators.families.tutoring.Tutoring"}
CONVERSATION = {"use": "generators.families.conversation.Conversation", "reference": None}


def recipe(**changes: Any) -> Recipe:
    model = {"use": "remote", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
    data = {"name": "r", "families": [TUTORING, CONVERSATION], "models": {"default": model}, "embedder": model}
    return Recipe.model_validate({"target": 40, "oversample": 1.25, **data, **changes})


def test_the_first_round_plays_the_quotas_times_the_oversampling():
    assert next_plan(recipe(), 0, {}, {}, {}) == Plan(round=0, groups={"tutoring": (0, 13), "conversation": (0, 13)})


def test_a_later_round_plays_what_is_wanted_at_the_rate_at_which_dialogues_were_kept():
    found = next_plan(
        recipe(),
        1,
        accepted={"tutoring": 10, "conversation": 20},
        made={"tutoring": 20, "conversation": 26},
        played={"tutoring": 10, "conversation": 13},
    )
    assert found == Plan(round=1, groups={"tutoring": (10, 20), "conversation": (13, 13)})  # 5 groups at one in two


def test_a_round_stays_bounded_when_hardly_anything_is_valid():
    made, played = {"tutoring": 26, "conversation": 26}, {"tutoring": 13, "conversation": 13}
    found = next_plan(recipe(), 1, {"tutoring": 0, "conversation": 20}, made, played)
    assert found is not None and found.groups["tutoring"] == (13, 13 + 10 * 5)


def test_nothing_is_planned_once_everything_is_accepted():
    assert next_plan(recipe(), 1, {"tutoring": 20, "conversation": 20}, {}, {}) is None


def test_families_take_turns_for_a_budget_of_dialogues():
    found = next_plan(recipe(budget={"dialogues": 10}), 0, {}, {}, {})
    assert found is not None and found.groups == {"tutoring": (0, 3), "conversation": (0, 2)}


def test_what_is_left_of_a_budget_goes_to_the_family_that_still_wants():
    played = {"tutoring": 3, "conversation": 2}
    found = next_plan(recipe(budget={"dialogues": 16}), 1, {"conversation": 20}, {}, played)
    assert found is not None and found.groups == {"tutoring": (3, 6), "conversation": (2, 2)}


def test_a_spent_budget_or_one_smaller_than_a_group_plans_nothing():
    assert next_plan(recipe(budget={"dialogues": 10}), 1, {}, {}, {"tutoring": 3, "conversation": 2}) is None
    assert next_plan(recipe(budget={"dialogues": 1}), 0, {}, {}, {}) is None


@given(st.integers(1, 60), st.integers(0, 40), st.integers(0, 40), st.one_of(st.none(), st.integers(1, 200)))
def test_a_plan_continues_where_the_last_ended_and_keeps_to_the_budget(
    units: int, tutoring: int, conversation: int, budget: int | None
):
    wanted = recipe(target=4 * units, budget={"dialogues": budget})
    played = {"tutoring": tutoring, "conversation": conversation}
    found = next_plan(wanted, 1, {}, {}, played)
    left = None if budget is None else budget - 2 * (tutoring + conversation)
    if found is None:
        assert left is not None and left < 2
        return
    assert {name: start for name, (start, _) in found.groups.items()} == played
    planned = 2 * sum(stop - start for start, stop in found.groups.values())
    assert planned >= 2 and (left is None or planned <= left)


@given(st.integers(1, 30), st.integers(0, 50), st.integers(0, 50))
def test_shards_cover_every_group_of_a_plan_once(shard_size: int, first: int, count: int):
    wanted = recipe(shard_size=shard_size)
    plan = Plan(round=2, groups={"tutoring": (first, first + count), "conversation": (0, 3)})
    shards = shards_of(wanted, plan)
    covered = [(s.position, i) for s in shards for i in range(s.start, s.stop)]
    assert covered == [(0, i) for i in range(first, first + count)] + [(1, i) for i in range(3)]
    assert all((s.stop - s.start) * 2 <= max(2, shard_size) and s.round == 2 for s in shards)
