"""Learn-to-Ask: its truth table, and whole dialogues by hand."""

from typing import Any

import pencils
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pencils import COUNT, PRICE, SERVICES

from rewards.learn_to_ask import Decision, LearnToAsk, Parts, fused, jaccard
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Fact

SHOP = Fact(id="shop", holder="teacher", slot="the shop", value="Bo's", text="She is at Bo's.", required=False)
POSED = Turn(role="teacher", text="Mia buys pencils. How many dollars does she pay?")
ZERO = Parts(0.0, 0.0, 0.0, 0.0, 0.0)


def teacher(text: str, *disclosed: str) -> Turn:
    return Turn(role="teacher", text=text, facts_disclosed=disclosed)


def asks(text: str, *facts: str, **more: Any) -> Turn:
    return Turn(role="student", text=text, facts_asked=facts, acts=("ask",), **more)


def answers(text: str, correct: bool | None = None) -> Turn:
    return Turn(role="student", text=text, answer=text, answer_correct=correct, acts=("answer",))


def lesson(*turns: Turn, **given: Any) -> Dialogue:
    return pencils.lesson(*turns, **{"facts": (COUNT, PRICE, SHOP), **given})


async def values(dialogue: Dialogue, **fields: Any) -> list[RewardValue]:
    found = await LearnToAsk(**fields).annotate(dialogue, SERVICES)
    for value in found:
        assert value.scope == "turn" and (value.value is not None or value.reason)
        assert RewardValue.model_validate_json(value.model_dump_json()) == value
    return found


@pytest.mark.parametrize(
    ("decision", "due", "micro", "form", "parts"),
    [
        ("continue", "continue", 1.0, 1.0, Parts(1, 1, 1, 4, 3)),
        ("continue", "continue", 1.0, 0.0, Parts(1, 1, 0, 3, 2)),
        ("continue", "continue", 0.5, 1.0, Parts(1, 0.5, 1, 3, 2.5)),
        ("continue", "continue", 0.5, 0.0, Parts(1, 0.5, 0, 2, 1.5)),
        ("continue", "continue", 0.0, 1.0, Parts(1, 0, 1, 2, 2)),
        ("continue", "continue", 0.0, 0.0, Parts(1, 0, 0, 1, 1)),
        ("stop", "stop", 0.0, 1.0, Parts(1, 1, 1, 4, 3)),
        ("stop", "stop", 0.0, 0.0, Parts(1, 1, 0, 3, 2)),
        ("stop", "continue", 1.0, 1.0, ZERO),
        ("stop", "continue", 0.0, 0.0, ZERO),
        ("continue", "stop", 1.0, 1.0, ZERO),
        ("continue", "stop", 0.5, 0.0, ZERO),
    ],
)
def test_the_truth_table_with_beta_2(decision: Decision, due: Decision, micro: float, form: float, parts: Parts):
    assert fused(decision, due, micro, form) == parts


@given(
    st.sampled_from(["continue", "stop"]),
    st.sampled_from(["continue", "stop"]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 1.0]),
    st.floats(0, 10),
)
def test_both_fusions_follow_from_the_parts(decision: Decision, due: Decision, micro: float, form: float, beta: float):
    parts = fused(decision, due, micro, form, beta)
    assert parts.product == pytest.approx(parts.R_s * (1 + beta * parts.R_a) + parts.P)
    assert parts.sum == parts.R_s + parts.R_a + parts.P
    assert parts.R_s == (decision == due)
    assert parts.R_s or parts == ZERO


