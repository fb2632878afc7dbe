"""The fitted model of turn intents."""

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import talk

from generators.latents.intents import START, Step, fit_intents, steps_of
from generators.latents.tagger import ACTS, INTENTS

STEPS = st.builds(
    Step, st.sampled_from(INTENTS), st.sampled_from((START, *INTENTS)), st.sampled_from(ACTS), st.integers(0, 9)
)


@given(st.lists(STEPS, min_size=1, max_size=60), STEPS)
def test_every_context_has_a_distribution_over_every_intent(steps: list[Step], asked: Step):
    found = fit_intents(steps).probabilities(asked.previous, asked.act, asked.turn)
    assert set(found) == set(INTENTS) and min(found.values()) > 0
    assert math.isclose(sum(found.values()), 1, rel_tol=1e-9)


def chain(n: int, seed: int) -> list[Step]:
    """After an answer people ask, after a question they answer, nine times in ten."""
    draws, previous, steps = Random(seed), START, list[Step]()
    for turn in range(n):
        usual = "ask" if previous == "answer" else "answer"
        intent = usual if draws.random() < 0.9 else "react"
        steps.append(Step(intent, previous, "tell", turn))
        previous = intent
    return steps


def test_a_planted_chain_is_found_and_beats_what_ignores_the_context():
    fitted, blind = (
        fit_intents(chain(2000, 1)),
        fit_intents([Step(s.intent, START, "start", 0) for s in chain(2000, 1)]),
    )
    assert fitted.probabilities("answer", "tell", 9)["ask"] == pytest.approx(0.9, abs=0.03)
    held_out = chain(500, 2)
    gains = [fitted.log_likelihood(s) - blind.log_likelihood(s._replace(previous=START, act="start")) for s in held_out]
    assert sum(gains) / len(gains) > 0.4


def test_a_context_never_seen_leans_on_the_next_wider_one():
    steps = [Step("accept", START, "offer", 0)] * 40 + [Step("share", START, "tell", 0)] * 40
    assert fit_intents(steps).probabilities("bye", "offer", 9)["accept"] > 0.8


def test_what_is_drawn_follows_the_probabilities_and_leaves_out_what_cannot_be():
    fitted, draws = fit_intents(chain(2000, 1)), Random(3)
    drawn = Counter(fitted.draw("answer", "tell", 4, draws, but=("ask",)) for _ in range(300))
    assert drawn["ask"] == 0 and drawn["react"] > 200


def test_the_messages_of_a_dialogue_in_their_contexts():
    said = talk(("user", "hey there"), ("assistant", "Do you run?"), ("user", "yes"), ("user", "every day, you?"))
    first, second, third = steps_of(said)
    assert (first.previous, first.act, first.turn, first.again) == (START, "start", 0, False)
    assert (second.previous, second.act, second.turn, second.again) == (first.intent, "ask", 1, True)
    assert (third.previous, third.act, third.again) == (second.intent, "ask", False)


def test_nothing_cannot_be_fitted():
    with pytest.raises(ValueError, match="no message"):
        fit_intents([])
