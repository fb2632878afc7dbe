from collections.abc import Sequence

import numpy as np
import pytest
from talks import corpus, needs_corpora, said

from discriminators.domains import like_domains
from discriminators.standardised import Marked, head_points, label_shares, marked
from discriminators.two_sample.heads import head_distance
from discriminators.user_turns import Sample


def answers(name: str, prompt: str, agree: int, ask: int) -> list[Sample]:
    texts = ["yes"] * agree + ["why is that?"] * ask
    return [said(f"{name}{i}", text, prompt=prompt) for i, text in enumerate(texts)]


REAL = [*answers("q", "Which day?", 30, 10), *answers("s", "It is open.", 10, 30)]


def shares(real: Sequence[Sample], synthetic: Sequence[Sample]) -> dict[str, tuple[float, float]]:
    found = label_shares(marked(real, "question"), [], marked(synthetic, "question"))
    return {share.label: (share.real.value, share.after.value) for share in found}


def drawn(rng: np.random.Generator, groups: int, share: float, name: str) -> list[Marked]:
    """Turns of a group are alike: what their number would say of the precision is wrong."""
    own = rng.beta(3 * share, 3 * (1 - share), size=groups)
    return [
        Marked(f"{name}{g}", given, "yes" if rng.random() < own[g] else "no")
        for g in range(groups)
        for given in ("question", "offer", "question")
    ]


def test_real_shares_are_taken_as_if_real_assistants_had_acted_like_synthetic_ones():
    synthetic = [*answers("a", "Which day?", 60, 20), *answers("b", "It is open.", 5, 15)]
    found = shares(REAL, synthetic)
    assert found["asks"] == pytest.approx((0.35, 0.35))
    assert found["none"] == pytest.approx((0.65, 0.65))


def test_what_was_made_counts_as_if_its_assistants_had_acted_like_the_published_ones():
    made = [*answers("a", "Which day?", 6, 2), *answers("b", "It is open.", 10, 30)]
    sides = [marked(side, "question") for side in (REAL, made, answers("a", "Which day?", 6, 2))]
    found = {share.label: share.before for share in label_shares(*sides)}
    assert found["asks"] is not None
    assert (found["asks"].value, found["asks"].n) == (pytest.approx(0.25), 8)


def test_the_distance_is_given_the_act():
    synthetic = [*answers("a", "Which day?", 60, 20), *answers("b", "It is open.", 5, 15)]
    skewed = [*answers("a", "Which day?", 20, 60), *answers("b", "It is open.", 15, 5)]
    same, far = (head_distance(*head_points(REAL, side, "question"), seed=0) for side in (synthetic, skewed))
    assert same.value is not None
    assert far.value is not None
    assert same.value.value == pytest.approx(0.0)
    assert far.value.value == pytest.approx(0.5)


def test_acts_of_one_side_alone_are_left_out():
    assert shares(REAL, answers("a", "Which day?", 3, 1))["asks"] == pytest.approx((0.25, 0.25))
    assert shares(REAL, []) == {}
    assert shares(REAL, [said("a", "yes", prompt="Which day?")]) == {}, "one group says nothing of a spread"


def test_a_label_that_nobody_has_is_within_an_interval_and_a_floor_that_hold_more_than_nothing():
    synthetic = [*answers("a", "Which day?", 40, 0)]
    found = {s.label: s for s in label_shares(marked(REAL, "question"), [], marked(synthetic, "question"))}
    asks = found["asks"].after
    assert (asks.value, asks.low, asks.n) == (0.0, 0.0, 40)
    assert 0.03 < asks.high < 0.15
    assert found["asks"].floor[0] < 0.25 < found["asks"].floor[1]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.8])
def test_intervals_and_floors_hold_as_often_as_they_say_whatever_the_turns_of_a_group_share(share: float):
    rng = np.random.default_rng(3)
    covered, inside, repeats = 0, 0, 200
    for _ in range(repeats):
        real, after = drawn(rng, 80, share, "r"), drawn(rng, 40, share, "s")
        found = next(s for s in label_shares(real, [], after) if s.label == "yes")
        covered += found.after.low <= share <= found.after.high
        inside += found.floor[0] <= found.after.value <= found.floor[1]
    assert 0.91 * repeats <= covered <= 0.99 * repeats
    assert 0.91 * repeats <= inside <= 0.995 * repeats


@needs_corpora
def test_flights_are_not_small_talk_and_small_talk_is_like_small_talk():
    talks = [Sample.of(d) for d in corpus("open_domain__topical_chat", 120)]
    services = [Sample.of(d) for d in corpus("task_oriented__sgd", 80)]
    assert like_domains(talks[:80], talks[80:], seed=0)
    assert not like_domains(talks, services, seed=0)
    assert not like_domains([], services, seed=0)
