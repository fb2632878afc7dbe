"""Intents by cues, and what is fitted of real partners' turns."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import talk

from generators.families.conversation import Conversation
from generators.latents.cues import INTENTS, TurnIntents, fit_turn_intents, intent

ROWS = [f"{p}|{a}" for p in ("start", *INTENTS) for a in ("asked", "told")]


@pytest.mark.parametrize(
    ("text", "after_question", "found"),
    [
        ("I went to the market with my sister", True, "answer"),
        ("yes", True, "answer_short"),
        ("I do. What about you?", True, "answer_ask"),
        ("where do you live?", False, "ask"),
        ("my sister sells bread at the market", False, "share"),
        ("haha nice", False, "react"),
        ("nah not today thanks", False, "decline"),
        ("no", True, "answer_short"),
        ("gotta go, bye!", False, "bye"),
    ],
)
def test_a_turn_has_the_intent_its_cues_show(text: str, after_question: bool, found: str):
    assert intent(text, after_question) == found


sides = st.sampled_from(["assistant", "user"])
words = st.sampled_from(["yes", "my dog sleeps all day long", "why?", "nah", "bye", "i see. and you?", "do you cook?"])


@given(st.lists(st.lists(st.tuples(sides, words), max_size=10), max_size=6), st.floats(0.1, 5))
def test_fitted_transitions_are_distributions_over_every_intent(said: list[list[tuple[str, str]]], alpha: float):
    fitted = fit_turn_intents((talk(*turns) for turns in said), alpha)
    assert sorted(fitted.transitions) == sorted(ROWS)
    for row in fitted.transitions.values():
        assert set(row) == set(INTENTS)
        assert sum(row.values()) == pytest.approx(1, abs=1e-3) and min(row.values()) > 0
    for share in (fitted.lower_case, fitted.no_final_stop, fitted.double_text):
        assert 0 <= share <= 1


def test_counts_are_smoothed_by_alpha_and_only_the_partner_counts():
    chats = [talk(("assistant", "do you cook?"), ("user", "yes"), ("assistant", "nice"), ("user", "bye"))] * 3
    fitted = fit_turn_intents(chats, alpha=1.0)
    assert fitted.transitions["start|asked"]["answer_short"] == pytest.approx(4 / 11, abs=1e-4)
    assert fitted.transitions["start|asked"]["share"] == pytest.approx(1 / 11, abs=1e-4)
    assert fitted.transitions["answer_short|told"]["bye"] == pytest.approx(4 / 11, abs=1e-4)
    assert fitted.transitions["start|told"]["ask"] == pytest.approx(1 / 8, abs=1e-4)
    assert (fitted.n_dialogues, fitted.n_turns, fitted.words_mean, fitted.lower_case) == (3, 6, 1.0, 1.0)


def test_nothing_to_fit_gives_uniform_rows():
    fitted = fit_turn_intents([])
    assert {p for row in fitted.transitions.values() for p in row.values()} == {1 / 8}
    assert fitted.n_dialogues == 0


def test_draws_follow_the_row():
    row = dict.fromkeys(INTENTS, 0.0) | {"share": 0.25, "ask": 0.75}
    fitted = fit_turn_intents([]).model_copy(update={"transitions": {"start|told": row}})
    draws = Random(0)
    drawn = Counter(fitted.draw("start", False, draws) for _ in range(2000))
    assert set(drawn) == {"share", "ask"} and 1420 < drawn["ask"] < 1580


def test_the_committed_statistics_are_such_rows_and_come_back_from_json():
    committed = Conversation().turn_intents
    assert sorted(committed.transitions) == sorted(ROWS) and committed.n_dialogues > 1000
    assert all(sum(row.values()) == pytest.approx(1, abs=1e-3) for row in committed.transitions.values())
    assert TurnIntents.model_validate_json(committed.model_dump_json()) == committed


def test_a_family_is_fitted_on_the_dialogues_it_is_given():
    chats = [talk(("assistant", "do you cook?"), ("user", "yes"), ("assistant", "nice"), ("user", "bye"))]
    assert Conversation().fitted(chats).turn_intents == fit_turn_intents(chats)
