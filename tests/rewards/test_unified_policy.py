"""Asking, offering and when as one decision: rewards by hand, and the return to go from its parts."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import Embedder, case, played
from talks import talk

from generators.domains.recommendation import Domain
from generators.families.flawed import Flawed
from generators.families.recommendation import Recommendation
from rewards.unified_policy import PAYS, UnifiedPolicy
from schemas.contracts import Services
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Fact, Policy, Verifier, View

SERVICES = Services(chat={}, embed=Embedder())
COUNT = Fact(id="count", holder="user", slot="the count", value="3", text="There are 3.")
TWELVE = Verifier(kind="number", answer="12")
seeds = st.integers(0, 100_000)
policies: st.SearchStrategy[Policy] = st.sampled_from(["reactive", "proactive", "privileged"])


def problem(*turns: Turn, ending: str = "goal_reached", verifier: Verifier | None = TWELVE) -> Dialogue:
    views = [View(role="user", brief="", facts=(COUNT,)), View(role="assistant", brief="")]
    posed = Turn(role="user", text="How much is it?")
    return talk(posed, *turns, views=views, verifier=verifier, ending=Ending(reason=ending))


async def values(dialogue: Dialogue, gamma: float = 0.999) -> list[RewardValue]:
    found = await UnifiedPolicy(gamma=gamma).annotate(dialogue, SERVICES)
    assert found == [RewardValue.model_validate_json(v.model_dump_json()) for v in found]
    return found


def check_returns(found: Sequence[RewardValue]) -> None:
    """Exactly, from the stored parts."""
    to_go = 0.0
    for value in reversed(found):
        to_go = sum(value.parts["rewards"].values()) + value.parts["gamma"] * to_go
        assert value.value == to_go


ASK = Turn(role="assistant", text="How many?", facts_asked=("count",))
TOLD, NOT_TOLD = Turn(role="user", text="There are 3.", facts_disclosed=("count",)), Turn(role="user", text="No idea.")


def answer(text: str) -> Turn:
    return Turn(role="assistant", text=text, answer=text)


@pytest.mark.parametrize(
    ("turns", "ending", "earned"),
    [
        ((ASK, TOLD, answer("12")), "goal_reached", [["ask_success"], ["offer_success"]]),
        ((ASK, NOT_TOLD, answer("7")), "closed_by_learner", [["ask_fail"], ["offer_fail"]]),
        ((ASK, TOLD, ASK, TOLD), "max_turns", [["ask_success"], ["ask_fail", "out_of_turns"]]),
        ((ASK, NOT_TOLD), "gave_up", [["ask_fail", "out_of_turns"]]),
        ((Turn(role="assistant", text="It cannot be known."),), "closed_by_learner", [[]]),
    ],
    ids=["asks and is right", "guesses", "asks again", "is left", "stops"],
)
async def test_every_turn_earns_what_it_did(turns: Sequence[Turn], ending: str, earned: Sequence[Sequence[str]]):
    found = await values(problem(*turns, ending=ending))
    assert [list(v.parts["rewards"]) for v in found] == earned
    assert all(v.parts["rewards"][name] == PAYS[name] for v in found for name in v.parts["rewards"])
    check_returns(found)


async def test_the_return_to_go_by_hand():
    found = await values(problem(ASK, TOLD, answer("7"), NOT_TOLD, answer("12")), gamma=0.5)
    assert [v.value for v in found] == pytest.approx([0.01 + 0.5 * (-0.1 + 0.5 * 1), -0.1 + 0.5 * 1, 1.0])
    assert [v.parts["no_behaviour_policy_prob"] for v in found] == ["not_logged"] * 3
    assert [v.parts["no_candidates"] for v in found] == ["not_counted"] * 3


def offers(item: str) -> Turn:
    return Turn(role="assistant", text=f"Take {item}.", labels={"item": item, "candidates": 3, "entropy": 1.58})


@pytest.mark.parametrize(
    ("labels", "earned"),
    [
        ({"verdict": "Alien", "fits": True}, "offer_success"),
        ({"verdict": "Alien", "fits": False}, "offer_fail"),
        ({"verdict": "Psycho", "fits": True}, "offer_fail"),
        ({}, "offer_fail"),
    ],
)
async def test_a_recommendation_pays_when_it_is_taken_and_fits(labels: dict[str, Any], earned: str):
    dialogue = problem(offers("Alien"), Turn(role="user", text="Ok.", labels=labels), verifier=None)
    (found,) = await values(dialogue)
    assert list(found.parts["rewards"]) == [earned]


async def test_who_asks_about_it_first_and_then_takes_it_has_taken_it():
    explains = Turn(role="assistant", text="It is scary.", labels={"candidates": 3})
    taken = Turn(role="user", text="Ok.", labels={"verdict": "Alien", "fits": True})
    turns = (offers("Alien"), Turn(role="user", text="What is it like?"), explains, taken)
    found = await values(problem(*turns, verifier=None))
    assert [list(v.parts["rewards"]) for v in found] == [["offer_success"], []]


@pytest.mark.parametrize(
    ("dialogue", "reason"),
    [
        (problem(ASK, TOLD, verifier=None), "nothing_to_offer"),
        (problem(), "no_learner_turns"),
        (problem(ASK, TOLD, ending="fault"), "fault"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
async def test_where_nothing_can_be_said_there_is_a_reason(dialogue: Dialogue, reason: str):
    assert [(v.value, v.reason) for v in await values(dialogue)] == [(None, reason)]


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(get_args(Domain)), policies, st.sampled_from([0.5, 0.999, 1.0]))
async def test_of_a_choice_returns_follow_from_parts_and_success_is_one_offer_that_paid(
    seed: int, domain: Domain, policy: Policy, gamma: float
):
    family = Recommendation(domain=domain)
    dialogue, _ = await played(family, case(family, seed, policy))
    found = await values(dialogue, gamma)
    check_returns(found)
    assert sum("offer_success" in v.parts["rewards"] for v in found) == dialogue.outcome["fits"]
    for value in found:
        turn = dialogue.turns[value.turn or 0]
        assert value.parts["action"] == turn.labels["action_taken"]
        assert 0 < value.parts["behaviour_policy_prob"] <= 1
        before, after = value.parts["candidates_before"], value.parts["candidates_after"]
        assert before == turn.labels["candidates"] and (after is None or after <= before)
        assert ("no_candidates_after" in value.parts) == (after is None)


@settings(max_examples=15, deadline=None)
@given(seeds, policies, st.integers(0, 1))
async def test_of_a_problem_the_right_answer_is_the_offer_that_paid(seed: int, policy: Policy, variant: int):
    family = Flawed()
    dialogue, _ = await played(family, family.vary(case(family, seed, policy), variant))
    found = await values(dialogue)
    check_returns(found)
    assert any("offer_success" in v.parts["rewards"] for v in found) == dialogue.outcome["final_correct"]
