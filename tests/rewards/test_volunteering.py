"""Grice's bits of single offers, each bit broken alone, by hand; and what a family counts as used."""

from collections.abc import Sequence
from typing import Any

import pytest
from played import services
from talks import talk

from rewards.volunteering import Volunteering, offers
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Fact, View


def fact(name: str, holder: str, slot: str) -> Fact:
    return Fact(id=name, holder=holder, slot=slot, value=name, text=f"about {slot}", disclose="volunteered")


WORRY, COST, FIT = fact("worry", "user", "cost"), fact("cheap", "assistant", "cost"), fact("easy", "assistant", "fit")
VIEWS = (
    View(role="assistant", brief="", facts=(COST, FIT)),
    View(role="user", brief="", facts=(WORRY,)),
)


def state(status: str) -> dict[str, Any]:
    return {"concerns": {"worry": status}}


def says(*facts: str, text: str = "It costs little.", status: str = "resolved", **labels: Any) -> Turn:
    return Turn(role="assistant", text=text, facts_volunteered=facts, state=state(status), labels=labels)


def user(text: str = "Hm.", status: str = "hinted", told: Sequence[str] = (), **labels: Any) -> Turn:
    return Turn(role="user", text=text, state=state(status), facts_disclosed=tuple(told), labels=labels)


async def valued(*turns: Turn, views: Sequence[View] = VIEWS) -> RewardValue:
    (value,) = await Volunteering().annotate(talk(*turns, views=views), services(str))
    return value


async def test_what_settles_a_hint_in_one_short_message_is_volunteered_well():
    value = await valued(user("I have to watch my budget."), says("cheap"), user(status="resolved"))
    assert (value.value, value.parts["good"]) == (1, 1)
    assert value.parts["offers"] == [
        {
            "fact": "cheap",
            "turn": 1,
            "new": True,
            "quality": True,
            "relation": True,
            "quantity": True,
            "manner": True,
            "used_later": True,
            "preempted": True,
            "good": True,
        }
    ]


@pytest.mark.parametrize(
    ("bit", "turns"),
    [
        ("new", (says("cheap", status="hinted"), user(), says("cheap"))),
        ("quality", (user(), says("made_up"))),
        ("relation", (user(), says("easy"))),
        ("quantity", (user(), says("cheap", "easy"))),
        ("manner", (user(), says("cheap", text="It " + "really " * 30 + "costs little."))),
        ("manner", (user(), says("cheap", appraisal={"answered_question": False}))),
        ("used_later", (user(), says("cheap", status="hinted"))),
    ],
)
async def test_an_offer_that_lacks_one_bit_takes_one_off(bit: str, turns: Sequence[Turn]):
    value = await valued(*turns)
    last = value.parts["offers"][-1] if bit != "quantity" else value.parts["offers"][0]
    assert last[bit] is False and last["good"] is False
    assert value.value == 2 * value.parts["good"] - len(value.parts["offers"]) < 0


async def test_an_answer_to_what_was_just_asked_or_told_is_not_volunteered():
    for heard in (
        user("Is it expensive?", question="cost"),
        user("What is it for?", wonders=True),
        user("Too expensive for me.", "voiced", ["worry"]),
    ):
        assert (await valued(heard, says("cheap"))).reason == "nothing_volunteered"


async def test_silence_earns_nothing_and_why_is_said():
    assert (await valued(user(), says())).reason == "nothing_volunteered"
    assert (await valued(user())).reason == "no_learner_turns"
    blank = (View(role="assistant", brief=""), View(role="user", brief="", facts=(WORRY,)))
    assert (await valued(user(), says(), views=blank)).reason == "nothing_to_volunteer"


async def test_dumping_everything_never_pays():
    assert (await valued(user(), says("cheap", "easy"))).value == -2


def chat(reply: Turn) -> Dialogue:
    tip = View(role="assistant", brief="", facts=(fact("tip", "assistant", "music"),))
    return talk(
        Turn(role="user", text="I play the drums.", labels={"topic": "music"}),
        Turn(role="assistant", text="There is a drum night on Fridays.", facts_volunteered=("tip",)),
        reply,
        views=(tip, View(role="user", brief="")),
    )


@pytest.mark.parametrize(
    ("reply", "used"),
    [
        (Turn(role="user", text="Oh nice.", intent_requested="react"), True),
        (Turn(role="user", text="I know that.", intent_requested="react", labels={"known": True}), False),
        (Turn(role="user", text="Not for me.", intent_requested="decline"), False),
        (Turn(role="user", text="Bye.", intent_requested="bye"), False),
    ],
)
def test_without_a_mind_a_tip_on_the_topic_is_used_unless_it_is_turned_down_or_known(reply: Turn, used: bool):
    (offer,) = offers(chat(reply))
    assert (offer.relation, offer.used_later, offer.good) == (True, used, used)


def test_a_question_for_it_later_means_that_nothing_was_preempted():
    asks = Turn(role="user", text="Where?", labels={"topic": "music"})
    again = chat(asks)
    later = asks.model_copy(update={"labels": {"question": "music"}})
    asked = again.model_copy(update={"turns": (*again.turns, later)})
    assert [offers(d)[0].preempted for d in (again, asked)] == [True, False]
