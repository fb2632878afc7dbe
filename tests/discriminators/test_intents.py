from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import hashed_embed

from discriminators.intents import (
    Counts,
    Said,
    accuracy,
    agreement,
    confusion,
    distance,
    fit_second_tagger,
    guide_of,
    guides,
    overall_kappa,
    percentiles,
    resampled,
    tables,
    told_messages,
)
from generators.latents.hand_labels import kappa
from generators.latents.tagger import INTENTS


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_message_right_before_is_the_persons_own_when_they_go_on():
    assert Said.of("and two", ["How many kids?"], ["One boy"]) == ("and two", "One boy", True)
    assert Said.of("Two", ["Hi", "How many kids?"], []) == ("Two", "How many kids?", False)
    assert Said.of("Hi", [], []) == ("Hi", "", False)


def test_what_was_said_before_decides_between_the_same_words():
    asked = [Said("mostly horror", f"which films do you like number {n}", own=False) for n in range(20)]
    alone = [Said("mostly horror", "", own=False) for _ in range(20)]
    tagger = fit_second_tagger([*asked, *alone], ["answer"] * 20 + ["share"] * 20, hashed_embed)
    assert tagger.tag([asked[0], alone[0]]) == ["answer", "share"]
    assert tagger.tag([]) == []


def test_who_said_what_was_before_counts():
    other = [Said("a boy", "and kids", own=False)] * 9
    own = [Said("a boy", "and kids", own=True)] * 9
    tagger = fit_second_tagger([*other, *own], ["answer"] * 9 + ["share"] * 9, hashed_embed)
    assert tagger.tag([other[0], own[0]]) == ["answer", "share"]


def test_agreement_about_one_label_is_found_share_and_kappa():
    pairs = [[("ask", "ask"), ("ask", "share")], [("share", "share"), ("react", "ask")]]
    rows = tables(pairs, "ask")
    assert rows.tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]
    found = agreement(rows.sum(axis=0))
    assert (found.n, found.found, found.kappa) == (2, 0.5, 0.0)
    assert agreement(tables([[("ask", "ask")]], "bye")[0]) == (0, None, None)


@given(st.lists(st.tuples(st.sampled_from(INTENTS), st.sampled_from(INTENTS)), min_size=2))
def test_kappa_over_all_labels_is_that_of_the_hand_labels(pairs: list[tuple[str, str]]):
    confused = confusion(pairs, INTENTS)
    assert accuracy(confused) == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert overall_kappa(confused) == pytest.approx(kappa([a for a, _ in pairs], [b for _, b in pairs]))


def test_an_interval_is_of_whole_groups_and_missing_without_two():
    rows = tables([[("ask", "ask")] * 50, [("ask", "share")] * 50], "ask")
    drawn = resampled(rows, lambda t: agreement(t).found, 200, rng())
    interval = percentiles(0.5, drawn, 2)
    assert interval == (0.5, 0.0, 1.0, 2)
    assert percentiles(0.5, drawn, 1) is None
    assert percentiles(None, drawn, 2) is None


def drawn_groups(shares: list[float], n: int, seed: int) -> list[Counts]:
    made = np.random.default_rng(seed)
    return [Counter(made.choice(list("abc"), size=12, p=shares).tolist()) for _ in range(n)]


def test_the_same_bigrams_are_within_the_floor_and_others_are_not():
    real = drawn_groups([0.5, 0.3, 0.2], 200, 1)
    same = distance(real, drawn_groups([0.5, 0.3, 0.2], 100, 2), rng())
    other = distance(real, drawn_groups([0.1, 0.3, 0.6], 100, 3), rng())
    assert same is not None
    assert other is not None
    assert (same.groups, same.within(0.05), other.within(0.05)) == (100, "met", "not met")
    assert other.apart.low <= other.apart.value <= other.apart.high
    assert other.apart.value == pytest.approx(0.4, abs=0.05)


def test_an_interval_over_the_bar_decides_nothing():
    real = drawn_groups([0.5, 0.3, 0.2], 200, 1)
    found = distance(real, drawn_groups([0.4, 0.3, 0.3], 12, 4), rng())
    assert found is not None
    assert found.within(found.apart.value - found.floor) == "not shown"


def test_samples_with_no_bigram_in_common_are_wholly_apart():
    left: list[Counts] = [Counter("ab")] * 8
    right: list[Counts] = [Counter("cd")] * 4
    found = distance(left, right, rng())
    assert found is not None
    assert (found.apart.value, found.floor, found.groups) == (1, 0, 4)


