"""Words of courtesy: as often as a person says them, where there is room, and never twice."""

from random import Random

import pytest

from generators.noise.courtesy import courteous

CASES = [
    ("request", "Can you find me a film?", {"Can you find me a film please?", "Can you find me a film, please?"}),
    ("accept", "I'll take it!", {"I'll take it, thanks!", "I'll take it, thank you!", "thanks, I'll take it!"}),
    ("decline", "Nah not that one", {"sorry, nah not that one", "Nah not that one, sorry", "Nah not that one, thanks"}),
    ("bye", "gotta go", {"thanks, gotta go", "gotta go, thanks", "ok thank you, gotta go"}),
]


@pytest.mark.parametrize(("intent", "text", "ways"), CASES, ids=[c[0] for c in CASES])
def test_who_is_always_polite_says_it_in_every_way(intent: str, text: str, ways: set[str]):
    assert {courteous(text, intent, 1.0, Random(n)) for n in range(60)} == ways


@pytest.mark.parametrize("intent", ["share", "answer", "ask", "react", None])
def test_other_messages_stay_as_they_are(intent: str | None):
    assert courteous("I had soup.", intent, 1.0, Random(1)) == "I had soup."


def test_who_has_said_it_does_not_say_it_again():
    assert courteous("Sorry, not for me", "decline", 1.0, Random(1)) == "Sorry, not for me"


def test_it_comes_as_often_as_the_person_says_it():
    said = sum(courteous("not for me", "decline", 0.1, Random(n)) != "not for me" for n in range(2000))
    assert 0.08 < said / 2000 < 0.12
    assert courteous("not for me", "decline", 0.0, Random(1)) == "not for me"


def test_only_who_asks_for_something_says_please():
    assert courteous("My neighbours are so loud.", "request", 1.0, Random(1)) == "My neighbours are so loud."
    assert "please" in courteous("I need a film.", "request", 1.0, Random(1))
