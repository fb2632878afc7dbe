import pytest
from talks import talk

from filters.repetition import Repetition, looped


def reason(*texts: str) -> str:
    roles = ("assistant", "user")
    return Repetition().judge(talk(*((roles[i % 2], text) for i, text in enumerate(texts)))).reason


def test_a_phrase_said_over_and_over_is_a_loop():
    assert reason("Well, I think so and I think so and I think so and I think so and yes") == "loop_in_turn"


def test_a_word_may_be_said_more_often_than_a_phrase_but_not_forever():
    assert reason("no no no no no") == "ok"
    assert reason(" ".join(["very"] * 12)) == "loop_in_turn"


def test_a_turn_said_again_by_the_same_or_the_other_speaker_has_its_own_reason():
    first = "What is the best thing you ate last week?"
    assert reason(first, "Soup.", "Nice, soup is great.", "Yes.", f"Oh! {first}") == "repeats_itself"
    assert reason(first, first.lower()) == "echoes_the_other"


def test_short_acknowledgements_may_be_repeated():
    assert reason("Sounds good to me.", "Ok.", "Sounds good to me.", "Ok.") == "ok"


def test_a_similar_turn_about_something_else_is_no_repetition():
    assert reason("How many apples did Tom buy on Monday?", "Three.", "How many pears did Ann sell on Friday?") == "ok"


@pytest.mark.parametrize("phrase", ["a b", "the cat sat", "one two three four five"])
def test_a_loop_names_its_phrase(phrase: str):
    assert looped(("x " + " ".join([phrase] * 4)).split(), most=3) == phrase
    assert looped(("x " + " ".join([phrase] * 3)).split(), most=3) is None
