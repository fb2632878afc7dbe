"""The four cells of proactivity, one dialogue each, in the ways families have of needing initiative."""

from collections.abc import Sequence
from typing import Any

import pytest
from played import services
from talks import talk

from generators.latents.mind import State, Status
from rewards.proactivity import Proactivity
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Disclosure, Fact, Verifier, View

ASKED, FREE = "asked", "volunteered"


def lesson(
    *turns: Turn, disclose: Sequence[Disclosure] = (ASKED,), initiative: str | None = "needed", required: bool = True
) -> Dialogue:
    """About facts f0, f1, ..."""
    facts = tuple(
        Fact(id=f"f{n}", holder="user", slot=f"slot {n}", value="1", text="It is 1.", disclose=how, required=required)
        for n, how in enumerate(disclose)
    )
    views = (View(role="user", brief="", facts=facts), View(role="assistant", brief=""))
    dialogue = talk(Turn(role="user", text="Help me."), *turns, views=views, verifier=Verifier(kind="text", answer="x"))
    latents = {} if initiative is None else {"initiative": initiative}
    return dialogue.model_copy(
        update={"scenario": dialogue.scenario.model_copy(update={"session_latents": latents}), "outcome": {}}
    )


def asks(*facts: str, **labels: Any) -> Turn:
    return Turn(role="assistant", text="What is it?", facts_asked=facts, acts=("ask",), labels=labels)


def says(text: str = "I see.", **known: Any) -> Turn:
    return Turn(role="assistant", text=text, **known)


def tells(*facts: str, **labels: Any) -> Turn:
    return Turn(role="user", text="It is 1.", facts_disclosed=facts, labels=labels)


ACCEPTS = Turn(role="user", text="Ok, that one.", intent_requested="accept")


def minded(status: Status) -> Dialogue:
    """What f0 worries about is answered, told or not."""
    state = State(
        cooperation=2, emotion=1, trust=2, concerns={"f0": status}, severity={"f0": 3}, patience=3
    ).model_dump()
    heard = Turn(role="user", text="Well.", state=state)
    return lesson(heard, says(labels={"appraisal": {"settles": ["f0"]}}))


async def values(dialogue: Dialogue) -> list[RewardValue]:
    return await Proactivity().annotate(dialogue, services(str))


async def kinds(dialogue: Dialogue) -> list[str | None]:
    return [v.parts.get("kind") or v.reason for v in await values(dialogue)]


@pytest.mark.parametrize(
    ("dialogue", "kind"),
    [
        (lesson(asks("f0")), "correct_detection"),
        (lesson(says()), "missed_need"),
        (lesson(asks()), "missed_need"),
        (lesson(asks("f0", "f1", "f2"), tells("f0"), disclose=(ASKED,) * 3), "missed_need"),
        (lesson(asks("f0", "f1", "f2", appraisal={"asks_openly": True})), "correct_detection"),
        (lesson(says("Take this.", labels={"item": "this"})), "missed_need"),
        (lesson(says("Take this.", labels={"item": "this"}), ACCEPTS), "correct_detection"),
        (lesson(asks("f0"), disclose=(FREE,), initiative="needless"), "false_alarm"),
        (lesson(says(), disclose=(FREE,), initiative="needless"), "non_response"),
        (lesson(asks("f0"), initiative="unwelcome"), "false_alarm"),
        (lesson(asks("f0"), tells("f0"), initiative="unwelcome"), "correct_detection"),
        (lesson(says(), initiative="unwelcome"), "non_response"),
        (lesson(asks(), required=False), "false_alarm"),
        (lesson(says("Take this.", labels={"candidates": 1})), "non_response"),
        (lesson(asks("f0", candidates=1)), "false_alarm"),
        (lesson(says(), disclose=(FREE,)), "comes_by_itself"),
        (lesson(says(), initiative="hopeless"), "hopeless"),
        (lesson(says(), initiative=None), "no_initiative"),
        (lesson(says(intent_requested="greet")), "greets"),
        (minded("voiced"), "answers"),
        (minded("hinted"), "answers"),
        (minded("hidden"), "missed_need"),
    ],
)
async def test_each_cell_of_the_table_and_each_reason_for_none(dialogue: Dialogue, kind: str):
    (value,) = await values(dialogue)
    assert (value.parts["kind"] or value.reason) == kind
    assert value.value == {"correct_detection": 1, "non_response": 1, "missed_need": 0, "false_alarm": 0}.get(kind)


async def test_what_has_come_out_is_needed_no_more():
    both = lesson(asks("f0"), tells("f0"), asks("f0"), tells(), asks("f1"), tells("f1"), says(), disclose=(ASKED,) * 2)
    assert await kinds(both) == ["correct_detection", "missed_need", "correct_detection", "non_response"]


async def test_a_question_after_questions_were_refused_is_a_false_alarm():
    refused = Turn(role="user", text="No questions.", labels={"refuses": True})
    assert await kinds(lesson(asks("f0"), refused, asks("f0"))) == ["correct_detection", "false_alarm"]


async def test_before_anything_was_heard_and_after_the_goal_nothing_is_said():
    plain = lesson(says("Hello there."))
    assert await kinds(plain.model_copy(update={"turns": plain.turns[1:]})) == ["nothing_heard"]
    right = lesson(says("x", answer="x", answer_correct=True), Turn(role="user", text="Yes."), says("Bye."))
    assert (await kinds(right))[1] == "goal_reached"


def walk(*turns: Turn, initiative: str = "needed", reached: int | None = None) -> Dialogue:
    """An open talk that has a topic to come to."""
    dialogue = lesson(*turns, disclose=(), initiative=initiative)
    return dialogue.model_copy(update={"outcome": {"target_topic": "music", "target_reached_turn": reached}})


BRIDGE = says("Speaking of that, do you play?", intent_requested="bridge", labels={"to_topic": "music"})
FOLLOWS = Turn(role="user", text="The drums.", intent_requested="answer", labels={"topic": "music"})
STAYS = Turn(role="user", text="Rather not.", intent_requested="decline", labels={"topic": "food"})
ELSEWHERE = Turn(role="user", text="I cook.", intent_requested="share", labels={"topic": "food"})


@pytest.mark.parametrize(
    ("dialogue", "expected"),
    [
        (walk(BRIDGE, FOLLOWS, reached=2), ["correct_detection"]),
        (walk(BRIDGE, STAYS), ["missed_need"]),
        (walk(BRIDGE, ELSEWHERE), ["missed_need"]),
        (walk(says(), ELSEWHERE), ["missed_need"]),
        (walk(BRIDGE, STAYS, initiative="unwelcome"), ["false_alarm"]),
        (walk(says(), ELSEWHERE, initiative="unwelcome"), ["non_response"]),
        (walk(BRIDGE, FOLLOWS, says(), reached=2), ["correct_detection", "goal_reached"]),
    ],
)
async def test_a_lead_counts_by_whether_it_is_followed(dialogue: Dialogue, expected: list[str]):
    assert await kinds(dialogue) == expected
