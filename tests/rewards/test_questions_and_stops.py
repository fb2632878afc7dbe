"""What a question could find out, and whether to go on: truth tables by hand, and identities on played dialogues."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import Embedder, case, played
from talks import talk

from generators.domains.recommendation import Domain
from generators.families.flawed import Flawed
from generators.families.gradual import Gradual
from generators.families.outreach import Outreach
from generators.families.recommendation import Recommendation
from rewards.information_gain import InformationGain
from rewards.question_utility import QuestionUtility
from rewards.stop_decision import StopDecision
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Fact, Policy, Verifier, View

SERVICES = Services(chat={}, embed=Embedder())
TWELVE = Verifier(kind="number", answer="12")
seeds = st.integers(0, 100_000)
policies: st.SearchStrategy[Policy] = st.sampled_from(["reactive", "proactive", "privileged"])


def fact(name: str, **fields: Any) -> Fact:
    return Fact(id=name, holder="user", slot=f"the {name}", value="3", text=f"The {name} is 3.", **fields)


COUNT, PRICE = fact("count"), fact("price")
LATER, ASIDE = fact("later", disclose="volunteered"), fact("aside", required=False)


def brought(*turns: Turn, facts: Sequence[Fact] = (COUNT, PRICE), verifier: Verifier | None = TWELVE) -> Dialogue:
    views = [View(role="user", brief="", facts=tuple(facts)), View(role="assistant", brief="")]
    return talk(Turn(role="user", text="How much is it?"), *turns, views=views, verifier=verifier)


def asks(*about: str, **fields: Any) -> Turn:
    return Turn(role="assistant", text="What is that?", facts_asked=about, acts=("ask",), **fields)


def tells(*told: str, **labels: Any) -> Turn:
    return Turn(role="user", text="It is 3.", facts_disclosed=told, labels=labels)


def answers(text: str, correct: bool = False) -> Turn:
    return Turn(role="assistant", text=text, answer=text, answer_correct=correct)


def says(intent: str, **fields: Any) -> Turn:
    return Turn(role="assistant", text="Well.", intent_requested=intent, **fields)


async def values(reward: Reward, dialogue: Dialogue) -> list[RewardValue]:
    found = await reward.annotate(dialogue, SERVICES)
    assert all((v.value is None) == (v.reason is not None) for v in found)
    assert found == [RewardValue.model_validate_json(v.model_dump_json()) for v in found]
    return found


async def decisions(dialogue: Dialogue) -> list[RewardValue]:
    """Of the turns."""
    return [v for v in await values(StopDecision(), dialogue) if v.scope == "turn"]


@pytest.mark.parametrize(
    ("before", "asked", "value"),
    [
        ((), ("count",), 1.0),
        ((), ("aside",), 0.0),
        ((), (), 0.0),
        ((), ("count", "price"), 1.0),
        ((), ("aside", "price"), 0.5),
        ((tells("count"),), ("count",), 0.0),
        ((tells("count"),), ("price",), 1.0),
        ((tells("count", "price"),), ("price",), 0.0),
        ((asks("count"), tells(denied=["count"])), ("count",), 0.0),
        ((asks("count"), tells(denied=["count"])), ("price",), 1.0),
        ((asks("count"), tells()), ("count",), 1.0),
        ((asks("count"), tells(refuses=True)), ("count",), 0.0),
        ((tells(decided=True),), ("count",), 0.0),
    ],
    ids=str,
)
async def test_a_question_is_worth_what_is_wanted_and_may_still_come_out(
    before: Sequence[Turn], asked: Sequence[str], value: float
):
    found = await values(QuestionUtility(), brought(*before, asks(*asked), facts=(COUNT, PRICE, ASIDE)))
    assert found[-1].value == value


@pytest.mark.parametrize(
    ("asked", "value"), [(("count",), 0.25), (("price",), 1.0), (("count", "price"), 0.625), (("aside",), 0.0)]
)
async def test_where_items_are_counted_the_best_question_is_the_one_that_tells_most(asked: Sequence[str], value: float):
    bits = {"count": 0.5, "price": 2.0, "aside": 3.0}
    asking = asks(*asked, labels={"slot_bits": bits})
    (found,) = await values(QuestionUtility(), brought(asking, facts=(COUNT, PRICE, ASIDE), verifier=None))
    assert (found.value, found.parts["best"], found.parts["unit"]) == (value, 2.0, "bits")


async def test_a_greeting_is_no_question_and_without_any_there_is_a_reason():
    greeting = says("greet").model_copy(update={"text": "Hi! What would you like?"})
    assert [v.reason for v in await values(QuestionUtility(), brought(greeting, tells()))] == ["no_questions"]
    assert (await decisions(brought(greeting)))[0].reason == "no_decision"


OUT = tells("count", "price")
DENIED = (asks("count"), tells(denied=["count"]))


@pytest.mark.parametrize(
    ("before", "turn", "due", "value"),
    [
        ((), asks("count"), "continue", 1.0),
        ((), asks("aside"), "continue", 1.0),
        ((), answers("12", True), "continue", 0.0),
        ((), says("stop", acts=("stop",)), "continue", 0.0),
        ((), says("wait"), "continue", 1.0),
        ((), Turn(role="assistant", kind="silence"), "continue", 1.0),
        ((OUT,), answers("7"), "commit", 1.0),
        ((OUT,), asks("count"), "commit", 0.0),
        ((OUT,), says("stop"), "commit", 0.0),
        ((*DENIED,), asks("price"), "continue", 1.0),
        ((*DENIED, tells("price")), says("stop"), "stop", 1.0),
        ((*DENIED, tells("price")), answers("12", True), "stop", 0.0),
        ((*DENIED, tells("price")), asks("count"), "stop", 0.0),
        ((asks("count"), tells(refuses=True)), answers("12", True), "commit", 1.0),
        ((asks("count"), tells(refuses=True)), asks("count"), "commit", 0.0),
        ((OUT, answers("12", True), tells()), asks("count"), "stop", 0.0),
        ((OUT, answers("12", True), tells()), says("close"), "stop", 1.0),
    ],
    ids=str,
)
async def test_a_decision_is_right_when_it_does_what_is_due(before: Sequence[Turn], turn: Turn, due: str, value: float):
    found = (await decisions(brought(*before, turn, facts=(COUNT, PRICE, ASIDE))))[-1]
    assert (found.parts["due"], found.value) == (due, value)


@pytest.mark.parametrize(
    ("turns", "value", "late"),
    [
        ((asks("count"), OUT, answers("12", True)), 1.0, 0),
        ((asks("count"), OUT, answers("7")), 1.0, 0),
        ((answers("12", True),), 0.0, 0),
        ((asks("count"), tells("count"), answers("12", True)), 0.0, 0),
        ((asks("count"), OUT, asks("price"), tells(), answers("12", True)), 0.0, 1),
        ((asks("count"), OUT, asks("price"), tells(), asks("count")), 0.0, 2),
        ((asks("count"), tells()), 0.0, 0),
        ((*DENIED, tells("price"), says("stop")), 1.0, 0),
    ],
    ids=["in time", "in time and wrong", "at once", "early", "late", "never", "left", "leaves what cannot be known"],
)
async def test_of_a_dialogue_the_first_decision_counts_and_when_it_came(turns: Sequence[Turn], value: float, late: int):
    found = (await values(StopDecision(), brought(*turns)))[-1]
    assert (found.name, found.scope) == ("stop_in_time", "dialogue")
    assert (found.value, found.parts["late"]) == (value, late)


async def test_a_dialogue_that_a_fault_cut_off_was_not_late():
    cut = brought(asks("count"), OUT, asks("price")).model_copy(update={"ending": Ending(reason="fault")})
    assert [(v.value, v.reason) for v in await values(StopDecision(), cut)][-1] == (None, "fault")


async def test_who_turns_questions_down_may_still_tell_by_themselves():
    refused = (asks("later"), tells(refuses=True))
    (_, found) = await decisions(brought(*refused, says("wait"), facts=(LATER,)))
    assert (found.parts["due"], found.value) == ("continue", 1.0)


@pytest.mark.parametrize(
    ("candidates", "due"), [(0, "stop"), (1, "commit"), (2, "continue")], ids=["none left", "one left", "two left"]
)
async def test_of_candidates_one_is_enough_to_recommend_and_none_to_leave(candidates: int, due: str):
    turn = says("recommend", labels={"candidates": candidates, "item": "Alien"})
    (found,) = await decisions(brought(turn, verifier=None))
    assert (found.parts["decision"], found.parts["due"]) == ("commit", due)


async def test_nothing_is_decided_where_nothing_is_at_stake_or_by_one_who_reads_minds():
    assert [v.reason for v in await decisions(brought(asks(), facts=(ASIDE,), verifier=None))] == ["nothing_at_stake"]
    assert [v.reason for v in await decisions(brought())] == ["no_learner_turns"]
    seer = answers("12", True).model_copy(update={"labels": {"clairvoyant": True}})
    assert [(v.value, v.reason) for v in await decisions(brought(seer))] == [(None, "clairvoyant")]


STATE = {
    "cooperation": 3,
    "emotion": 2,
    "trust": 2,
    "patience": 3,
    "concerns": {"real": "voiced"},
    "severity": {"real": 3},
    "decision": "open",
    "never": False,
    "refused": False,
}
SETTLED = STATE | {"concerns": {"real": "resolved"}}
REQUEST, QUESTION, LEAVE = {"asks_for_commitment": True}, {"asks_openly": True}, {"closes": True}


@pytest.mark.parametrize(
    ("before", "after", "seen", "value"),
    [
        (STATE, STATE, QUESTION, 1.0),
        (STATE, STATE, REQUEST, 0.0),
        (STATE, SETTLED, REQUEST, 1.0),
        (SETTLED, SETTLED, QUESTION, 0.0),
        (SETTLED, SETTLED, LEAVE, 0.0),
        (SETTLED | {"cooperation": 2}, SETTLED | {"cooperation": 2}, REQUEST, 0.0),
        (STATE | {"never": True, "refused": True}, STATE, LEAVE, 1.0),
        (STATE | {"refused": True}, STATE, QUESTION, 1.0),
        (SETTLED | {"decision": "hangup"}, SETTLED, REQUEST, 0.0),
        (STATE, STATE, {"argued": ["x"]}, None),
    ],
    ids=str,
)
async def test_of_a_mind_a_request_is_due_once_nothing_severe_is_open(
    before: dict[str, Any], after: dict[str, Any], seen: dict[str, Any], value: float | None
):
    answer = Fact(id="a", holder="assistant", slot="it", value="real", text="It is.", required=False)
    views = [View(role="user", brief=""), View(role="assistant", brief="", facts=(answer,))]
    turns = [
        Turn(role="user", text="hm", state=before),
        Turn(role="assistant", text="So?", state=after, labels={"appraisal": seen}),
    ]
    dialogue = talk(*turns, views=views)
    dialogue = dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"plan": {"state": STATE}})})
    assert [v.value for v in await decisions(dialogue)] == [value]


async def test_nobody_can_settle_what_they_have_no_answer_to():
    turns = [
        Turn(role="user", text="hm", state=STATE),
        Turn(role="assistant", text="Bye!", state=STATE, labels={"appraisal": LEAVE}),
    ]
    dialogue = talk(*turns)
    dialogue = dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"plan": {"state": STATE}})})
    assert [v.value for v in await decisions(dialogue)] == [1.0]


@settings(max_examples=15, deadline=None)
@given(seeds, policies)
async def test_told_in_pieces_an_early_answer_is_never_due(seed: int, policy: Policy):
    family = Gradual()
    dialogue, _ = await played(family, case(family, seed, policy))
    for value in await decisions(dialogue):
        turn = dialogue.turns[value.turn or 0]
        if turn.answer is not None and value.value is not None:
            assert (value.parts["due"] == "commit") != turn.labels["premature_attempt"]


@settings(max_examples=15, deadline=None)
@given(seeds, policies)
async def test_on_a_control_no_question_is_worth_anything_and_an_answer_is_due_at_once(seed: int, policy: Policy):
    family = Flawed()
    dialogue, _ = await played(family, family.vary(case(family, seed, policy), 1))
    for value in await values(QuestionUtility(), dialogue):
        assert not value.value
    first = (await decisions(dialogue))[0]
    assert first.parts["due"] == "commit"


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from(get_args(Domain)), policies)
async def test_of_a_choice_bits_add_up_and_no_question_is_worth_more_than_the_best(
    seed: int, domain: Domain, policy: Policy
):
    family = Recommendation(domain=domain)
    dialogue, _ = await played(family, case(family, seed, policy))
    gains = await values(InformationGain(), dialogue)
    counted = [v for v in gains if v.parts["bits"] is not None]
    if counted:
        first, last = counted[0], counted[-1]
        total = first.parts["entropy_before"] - last.parts["entropy_after"]
        assert sum(v.parts["bits"] for v in counted) == pytest.approx(total, abs=1e-3)
    for value in await values(QuestionUtility(), dialogue):
        if value.value is not None:
            parts = value.parts
            assert value.value == (parts["worth"] / parts["best"] if parts["best"] else 0.0) <= 1
            assert not value.value or set(parts["asked"]) & set(parts["askable"])


@settings(max_examples=15, deadline=None)
@given(seeds, policies)
async def test_of_who_is_asked_for_something_decisions_are_those_of_the_messages(seed: int, policy: Policy):
    family = Outreach()
    dialogue, _ = await played(family, case(family, seed, policy))
    for value in await decisions(dialogue):
        turn = dialogue.turns[value.turn or 0]
        asked = turn.labels["appraisal"].get("asks_for_commitment", False)
        assert asked == (value.parts["decision"] == "commit")
