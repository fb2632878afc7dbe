"""The intent of a message, the act of the other side's last one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import talk

from generators.latents.tagger import INTENTS, act_of, is_question, since, tag

SAID = st.lists(st.text(max_size=60), max_size=3)


@pytest.mark.parametrize(
    ("others", "text", "intent"),
    [
        ([], "hey there", "greet"),
        ([], "Hello! How are you?", "greet"),
        (["It is on the second floor."], "What does it cost?", "ask"),
        (["What kind of films do you like?"], "Mostly horror, I guess.", "answer"),
        (["Do you run?"], "I do, every morning. How about you?", "answer_ask"),
        (["That is nice."], "my sister is getting married in May so I am flying home", "share"),
        ([], "Hi, I am looking for a good comedy", "request"),
        (["I need water most."], "I take one food and you can have two waters and one wood", "propose"),
        (["How about you get 2 water and I get 2 food?"], "Yes, that sounds like a deal", "accept"),
        (["Would you like to donate to the children?"], "No thank you, not today", "decline"),
        (["You can donate right now."], "How do I know the money is not going to a scam?", "object"),
        (["I ran ten miles this morning."], "haha nice", "react"),
        (["It was good to meet you."], "Thanks, have a nice day! Bye", "bye"),
    ],
)
def test_a_plain_message_of_each_intent_is_told(others: list[str], text: str, intent: str):
    assert tag(text, others).intent == intent


@pytest.mark.parametrize(
    ("others", "act"),
    [
        ([], "start"),
        (["I like it here.", "What about the weather where you are?"], "offer"),
        (["Where do you live?"], "ask"),
        (["tell me about your dog"], "ask"),
        (["You should watch Arrival."], "offer"),
        (["I could give you two waters for it."], "offer"),
        (["My dog is asleep."], "tell"),
        (["Good night then!"], "close"),
    ],
)
def test_what_the_other_side_did(others: list[str], act: str):
    assert act_of(others) == act


@pytest.mark.parametrize(
    ("text", "asks"),
    [("so you see", False), ("what do you do", True), ("hi, how are you", True), ("so nice, right?", False)],
)
def test_a_question_needs_no_mark_and_a_tag_is_none(text: str, asks: bool):
    assert is_question(text) is asks


@given(st.text(max_size=200), SAID, SAID)
def test_every_message_has_one_intent_and_always_the_same(text: str, others: list[str], mine: list[str]):
    found = tag(text, others, mine)
    assert found.intent in INTENTS and 0 < found.sure <= 1
    assert tag(text, others, mine) == found


def test_what_was_said_since_ones_last_turn():
    said = talk(("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"), ("b", "5"), ("b", "6")).turns
    assert since(said, "b") == (["3", "4"], ["5", "6"])
    assert since(said, "a") == (["5", "6"], [])
    assert since(said[:1], "b") == (["1"], [])
    assert since([], "a") == ([], [])
