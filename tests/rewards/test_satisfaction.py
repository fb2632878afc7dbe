"""A partner's satisfaction as their state has it."""

from played import services
from talks import talk

from rewards.satisfaction import Satisfaction
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue


async def valued(dialogue: Dialogue) -> RewardValue:
    (value,) = await Satisfaction().annotate(dialogue, services(str))
    return value


def after(satisfaction: float, role: str = "assistant") -> Turn:
    return Turn(role=role, text="Well.", state={"satisfaction": satisfaction})


async def test_satisfaction_is_the_mean_after_the_learners_turns_with_its_course_and_the_goal_beside_it():
    talked = talk(after(0.5), after(0.9, "user"), after(0.3), after(0.7))
    got = await valued(talked.model_copy(update={"outcome": {"success": True}}))
    assert got.value == 0.5
    assert got.parts == {
        "after_turn": {"0": 0.5, "2": 0.3, "3": 0.7},
        "end": 0.7,
        "lowest": 0.3,
        "success": 1.0,
        "turns": 3,
    }


async def test_without_such_a_state_there_is_none():
    assert (await valued(talk(("assistant", "Hi."), ("user", "Hi.")))).reason == "no_state"
    assert (await valued(talk(after(0.5, "user")))).reason == "no_learner_turns"