@given(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")))
def test_jaccard_is_one_of_equal_sets_and_zero_of_disjoint_ones(one: set[str], other: set[str]):
    assert (jaccard(one, other) == 1) == (one == other)
    assert (jaccard(one, other) == 0) == (not one & other and bool(one | other))


async def test_who_asks_for_what_is_lacking_and_then_answers_has_all_of_it():
    played = lesson(
        POSED,
        asks("How many pencils?", "count"),
        teacher("Three.", "count"),
        asks("What does one cost?", "price"),
        teacher("Four.", "price"),
        answers("12", correct=True),
    )
    found = await values(played)
    assert [(v.turn, v.value) for v in found] == [(1, 4.0), (3, 4.0), (5, 4.0)]
    assert [v.parts["oracle_truth"] for v in found] == [["count", "price"], ["price"], []]
    assert [v.parts["info_truth"] for v in found] == [["count", "price"], ["price"], []]
    assert [v.parts["oracle_decision"] for v in found] == ["continue", "continue", "stop"]
    assert [v.parts["jaccard"] for v in found] == [1.0, 1.0, 1.0]
    assert [v.parts["cid"] for v in found] == ["d_1", "d_3", "d_5"]


async def test_an_answer_too_early_has_nothing_and_neither_has_a_question_too_late():
    played = lesson(
        POSED, answers("9", correct=False), teacher("Three at four dollars.", "count", "price"), asks("Where?", "shop")
    )
    assert [(v.value, v.parts["oracle_decision"]) for v in await values(played)] == [(0.0, "continue"), (0.0, "stop")]


async def test_after_the_right_answer_stopping_is_due_whatever_was_never_asked():
    played = lesson(POSED, answers("12", correct=True), teacher("Right."), asks("How many?", "count"))
    assert [v.parts["oracle_decision"] for v in await values(played)] == ["continue", "stop"]


async def test_a_question_near_by_is_worth_half_and_one_asked_in_vain_nothing():
    told = teacher("Three.", "count")
    played = lesson(POSED, asks("Where is she?", "shop"), asks("How many?", "count"), told, asks("How many?", "count"))
    found = await values(played)
    assert [v.parts["R_a"] for v in found] == [0.5, 1.0, 0.0]
    assert [v.value for v in found] == [3.0, 4.0, 2.0]


async def test_a_list_of_questions_is_no_precise_one():
    (value,) = await values(lesson(POSED, asks("How many, and what does one cost?", "count", "price")))
    assert (value.parts["R_a"], value.value) == (0.5, 3.0)


async def test_who_knows_the_hidden_side_already_is_not_judged():
    knows = Turn(role="student", text="12", answer="12", answer_correct=True, labels={"clairvoyant": True})
    (value,) = await values(lesson(POSED, knows))
    assert (value.value, value.reason, value.parts["decision"]) == (None, "clairvoyant", "stop")


async def test_what_was_said_to_be_unknown_is_no_truth_and_stopping_is_due():
    played = lesson(
        POSED,
        asks("How many?", "count"),
        Turn(role="teacher", text="Nobody knows.", labels={"denied": ["count"]}),
        Turn(role="student", text="Then it cannot be known.", acts=("stop",), decision="stop"),
        facts=(COUNT,),
    )
    found = await values(played)
    assert [(v.value, v.parts["oracle_truth"]) for v in found] == [(4.0, ["count"]), (4.0, [])]


async def test_hindsight_is_what_is_asked_from_here_on_and_the_oracle_what_is_needed():
    played = lesson(POSED, asks("Where is she?", "shop"), asks("How many?", "count"))
    oracle, hindsight = await values(played), await values(played, truth="hindsight")
    assert hindsight[0].parts["info_truth"] == ["count", "shop"]
    assert hindsight[0].parts["jaccard"] == pytest.approx(1 / 3)
    assert (oracle[0].parts["R_a"], hindsight[0].parts["R_a"]) == (0.5, 1.0)
    assert hindsight[1].parts["info_truth"] == ["count"]


async def test_the_truth_of_a_turn_takes_nothing_from_before_it():
    later = (asks("How many?", "count"), teacher("Three.", "count"), asks("What does one cost?", "price"))
    alone = await values(lesson(POSED, *later))
    behind = await values(lesson(POSED, asks("Where is she?", "shop"), teacher("At Bo's.", "shop"), *later))
    assert [v.parts["info_truth"] for v in behind[1:]] == [v.parts["info_truth"] for v in alone]


async def test_fusion_beta_and_form_are_the_recipes():
    twice = lesson(POSED, asks("How many? And what does one cost?", "count"))
    (value,) = await values(twice)
    assert (value.value, value.parts["P"]) == (3.0, 0.0)
    (value,) = await values(twice, fusion="sum")
    assert value.value == 2.0 == value.parts["sum"]
    (value,) = await values(twice, beta=0.5)
    assert value.value == 1.5 and value.parts["beta"] == 0.5


@pytest.mark.parametrize(
    ("dialogue", "reason"),
    [
        (lesson(POSED), "no_learner_turns"),
        (lesson(POSED, asks("Nice?"), facts=(SHOP,), verifier=None), "nothing_at_stake"),
        (lesson(POSED, Turn(role="student", text="Pencils are nice.")), "no_decision"),
    ],
)
async def test_where_there_is_none_it_says_why(dialogue: Dialogue, reason: str):
    (value,) = await values(dialogue)
    assert (value.value, value.reason) == (None, reason)


async def test_on_a_problem_that_lacks_nothing_every_question_is_one_too_many():
    played = lesson(POSED, asks("Is that all?"), answers("12", correct=True), facts=())
    assert [v.value for v in await values(played)] == [0.0, 4.0]
