"""Rewards from the mind of somebody who is asked for something: telescoping, terminal states, the same optimum."""

from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import Embedder, case, obeys, played
from talks import talk

from generators.domains.outreach import load
from generators.families.outreach import Outreach
from generators.latents import cognition
from generators.latents.appraisal import appraise
from generators.latents.mind import State, Traits
from rewards.state_transition import StateTransition, potential
from schemas.contracts import Services
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Policy

SERVICES = Services(chat={}, embed=Embedder())
DOMAINS = ("charity", "camping", "volunteers")
seeds = st.integers(0, 100_000)
gammas = st.sampled_from([0.5, 0.7, 0.99, 0.999, 1.0])
policies: st.SearchStrategy[Policy] = st.sampled_from(["reactive", "proactive", "privileged"])


def any_state(draws: Random) -> dict[str, Any]:
    names = ("real", "how", "later")[: draws.randint(0, 3)]
    return State(
        cooperation=draws.randint(0, 4),
        emotion=draws.randint(0, 3),
        trust=draws.randint(0, 5),
        concerns={name: draws.choice(("hidden", "hinted", "voiced", "resolved")) for name in names},
        severity={name: draws.randint(1, 3) for name in names},
        patience=draws.randint(0, 5),
    ).model_dump(mode="json")


def persuasion(start: dict[str, Any], states: Sequence[dict[str, Any]], ending: str = "max_turns") -> Dialogue:
    """A message of the assistant for each state, a reply after each."""
    turns = [Turn(role=role, text="hm", state=s) for s in states for role in ("assistant", "user")]
    dialogue = talk(*turns, ending=Ending(reason=ending))
    return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"plan": {"state": start}})})


async def rewards(dialogue: Dialogue, gamma: float = 1.0) -> tuple[list[RewardValue], RewardValue]:
    """Of the turns, of the dialogue."""
    values = await StateTransition(gamma=gamma).annotate(dialogue, SERVICES)
    assert values == [RewardValue.model_validate_json(v.model_dump_json()) for v in values]
    *turns, whole = values
    assert {(v.name, v.scope) for v in turns} <= {("state_transition", "turn")}
    assert (whole.name, whole.scope) == ("state_gain", "dialogue")
    return turns, whole


def check_shaping(turns: Sequence[RewardValue], start: float) -> None:
    """The identity holds exactly in the stored parts, and each value is made of them."""
    gamma = Fraction(turns[0].parts["gamma"])
    shaping = [gamma * Fraction(v.parts["phi_next"]) - Fraction(v.parts["phi"]) for v in turns]
    assert sum(gamma**k * f for k, f in enumerate(shaping)) == -Fraction(start)
    assert turns[-1].parts["phi_next"] == 0.0
    for value, exact in zip(turns, shaping, strict=True):
        assert value.parts["shaping"] == pytest.approx(float(exact), abs=1e-15)
        assert value.value == value.parts["terminal"] + value.parts["shaping"]


@given(seeds, st.integers(1, 8), gammas, st.sampled_from(["goal_reached", "gave_up", "max_turns", "closed_by_learner"]))
async def test_the_shaping_telescopes_to_what_was_there_at_first(seed: int, length: int, gamma: float, ending: str):
    draws = Random(seed)
    start = any_state(draws)
    turns, _ = await rewards(persuasion(start, [any_state(draws) for _ in range(length)], ending), gamma)
    assert len(turns) == length
    check_shaping(turns, potential(start))


@given(seeds, st.lists(st.integers(1, 6), min_size=2, max_size=2), gammas)
async def test_two_policies_differ_by_what_they_reach_and_by_nothing_else(seed: int, lengths: list[int], gamma: float):
    """Whatever states they pass through: so the better one stays the better one."""
    draws = Random(seed)
    start = any_state(draws)
    shaped, plain = list[float](), list[float]()
    for length in lengths:
        states = [any_state(draws) for _ in range(length)]
        if draws.random() < 0.5:
            states[-1]["decision"] = "accept"
        turns, _ = await rewards(persuasion(start, states), gamma)
        shaped.append(sum(gamma**k * (v.value or 0.0) for k, v in enumerate(turns)))
        plain.append(sum(gamma**k * v.parts["terminal"] for k, v in enumerate(turns)))
    assert shaped[0] - shaped[1] == pytest.approx(plain[0] - plain[1], abs=1e-9)
    assert shaped[0] == pytest.approx(plain[0] - potential(start), abs=1e-9)


