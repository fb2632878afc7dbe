"""What a message must be before it is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.speakers.checks import (
    added,
    check_message,
    content_words,
    coverage,
    fresh_opening,
    parroted,
    scrambled,
    tidy,
    trimmed,
)
from schemas.dialogue import Turn
from schemas.errors import InvalidOutput


@pytest.mark.parametrize(
    ("raw", "tidied"),
    [
        ("  hi there  ", "hi there"),
        ('"Hello!"', "Hello!"),
        ("\n\nfirst line\nsecond line", "first line"),
        ("Sure. [note: be brief]", "Sure."),
        ("Sure [an unfinished no", "Sure"),
        ("two  spaces", "two spaces"),
        ("", ""),
    ],
)
def test_a_message_is_one_line_without_quotes_and_notes(raw: str, tidied: str):
    assert tidy(raw, cut_short=False) == tidied


def test_a_message_cut_by_the_token_limit_loses_its_unfinished_sentence():
    assert tidy("I like tea. And then I wen", cut_short=True) == "I like tea."
    with pytest.raises(InvalidOutput) as caught:
        tidy("I like tea and then I wen", cut_short=True)
    assert caught.value.reason == "cut_short"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_message"),
        (" …!", "empty_message"),
        ("Assistant: hello", "role_confusion"),
        ("user : hello", "role_confusion"),
        ("How can I help you today?", "role_confusion"),
        ("as an AI I have no garden", "role_confusion"),
        ("Sorry, but I can't assist with that.", "refused"),
        ("I’m sorry, I cannot help with this.", "refused"),
        ("do you like my red garden?", "repeats_earlier_message"),
        ("do you like my big red garden?", "repeats_earlier_message"),
    ],
)
def test_a_bad_message_is_refused_with_its_reason(text: str, reason: str):
    with pytest.raises(InvalidOutput) as caught:
        check_message(text, "user", [Turn(role="assistant", text="Do you like my red garden?")], learner_like=False)
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["ok", "yes it is", "my garden is small"])
def test_a_plain_message_passes(text: str):
    turns = [Turn(role="assistant", text="Do you like my red garden?"), Turn(role="user", text="ok")]
    check_message(text, "user", turns, learner_like=False)


def test_an_assistant_may_speak_as_one():
    check_message("Let me know if you like it.", "assistant", [], learner_like=True)


def test_a_content_is_carried_by_its_words_in_whatever_form_and_order():
    assert coverage("my brothers were painting the walls", "I paint a wall with my brother") == 1.0
    assert coverage("i like tea", "my brother paints fences") == 0.0
    assert coverage("the fence was blue", "he paints the fence") == 0.5


@given(st.text(max_size=60), st.text(max_size=60))
def test_coverage_is_a_share_and_a_text_carries_itself(text: str, content: str):
    assert 0.0 <= coverage(text, content) <= 1.0
    assert coverage(text, text) == 1.0
    assert coverage(f"{text} {content}", content) == 1.0
    assert content_words(text) <= content_words(f"{text} {content}")


def test_saying_back_what_was_just_told_is_refused_but_answering_a_question_is_not():
    told = [Turn(role="user", text="my brother paints old wooden fences")]
    with pytest.raises(InvalidOutput) as caught:
        parroted("Your brother paints old wooden fences!", "short, friendly reaction", told)
    assert caught.value.reason == "parroted"
    parroted("That sounds like work.", "react", told)
    parroted("They paint wooden fences for your brother.", "say: they paint wooden fences", told)
    parroted(
        "My brother paints old wooden fences.", "yes", [Turn(role="user", text="does he paint old wooden fences?")]
    )
    parroted("Anything.", "", [])


@pytest.mark.parametrize(
    ("text", "source", "heard", "new"),
    [
        ("Romantic place, not too far.", "something romantic please", None, {"place", "far"}),
        ("yeah im watching with my girlfriend!", "im watching with my girlfriend", None, set[str]()),
        ("Well I don't have much time really", "i dont have much time", None, set[str]()),
        ("I usually cook soup", "soup", "What do you usually cook?", set[str]()),
        ("old films and newer ones either", "soup", "Do you like old films or newer ones?", {"newer", "old", "either"}),
    ],
)
def test_words_are_added_that_neither_source_nor_question_have(
    text: str, source: str, heard: str | None, new: set[str]
):
    found = added(text, source, heard)
    assert found <= new and len(new) - len(found) <= 1, "one word of the question may be taken up"


def test_a_message_does_not_begin_like_their_last_one_or_with_what_was_just_heard():
    turns = [
        Turn(role="assistant", text="I see. How about Jaws?"),
        Turn(role="user", text="no i dont think so", labels={"clean": "No, I don't think so."}),
    ]
    assert fresh_opening("I see. How about Alien?", "assistant", turns) == "How about Alien?"
    assert fresh_opening("I don't think so. how about Alien?", "assistant", turns) == "How about Alien?"
    assert fresh_opening("Hi! How about Alien?", "assistant", turns) == "How about Alien?"
    assert fresh_opening("Alright, how about Alien?", "assistant", turns) == "Alright, how about Alien?"
    assert fresh_opening("Hi! How are you?", "assistant", []) == "Hi! How are you?"
    assert fresh_opening("I see!", "assistant", turns) == "I see!", "nothing else is said"


@pytest.mark.parametrize(
    ("text", "source", "left"),
    [
        (
            "They'd have my info and never leave me alone so bad.",
            "they'd have my info and never leave me alone",
            "They'd have my info and never leave me alone.",
        ),
        ("No idea if it even exists anymore", "i have no idea if it exists", "No idea if it even exists"),
        ("I only give to animal causes", "i only give to animal charities", None),
        ("we had no power all week lol", "we had no power all week", None),
        ("The twins are finally napping.", "pretty good, the twins are finally napping", None),
        ("I threw the dice out the window 😂", "i threw the dice out the window", None),
        ("Deep and hard work is what I want", "i want something deep and hard work", None),
        ("Puppy day at work was great!", "it was puppy day at work", None),
    ],
)
def test_what_hangs_on_the_end_of_a_rewritten_message_is_cut(text: str, source: str, left: str | None):
    assert trimmed(text, source) == (text if left is None else left)


@pytest.mark.parametrize(
    ("text", "source", "found"),
    [
        ("sorry but tight money really is for me", "sorry but money is really tight for me", True),
        ("space station, I want", "i want something up in space", True),
        ("sorry, animals need help more than people do i guess", "animals need my help more than people do", False),
        ("my foot broke and i cant do much but watch old films", "i broke my foot and watch old films all day", False),
        ("money is tight", "money is really tight for me", False),
        ("", "money is tight", False),
    ],
)
def test_words_turned_round_are_found(text: str, source: str, found: bool):
    assert scrambled(text, source) is found


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_source_is_neither_trimmed_nor_scrambled(text: str, source: str):
    assert trimmed(source, source) == source and not scrambled(source, source)
    assert text.startswith(trimmed(text, source).rstrip(".!"))
