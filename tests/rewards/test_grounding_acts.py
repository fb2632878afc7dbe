"""Grounding acts of single messages, written by hand, and the two figures they are held against people by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import services
from talks import talk

from rewards.grounding_acts import ACTS, Act, GroundingActs, act_of, base_rate, grounding_acts, kappa, shares
from schemas.dialogue import Turn

HEARD = "I bought two pencils for my sister and a ruler."


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("Do you mean the red ones?", "clarify"),
        ("Sorry, what was that?", "clarify"),
        ("What?", "clarify"),
        ("So you're saying she has both?", "clarify"),
        ("Ok.", "ack"),
        ("I see, thanks!", "ack"),
        ("Oh nice.", "ack"),
        ("How old is your sister?", "followup"),
        ("Oh nice. Was it expensive?", "followup"),
        ("What was the price of the ruler?", "followup"),
        ("Correct, well done!", "ack"),
        ("Just the red ones?", "clarify"),
        ("and how long was the ruler", "followup"),
        ("I meant the blue one.", "repair"),
        ("No, not that one.", "repair"),
        ("Do you like football?", "none"),
        ("I see that the total must then be nine dollars.", "none"),
        ("The weather is good.", "none"),
    ],
)
def test_the_act_of_a_message_after_what_was_heard(text: str, act: Act):
    assert act_of(Turn(role="assistant", text=text), HEARD) == act


@pytest.mark.parametrize(
    ("text", "act"),
    [("Yes.", "none"), ("Ok.", "none"), ("Old ones or new ones?", "clarify"), ("Fine, how about you?", "none")],
)
def test_after_a_question_a_yes_is_an_answer_and_a_question_checks_it(text: str, act: Act):
    assert act_of(Turn(role="user", text=text), "Did you buy pencils?") == act


def test_nothing_grounds_before_anything_was_said():
    assert act_of(Turn(role="assistant", text="How is your sister?"), "") == "none"
    assert act_of(Turn(role="assistant", text="Ok."), "") == "none"


def test_a_planned_repair_is_what_the_program_made_it():
    for part, act in (("initiation", "clarify"), ("repair", "repair")):
        assert act_of(Turn(role="user", text="The pie.", labels={"trouble_part": part}), HEARD) == act


async def test_the_base_rate_is_the_learners_and_the_acts_are_of_both_roles():
    dialogue = talk(
        ("user", HEARD),
        ("assistant", "How old is your sister?"),
        ("user", "Twelve."),
        ("assistant", "The weather is good."),
        Turn(role="assistant", kind="silence"),
        ("user", "Ok."),
    )
    (got,) = await GroundingActs().annotate(dialogue, services(str))
    assert (got.value, got.n) == (0.5, 2)
    assert got.parts["acts"] == ["none", "followup", "none", "none", None, "ack"]
    assert got.value == 1 - got.parts["learner"]["none"] and got.parts["partner"]["ack"] == pytest.approx(1 / 3)
    (mute,) = await GroundingActs().annotate(talk(("user", "Hi.")), services(str))
    assert mute.reason == "no_learner_turns"


SAID = st.lists(st.sampled_from(ACTS), min_size=1, max_size=30)


@given(SAID)
def test_kappa_is_1_with_oneself_and_base_rates_add_up(acts: list[Act]):
    assert kappa(acts, acts) in (None, pytest.approx(1.0))
    assert base_rate(acts) == pytest.approx(sum(share for act, share in shares(acts).items() if act != "none"))


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(ACTS)), min_size=1, max_size=30))
def test_kappa_is_symmetric_at_most_1_and_0_for_one_act_everywhere(pairs: list[tuple[Act, Act]]):
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    found = kappa(ours, theirs)
    assert found is None or found <= 1 + 1e-9
    assert found == kappa(theirs, ours) or found == pytest.approx(kappa(theirs, ours))
    constant = kappa(["ack"] * len(ours), theirs)
    assert constant is None or constant == pytest.approx(0)


def test_kappa_by_hand():
    ours: list[Act] = ["ack", "ack", "none", "none"]
    theirs: list[Act] = ["ack", "none", "none", "none"]
    assert kappa(ours, theirs) == pytest.approx((0.75 - 0.5) / 0.5)  # by chance .5 * .25 + .5 * .75


def test_of_no_turns_there_are_no_acts():
    assert grounding_acts(()) == [] and kappa([], []) is None
