"""What was labelled by hand, and how agreement is measured."""

from collections import Counter

import pytest

from generators.latents.hand_labels import hand_labels, kappa
from generators.latents.tagger import INTENTS


def test_a_hundred_and_fifty_messages_of_five_references_have_two_labels():
    dev = [label for label in hand_labels() if label.part == "dev"]
    assert Counter(label.reference for label in dev) == dict.fromkeys(
        ("chitchat", "ccpe", "redial", "persuasion_for_good", "casino"), 150
    )
    assert {label.second for label in dev} <= set(INTENTS) and {label.first for label in hand_labels()} <= set(INTENTS)


def test_no_dialogue_the_tagger_learned_from_is_one_it_is_measured_on():
    parts = {part: {label.dialogue_id for label in hand_labels() if label.part == part} for part in ("train", "dev")}
    assert parts["train"] and not parts["train"] & parts["dev"]


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        (["ask", "bye", "ask", "bye"], ["ask", "bye", "ask", "bye"], 1.0),
        (["ask", "ask", "bye", "bye"], ["ask", "bye", "ask", "bye"], 0.0),
        (["ask", "ask", "ask", "bye"], ["ask", "ask", "bye", "bye"], 0.5),
        (["ask", "ask"], ["ask", "ask"], None),
        (["ask"], ["ask"], None),
    ],
)
def test_kappa_is_agreement_beyond_chance(first: list[str], second: list[str], value: float | None):
    assert kappa(first, second) == (value if value is None else pytest.approx(value))
