"""How much a round plays."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.plan import Standing, lead_plan, next_plan, shards_of
from pipelines.recipe import Recipe
from pipelines.rundir import Plan
from pipelines.steered import Steering

TUTORING = {"use": "generators.families.tutoring.Tutoring"}
CONVERSATION = {"use": "generators.families.conversation.Conversation", "reference": None}


def recipe(**changes: Any) -> Recipe:
    model = {"use": "remote", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
    data = {"name": "r", "families": [TUTORING, CONVERSATION], "models": {"default": model}, "embedder": model}
    return Recipe.model_validate({"target": 40, "oversample": 1.25, **data, **changes})


def test_the_first_round_plays_the_quotas_times_the_oversampling():
    assert next_plan(recipe(), 0, {}, {}) == Plan(round=0, groups={"tutoring": (0, 13), "conversation": (0, 13)})


def test_a_later_round_plays_what_is_wanted_at_the_rate_at_which_dialogues_were_kept():
    found = next_plan(
        recipe(),
        1,
        {"tutoring": Standing(20, 10), "conversation": Standing(26, 20)},
        played={"tutoring": 10, "conversation": 13},
    )
    assert found == Plan(round=1, groups={"tutoring": (10, 20), "conversation": (13, 13)})  # 5 groups at one in two


def test_a_round_stays_bounded_when_hardly_anything_is_valid():
    played = {"tutoring": 13, "conversation": 13}
    found = next_plan(recipe(), 1, {"tutoring": Standing(26, 0), "conversation": Standing(26, 20)}, played)
    assert found is not None and found.groups["tutoring"] == (13, 13 + 10 * 5)


def test_nothing_is_planned_once_everything_is_accepted():
    assert next_plan(recipe(), 1, {"tutoring": Standing(26, 20), "conversation": Standing(26, 20)}, {}) is None


def test_families_take_turns_for_a_budget_of_dialogues():
    found = next_plan(recipe(budget={"dialogues": 10}), 0, {}, {})
    assert found is not None and found.groups == {"tutoring": (0, 3), "conversation": (0, 2)}


def test_what_is_left_of_a_budget_goes_to_the_family_that_still_wants():
    played = {"tutoring": 3, "conversation": 2}
    found = next_plan(recipe(budget={"dialogues": 16}), 1, {"conversation": Standing(26, 20)}, played)
    assert found is not None and found.groups == {"tutoring": (3, 6), "conversation": (2, 2)}


def test_a_spent_budget_or_one_smaller_than_a_group_plans_nothing():
    assert next_plan(recipe(budget={"dialogues": 10}), 1, {}, {"tutoring": 3, "conversation": 2}) is None
    assert next_plan(recipe(budget={"dialogues": 1}), 0, {}, {}) is None


def steered(**changes: Any) -> Recipe:
    return recipe(target=4000, families=[CONVERSATION | {"reference": "pypi:chitchat-dataset"}], **changes)


def test_a_large_family_whose_latents_can_move_begins_with_a_pilot():
    assert next_plan(steered(), 0, {}, {}) == Plan(round=0, groups={"conversation": (0, 500)})
    for still in (steered(drift=0.0), steered(selectors=["filters.near_duplicate.NearDuplicate"])):
        assert next_plan(still, 0, {}, {}) == Plan(round=0, groups={"conversation": (0, 2500)})


def test_while_the_latents_move_a_round_is_twice_all_before_at_the_most():
    after_pilot = {"conversation": Standing(1000, 1000, 100, 0.1)}
    steering = {"conversation": Steering(traits={"casing": {"lower": 2.0}})}
    found = next_plan(steered(), 1, after_pilot, {"conversation": 500}, steering)
    assert found == Plan(round=1, groups={"conversation": (500, 1500)}, steering=steering)
    nearly = {"conversation": Standing(8000, 4000, 3900, 0.5)}
    last = next_plan(steered(), 2, nearly, {"conversation": 4000}, steering)
    assert last is not None and last.groups == {"conversation": (4000, 4100)}  # 50 groups at one in two


def test_rounds_that_bring_too_little_nearer_to_real_users_end():
    stuck = {"conversation": Standing(8000, 4000, 300, 0.02)}
    assert next_plan(steered(), 2, stuck, {"conversation": 4000}) is None
    short = {"conversation": Standing(4000, 3000, 300, 0.02)}  # of the dialogues themselves some are still wanted
    found = next_plan(steered(), 2, short, {"conversation": 2000})
    assert found is not None and found.groups == {"conversation": (2000, 2667)}


def test_what_is_wanted_whatever_a_selection_says_is_played_meanwhile():
    pilot = Plan(round=0, groups={"conversation": (0, 500)}, steering={"conversation": Steering()})
    lead = lead_plan(steered(), pilot, {"conversation": 900}, {"conversation": 500})
    assert lead == Plan(round=1, groups={"conversation": (500, 625)}, steering=pilot.steering, lead=True)
    assert lead_plan(steered(), pilot, {"conversation": 3980}, {"conversation": 500}) is None  # ten groups: too few
    rest = next_plan(steered(), 1, {"conversation": Standing(1000, 900, 100, 0.1)}, {"conversation": 625}, lead=lead)
    assert rest is not None and rest.groups == {"conversation": (625, 1500)}


@given(st.integers(1, 60), st.integers(0, 40), st.integers(0, 40), st.one_of(st.none(), st.integers(1, 200)))
def test_a_plan_continues_where_the_last_ended_and_keeps_to_the_budget(
    units: int, tutoring: int, conversation: int, budget: int | None
):
    wanted = recipe(target=4 * units, budget={"dialogues": budget})
    played = {"tutoring": tutoring, "conversation": conversation}
    found = next_plan(wanted, 1, {}, played)
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