def test_bigrams_given_the_other_sides_act_do_not_count_how_often_it_acts():
    """The same answers to each act; the real other side asks in four of five messages, the simulated one in one."""
    real: list[Counts] = [Counter({("ask", "answer"): 8, ("tell", "react"): 2}) for _ in range(20)]
    simulated: list[Counts] = [Counter({("ask", "answer"): 1, ("tell", "react"): 4}) for _ in range(20)]
    as_they_come = distance(real, simulated, rng())
    given = distance(real, simulated, rng(), given=lambda bigram: bigram[0])  # pyright: ignore
    assert as_they_come is not None
    assert given is not None
    assert as_they_come.apart.value == pytest.approx(0.6, abs=0.02)
    assert given.apart.value == 0


def test_distances_within_acts_are_weighed_by_the_real_shares():
    """Answers to questions are wholly apart, a quarter of what happens; an act that the other lacks does not count."""
    real: list[Counts] = [Counter({("ask", "answer"): 4, ("tell", "react"): 12}) for _ in range(8)]
    simulated: list[Counts] = [Counter({("ask", "bye"): 5, ("tell", "react"): 5, ("offer", "bye"): 9})] * 8
    found = distance(real, simulated, rng(), given=lambda bigram: bigram[0])  # pyright: ignore
    assert found is not None
    assert found.apart.value == pytest.approx(0.25)
    assert found.covered == pytest.approx(1)
    alone = distance(real, [Counter({("offer", "bye"): 1})] * 8, rng(), given=lambda bigram: bigram[0])  # pyright: ignore
    assert alone is not None
    assert (alone.apart.value, alone.covered, alone.within(0.5)) == (1, 0, "not shown")


def test_users_who_answer_like_people_are_at_the_floor_whatever_the_other_side_does():
    """Few questions on the simulated side, many on the real one: fewer answers are further apart by chance alone."""
    draws = rng()

    def group(asked: int, told: int) -> Counts:
        answers = draws.choice(["answer", "ask", "react", "bye", "share"], size=asked)
        tells = draws.choice(["share", "react", "request", "decline"], size=told)
        return Counter([*(("ask", str(a)) for a in answers), *(("tell", str(t)) for t in tells)])

    real, simulated = [group(5, 1) for _ in range(200)], [group(1, 5) for _ in range(60)]
    given = distance(real, simulated, rng(), given=lambda bigram: bigram[0])  # pyright: ignore
    as_they_come = distance(real, simulated, rng())
    assert given is not None and as_they_come is not None
    assert (given.within(0.05), as_they_come.within(0.05)) == ("met", "not met")


def test_a_distance_needs_groups_on_both_sides():
    some = drawn_groups([0.5, 0.3, 0.2], 9, 1)
    assert distance(some[:3], some, rng()) is None
    assert distance(some, some[:1], rng()) is None


def test_instructions_for_now_have_known_intents_and_others_none():
    assert len({g.kind for g in guides()}) == len(guides())
    for guide in guides():
        assert set(guide.intents) <= set(INTENTS), guide.kind
        assert bool(guide.intents) == (guide.when == "now"), guide.kind


@pytest.mark.parametrize(
    ("instruction", "kind"),
    [
        ("Ok, great. Now bring the conversation to a natural close.", "close_now"),
        ("Ok, once you've touched on all the topics, you can bring it to a natural close.", "close_when_done"),
        ("Keep going until you've arrived. Then bring the conversation to a natural close.", "keep_going"),
        ("Say hallo to the AI Assistant.", "greet"),
        ("You are a big fan of classy European cars. Ask for the car to be a BMW.", "ask_for_other_car_or_driver"),
    ],
)
def test_an_instruction_is_of_the_first_kind_that_fits(instruction: str, kind: str):
    guide = guide_of(instruction)
    assert guide is not None
    assert guide.kind == kind


def test_an_instruction_belongs_to_the_users_next_message():
    turns = [(True, "hello"), (False, "Hi! A film?"), (True, "bye"), (True, "see you"), (False, "Bye.")]
    told = list(
        told_messages(turns, [(1, "Ok, great. Now bring the conversation to a natural close. [instruction 5 of 5]")])
    )
    assert [t.guide and t.guide.kind for t in told] == [None, "close_now", None]
    assert [t.first for t in told] == [True, False, False]
    assert (told[1].others, told[1].mine, told[2].mine) == (["Hi! A film?"], [], ["bye"])


def test_a_message_after_two_instructions_or_an_unknown_one_is_left_out():
    turns = [(True, "hello"), (False, "Hi!"), (True, "bye")]
    assert [t.text for t in told_messages(turns, [(1, "Say hallo"), (1, "Say hallo")])] == ["hello"]
    assert [t.text for t in told_messages(turns, [(1, "Recite a poem")])] == ["hello"]
    assert [t.text for t in told_messages(turns, [(9, "Say hallo")])] == ["hello", "bye"]
