"""What a judge thinks that the learner can believe: normalised, counted in bits, and never mixed with the exact one."""

from math import log2
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import Embedder, Model, case, played
from talks import talk

from generators.families.outreach import Outreach
from generators.families.recommendation import Recommendation
from generators.families.tutoring import Tutoring
from rewards.belief import Belief
from rewards.judged_belief import JudgedBelief
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import JUDGE, ChatModel, Services
from schemas.dialogue import Dialogue, Ending
from schemas.errors import InvalidOutput, Unanswered
from schemas.judgement import RewardValue
from schemas.scenario import Verifier

CHOICES = ("Ann", "Bo", "Cy", "Di")
numbers = st.lists(st.integers(0, 100), min_size=4, max_size=4)


def lesson(turns: int = 3, choices: tuple[str, ...] = CHOICES, kind: Any = "choice", **plan: Any) -> Dialogue:
    said = [turn for n in range(turns) for turn in (("teacher", f"Hint {n}."), ("student", "Hm."))]
    dialogue = talk(*said, sides=("student", "teacher"), verifier=Verifier(kind=kind, answer="Bo"))
    scenario = dialogue.scenario.model_copy(update={"plan": {"choices": list(choices), **plan}})
    return dialogue.model_copy(update={"scenario": scenario})


def judge(*answers: list[int]) -> Model:
    """Of the first hint the first, and so on; the last of all that follow."""

    def says(request: ChatRequest) -> dict[str, Any]:
        given = answers[min(request.key.turn // 2, len(answers) - 1)]
        return {str(n): number for n, number in enumerate(given, 1)}

    return Model(says)


async def judged(dialogue: Dialogue, model: ChatModel | None, **fields: Any) -> list[RewardValue]:
    services = Services(chat={} if model is None else {JUDGE: model}, embed=Embedder())
    values = await JudgedBelief(**fields).annotate(dialogue, services)
    assert all(v.value is not None or v.reason for v in values)
    return [RewardValue.model_validate_json(v.model_dump_json()) for v in values]


@pytest.mark.parametrize(
    ("given", "bits", "right"),
    [
        ([50, 50, 50, 50], 0.0, 0.25),
        ([0, 100, 0, 0], 2.0, 1.0),
        ([0, 20, 20, 0], 1.0, 0.5),
        ([7, 0, 0, 0], 2.0, 0.0),
    ],
    ids=["nothing known", "certain", "two left", "certain of a wrong one"],
)
async def test_what_a_judge_says_is_worth_so_many_bits(given: list[int], bits: float, right: float):
    [value] = await judged(lesson(1), judge(given))
    assert (value.turn, value.value, value.parts["right"]) == (0, bits, right)
    assert value.grader.startswith("function ") and value.grader.endswith("temperature=0.0")


@settings(max_examples=40, deadline=None)
@given(st.lists(numbers, min_size=3, max_size=3))
async def test_bits_follow_from_the_stored_belief_and_steps_add_up_to_the_last(answers: list[list[int]]):
    values = await judged(lesson(3), judge(*answers))
    assert [v.turn for v in values] == [0, 2, 4]
    for value, weights in zip(values, answers, strict=True):
        if value.value is None:
            assert not any(weights)
            assert (value.reason, value.parts["raw"]) == ("all_ruled_out", dict.fromkeys(CHOICES, 0))
            continue
        shares = value.parts["belief_y_L"].values()
        assert sum(shares) == pytest.approx(1) and list(value.parts["raw"].values()) == weights
        entropy = -sum(p * log2(p) for p in shares if p)
        assert value.value == pytest.approx(2 - entropy) and value.parts["entropy"] == pytest.approx(entropy)
        assert -1e-9 <= value.value <= 2
    told = [v for v in values if v.value is not None]
    if told:
        assert sum(v.parts["step_bits"] for v in told) == pytest.approx(told[-1].value)


async def test_the_judge_sees_what_was_said_till_then_and_the_choices_not_the_answer():
    model = judge([1, 1, 1, 1])
    await judged(lesson(2), model)
    first, second = ("\n".join(m.content for m in r.messages) for r in model.requests)
    assert "Hint 0." in first and "Hint 1." not in first and "Hint 1." in second
    assert all(choice in first for choice in CHOICES) and first.count("Bo") == 1


@pytest.mark.parametrize(
    ("dialogue", "reason"),
    [
        (lesson(world={"outcomes": ["a"]}), "counted_world"),
        (lesson(kind="text"), "no_choices"),
        (lesson(choices=("Bo",)), "no_choices"),
        (lesson(choices=()), "no_choices"),
        (lesson(choices=tuple(str(n) for n in range(65))), "no_choices"),
        (talk(("user", "Hi.")), "no_choices"),
        (lesson(0), "nothing_uttered"),
    ],
)
async def test_where_nothing_is_to_be_judged_nobody_is_asked(dialogue: Dialogue, reason: str):
    model = judge([1, 1, 1, 1])
    assert [v.reason for v in await judged(dialogue, model)] == [reason] and not model.requests


async def test_without_a_judge_and_of_turns_not_drawn_there_is_a_reason():
    assert [v.reason for v in await judged(lesson(), None)] == ["no_judge"]
    assert {v.reason for v in await judged(lesson(), judge([1, 1, 1, 1]), share=1e-9)} == {"not_drawn"}


class Tired:
    """Answers nonsense to one call in twenty, and another one not at all."""

    def __init__(self):
        self._model, self._asked = judge([0, 30, 30, 0]), 0

    async def ask(self, request: ChatRequest) -> ChatReply:
        self._asked += 1
        if self._asked % 20 == 0:
            raise InvalidOutput("well, it depends", "invalid_json")
        if self._asked % 20 == 10:
            raise Unanswered("nobody")
        return await self._model.ask(request)


async def test_a_tenth_of_the_calls_failing_leaves_those_turns_without_a_value_and_the_others_as_they_were():
    values = await judged(lesson(40), Tired())
    lost = [v for v in values if v.value is None]
    assert sorted(str(v.reason) for v in lost) == ["invalid_json"] * 2 + ["unanswered"] * 2
    assert {v.value for v in values} - {None} == {1.0} and len(values) == 40


async def test_a_dialogue_has_exact_beliefs_or_judged_ones_and_the_names_tell():
    model = judge([1, 2, 3, 4])
    counted, _ = await played(Recommendation(), case(Recommendation(cells={"needed": 1.0}), 1))
    taught, _ = await played(Tutoring(), case(Tutoring(), 1))
    for dialogue in (counted, taught, lesson()):
        exact = await Belief().annotate(dialogue, Services(chat={}, embed=Embedder()))
        guessed = await judged(dialogue, model)
        assert {v.name for v in exact} == {"belief"} and {v.name for v in guessed} == {"judged_belief"}
        assert not ([v for v in exact if v.value is not None] and [v for v in guessed if v.value is not None])
    assert any(v.value is not None for v in await Belief().annotate(counted, Services(chat={}, embed=Embedder())))


async def test_of_a_partner_who_is_asked_for_something_it_is_their_decision():
    dialogue, _ = await played(Outreach(), case(Outreach(cells={"needed": 1.0}), 3))
    accepts = dialogue.outcome["success"]
    model = Model(lambda request: {"1": 30, "2": 10})
    values = await judged(dialogue, model)
    bits = 1 + 0.75 * log2(0.75) + 0.25 * log2(0.25)
    for value in values:
        assert value.parts["of"] == "decision" and value.parts["right"] == (0.75 if accepts else 0.25)
        assert value.value == pytest.approx(bits)
    cut = dialogue.model_copy(update={"ending": Ending(reason="fault")})
    assert {v.parts["right"] for v in await judged(cut, model)} == {None}
    shown = model.requests[0].messages[0].content
    assert dialogue.scenario.goal in shown and "1. agrees\n2. does not agree" in shown
    facts = [f.text for f in dialogue.scenario.views["user"].facts]
    said = " ".join(t.text or "" for t in dialogue.turns)
    assert not [f for f in facts if f not in said and any(f in m.content for r in model.requests for m in r.messages)]
