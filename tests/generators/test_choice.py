"""What to ask, what to recommend, and when: entropies by hand, probabilities that sum to one, policies that differ."""

from math import exp, log2
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.choice import MOST_ITEMS, Action, Outlook, asking, draw, entropy, fitting, recommending
from generators.domains.recommendation import Item

A = Item(name="a", has={"size": "big", "hue": "red"})
B = Item(name="b", has={"size": "big", "hue": "blue"})
C = Item(name="c", has={"size": "small", "hue": "blue"})
D = Item(name="d", has={"size": "small", "hue": "green"})
FOUR = (A, B, C, D)
actions = st.lists(
    st.builds(Action, st.sampled_from(["ask", "recommend", "wait"]), st.text(max_size=3), st.floats(-3, 3)), min_size=1
)


def test_entropy_is_in_bits_of_the_items_or_of_a_slots_values():
    assert (entropy(FOUR), entropy([A]), entropy([])) == (2.0, 0.0, 0.0)
    assert entropy(FOUR, "size") == 1.0
    assert entropy(FOUR, "hue") == pytest.approx(1.5)  # 1/4, 1/2, 1/4
    assert entropy((A, B, C), "size") == pytest.approx(-(2 / 3) * log2(2 / 3) - (1 / 3) * log2(1 / 3))
    assert entropy([], "size") == 0.0


def test_what_is_left_has_everything_known_and_was_not_ruled_out():
    assert fitting(FOUR, {"size": "big"}, frozenset()) == [A, B]
    assert fitting(FOUR, {"size": "big"}, {"a"}) == [B]
    assert fitting(FOUR, {"size": "big", "hue": "green"}, frozenset()) == []


@given(actions, st.sampled_from([0.0, 0.02, 1.0, 1e6]), st.integers())
def test_every_candidate_is_logged_and_the_probabilities_sum_to_one(weighed: list[Action], temperature: float, n: int):
    choice = draw(weighed, temperature, Random(n))
    logged = choice.labels["actions"]
    assert [(a["type"], a["arg"]) for a in logged] == [(a.kind, a.arg) for a in weighed]
    assert sum(a["probability"] for a in logged) == pytest.approx(1, abs=1e-6 * len(logged))
    assert choice.action in weighed and 0 < choice.probability <= 1
    taken = {"type": choice.action.kind, "arg": choice.action.arg}
    assert choice.labels["action_taken"] == taken
    assert round(choice.probability, 6) == choice.labels["behaviour_policy_prob"]


def test_probabilities_are_a_softmax_and_at_zero_the_first_of_the_best_is_taken():
    weighed = [Action("wait", None, 0.0), Action("ask", "size", 1.0), Action("ask", "hue", 1.0)]
    found = [a["probability"] for a in draw(weighed, 0.5, Random(0)).labels["actions"]]
    whole = 1 + 2 * exp(2)
    assert found == pytest.approx([1 / whole, exp(2) / whole, exp(2) / whole], abs=1e-6)
    assert {draw(weighed, 0, Random(n)).action.arg for n in range(20)} == {"size"}


def test_draws_follow_the_probabilities_they_log():
    weighed = [Action("wait", None, 0.0), Action("ask", "size", 1.0)]
    asked = sum(draw(weighed, 1.0, Random(n)).action.kind == "ask" for n in range(2000))
    expected = 2000 * exp(1) / (1 + exp(1))
    assert abs(asked - expected) < 4 * (expected * (1 - expected / 2000)) ** 0.5


def test_the_chance_of_being_right_falls_with_what_is_unknown_and_matters():
    assert Outlook(FOUR, {}, 3, 3).chance() == 1
    assert Outlook(FOUR, {"size": 1.0}, 3, 3).chance() == 0.5
    assert Outlook(FOUR, {"size": 0.5}, 3, 3).chance() == pytest.approx(2**-0.5)
    assert Outlook(FOUR, {"size": 1.0, "hue": 1.0}, 3, 3).chance() == 0.25  # never less than one of them


def test_a_question_is_worth_what_it_adds_and_nothing_when_no_message_is_left():
    early = {a.arg: a.score for a in asking(Outlook(FOUR, {"size": 1.0, "hue": 1.0}, 3, 3))}
    assert early["hue"] > early["size"]  # 1.5 bits, 1 bit
    assert early["size"] == pytest.approx(0.95 * (0.5 + 0.5 * 0.85 * 0.5))  # right at once, or by the second
    assert all(a.score == 0 for a in asking(Outlook(FOUR, {"size": 1.0}, 1, 3)))


def test_a_question_that_may_not_matter_costs_patience():
    def worth(share: float, patience: int) -> float:
        return Outlook([A, C], {"size": share}, 5, patience).asked("size")

    assert worth(1.0, 1) == 1.0 and worth(0.5, 1) == pytest.approx(0.5)  # one in two has no patience left
    assert worth(0.5, 2) == 1.0


def test_with_much_unknown_asking_leads_and_with_all_known_recommending_does():
    def best(messages: int, patience: int = 4, **matters: float) -> str:
        outlook = Outlook(FOUR, matters, messages, patience)
        return draw([*asking(outlook), *recommending(outlook, Random(0))], 0, Random(0)).action.kind

    assert best(4, size=1.0, hue=1.0) == "ask"
    assert best(4, size=0.05, hue=0.05) == "recommend"
    assert best(1, size=1.0, hue=1.0) == "recommend"  # the last message
    assert best(4, 1, size=0.3, hue=0.3) == "recommend"  # the last bit of patience


def test_at_most_ten_items_are_weighed_and_none_where_none_is_left():
    many = [A.model_copy(update={"name": str(n)}) for n in range(25)]
    shown = recommending(Outlook(many, {"size": 1.0}, 2, 2), Random(1))
    assert len({a.arg for a in shown}) == MOST_ITEMS and len({a.score for a in shown}) == 1
    assert recommending(Outlook([], {"size": 1.0}, 2, 2), Random(1)) == []
    assert asking(Outlook([A], {}, 2, 2)) == [] == asking(Outlook([], {"size": 1.0}, 2, 2))


def test_a_random_and_a_best_action_policy_are_separable_from_their_logs():
    weighed = [Action("ask", "hue", 0.9), *(Action("recommend", i.name, 0.3) for i in FOUR)]
    best, chance = (draw(weighed, t, Random(0)).labels["actions"][0]["probability"] for t in (0.05, 1e6))
    assert best > 0.99 and chance == pytest.approx(0.2, abs=1e-4)