@given(seeds)
def test_the_potential_is_the_familys_own_and_lies_between_0_and_1(seed: int):
    state = any_state(Random(seed))
    assert potential(state) == pytest.approx(cognition.potential(State.model_validate(state)), abs=1e-12)
    assert 0 <= potential(state) <= 1


async def test_one_turn_by_hand():
    start = any_state(Random(0)) | {"cooperation": 2, "emotion": 2, "trust": 2, "patience": 4}
    start |= {"concerns": {"real": "voiced", "how": "hidden"}, "severity": {"real": 3, "how": 1}}
    settled = start | {"cooperation": 3, "trust": 3, "concerns": {"real": "resolved", "how": "hidden"}}
    accepted = settled | {"decision": "accept"}
    turns, whole = await rewards(persuasion(start, [settled, accepted], "goal_reached"))
    before = (2 / 4 + 2 / 3 + 2 / 5 + 0) / 4
    after = (3 / 4 + 2 / 3 + 3 / 5 + 3 / 4) / 4
    assert [v.value for v in turns] == pytest.approx([after - before, 1 - after])
    assert [v.turn for v in turns] == [0, 2] and [v.parts["terminal"] for v in turns] == [0.0, 1.0]
    assert turns[0].parts["resolved"] == ["real"] and turns[1].parts["resolved"] == []
    assert turns[0].parts["delta_state"] == {"cooperation": 1, "emotion": 0, "trust": 1, "patience": 0}
    assert whole.value == pytest.approx((1 / 4 + 0 + 1 / 5) / 3)


async def test_without_a_state_or_after_a_fault_there_is_a_reason():
    state = any_state(Random(1))
    for dialogue, reason in (
        (talk(("assistant", "hi"), ("user", "hi")), "no_state"),
        (persuasion(state, [state], "fault"), "fault"),
        (persuasion(state, []), "no_learner_turns"),
    ):
        found = await StateTransition().annotate(dialogue, SERVICES)
        assert [(v.name, v.value, v.reason) for v in found] == [
            ("state_transition", None, reason),
            ("state_gain", None, reason),
        ]


@settings(max_examples=20, deadline=None)
@given(seeds, policies, st.sampled_from(DOMAINS), gammas)
async def test_played_dialogues_telescope_and_reach_1_where_somebody_accepts(
    seed: int, policy: Policy, domain: Any, gamma: float
):
    family = Outreach(domain=domain)
    dialogue, _ = await played(family, case(family, seed, policy), obeys)
    turns, whole = await rewards(dialogue, gamma)
    check_shaping(turns, potential(dialogue.scenario.plan["state"]))
    assert sum(v.parts["terminal"] for v in turns) == float(dialogue.outcome["success"])
    assert (whole.parts["phi_start"], whole.parts["phi_end"]) == pytest.approx(
        (dialogue.outcome["phi_start"], dialogue.outcome["phi_end"]), abs=1e-4
    )
    resolved = [name for v in turns for name in v.parts["resolved"]]
    assert sorted(resolved) == sorted(dialogue.outcome["resolved"])


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("status", ["hidden", "hinted", "voiced"])
async def test_stating_a_concern_without_addressing_it_never_resolves_it(domain: Any, status: Any):
    """In any of the words that the domain has for it, by the family's own updater."""
    data = load(domain)
    known = frozenset(answer.id for concern in data.concerns.values() for answer in concern.answers)
    for name, concern in data.concerns.items():
        before = State(
            cooperation=2, emotion=2, trust=2, concerns={name: status}, severity={name: 3}, patience=4, heard=1
        )
        for words in (f"{concern.ask}?", concern.about, *concern.voiced, *concern.hinted):
            seen = appraise(f"So you worry: {words}", data, before, known, [])
            after = cognition.apply(before, cognition.propose(before, seen, Traits()))
            dialogue = persuasion(before.model_dump(mode="json"), [after.model_dump(mode="json")] * 2)
            turns, _ = await rewards(dialogue)
            assert turns[0].parts["resolved"] == [] and after.concerns[name] == status, words
