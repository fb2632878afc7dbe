"""What one line of code can tell, and what is left when it may not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outputs.views.shortcuts import BAR, LESS_ASKING, NAMES, Chosen, Features, without_shortcuts

N = 600


def drawn(seed: int, n: int = N, **told: float) -> Features:
    """Pairs of chance, but that the chosen side is longer, or asks more, or has policy 1, or begins with word 1, as often
    as `told` says.
    """
    draws = np.random.default_rng(seed)
    ours, theirs = {}, {}
    for name in NAMES:
        both = draws.permuted(np.tile([0, 1], (n, 1)), axis=1)
        wins = draws.random(n) < told.get(name, 0.5)
        ours[name] = np.where(wins, both.max(1), both.min(1)) if name in told else both[:, 0]
        theirs[name] = 1 - ours[name]
    return Features(ours, theirs, np.ones(n, bool))


def chosen(features: Features, cases: int = 60) -> Chosen:
    n = len(features.good)
    return without_shortcuts(features, np.arange(n) % cases, np.random.default_rng(7).permutation(n))


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_left_out_until_a_feature_no_longer_tells(name: str):
    found = chosen(drawn(1, **{name: 0.85}))
    by_name = {s.feature: s for s in found.shortcuts}
    assert by_name[name].before is not None and by_name[name].before > 0.8
    assert all(s.value is not None and s.value <= BAR for s in found.shortcuts)
    assert found.dropped.get(f"told_by_{name}", 0) + found.dropped.get("less_asking_wins_too_seldom", 0) > 0
    assert N / 4 < found.keep.sum() == N - sum(found.dropped.values())
    cases = len({n % 60 for n in np.flatnonzero(found.keep).tolist()})
    assert {(s.n, s.units) for s in found.shortcuts} == {(int(found.keep.sum()), cases)}


def test_two_shortcuts_cost_no_more_than_the_share_that_each_has_to_lose():
    found = chosen(drawn(11, n=4_000, length=0.75, policy=0.75))
    left = (0.25 / 0.4) ** 2
    assert found.keep.mean() == pytest.approx(left, abs=0.06)


def test_what_is_balanced_stays_whole():
    found = chosen(drawn(2))
    assert found.keep.all() and not found.dropped
    assert all(s.low is not None and s.high is not None and s.low < 0.5 < s.high for s in found.shortcuts)


def test_the_less_asking_side_wins_often_enough():
    found = chosen(drawn(3, question_marks=0.9))
    assert found.less_asking is not None and found.less_asking.value >= LESS_ASKING
    assert 50 < found.less_asking.n <= 60


def test_where_asking_always_wins_there_are_no_pairs_and_it_is_said_why():
    found = chosen(drawn(4, question_marks=1.1))
    assert not found.keep.any() and found.shortcuts == ()
    assert (found.reason, found.dropped) == ("less_asking_wins_too_seldom", {"less_asking_wins_too_seldom": N})


def test_a_word_that_is_learnt_on_one_base_case_tells_nothing_about_another():
    features = drawn(5)
    of_case = np.arange(N) % 60
    ours = {**features.ours, "first_word": 2 * of_case}
    assert features.theirs is not None
    own_words = Features(ours, {**features.theirs, "first_word": 2 * of_case + 1}, features.good)
    assert {s.feature: s.value for s in chosen(own_words).shortcuts}["first_word"] == 0.5


def test_one_base_case_shows_nothing():
    found = chosen(drawn(6), cases=1)
    assert (found.reason, found.dropped) == ("too_few_base_cases", {"too_few_base_cases": N})


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(random):
    features = drawn(8, n=200, length=0.8)
    cases, keys = np.arange(200) % 20, np.random.default_rng(0).permutation(200)
    order = np.array(random.sample(range(200), 200))
    assert features.theirs is not None
    mixed = Features(
        {n: c[order] for n, c in features.ours.items()},
        {n: c[order] for n, c in features.theirs.items()},
        features.good[order],
    )
    found = without_shortcuts(features, cases, keys).keep
    assert (without_shortcuts(mixed, cases[order], keys[order]).keep == found[order]).all()


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_labels_of_single_rows_are_not_told_by_a_feature_either(share: float):
    draws = np.random.default_rng(9)
    good = draws.random(N) < share
    asks = np.where(draws.random(N) < 0.9, good, ~good).astype(np.int64)
    noise = {name: draws.integers(0, 4, N) for name in NAMES}
    found = chosen(Features({**noise, "question_marks": asks}, None, good))
    by_name = {s.feature: s for s in found.shortcuts}
    assert by_name["question_marks"].before == pytest.approx(0.9, abs=0.05)
    assert all(s.value is not None and s.value <= BAR for s in found.shortcuts)
    assert found.less_asking is None


def test_what_is_the_same_everywhere_tells_nothing():
    draws = np.random.default_rng(10)
    noise = {name: draws.integers(0, 2, 50) for name in NAMES}
    found = chosen(Features({**noise, "policy": np.zeros(50, np.int64)}, None, draws.random(50) < 0.3), cases=7)
    assert {s.feature: s.value for s in found.shortcuts}["policy"] == pytest.approx(0.5)


def test_rows_of_one_label_teach_nothing():
    alone = Features(drawn(1).ours, None, np.ones(N, bool))
    assert chosen(alone).reason == "one_label"
