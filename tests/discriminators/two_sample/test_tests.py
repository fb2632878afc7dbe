"""What all two-sample tests have in common: they see what differs given the act, and nothing else."""

from collections.abc import Callable
from math import isfinite

import numpy as np
import pytest
from user_points import labelled, none, users

from discriminators.two_sample.c2st import c2st
from discriminators.two_sample.energy import energy
from discriminators.two_sample.heads import head_distance
from discriminators.two_sample.mmd import mmd
from discriminators.two_sample.points import Compared, Points, randomised_p, side_by_side

Test = Callable[[Points, Points, int], Compared]
TESTS: dict[str, Test] = {
    "mmd": lambda real, synthetic, seed: mmd(side_by_side(real, synthetic), seed, 300),
    "energy": lambda real, synthetic, seed: energy(side_by_side(real, synthetic), seed, 300),
    "c2st": lambda real, synthetic, seed: c2st(real, synthetic, seed, splits=4, draws=300).compared,
    "heads": lambda real, synthetic, seed: head_distance(labelled(real), labelled(synthetic), seed, 300),
}
every_test = pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
MIXES = (0.8, 0.2), (0.2, 0.8)


@every_test
def test_users_who_do_something_else_are_found(test: Test):
    found = test(users(0), users(1, shift=1.5), 0)
    assert found.value is not None and found.p is not None and found.floor is not None
    assert found.p < 0.01
    assert found.value.value > found.floor
    assert found.value.low < found.value.value < found.value.high


@every_test
def test_an_assistant_who_acts_otherwise_is_no_difference_of_its_users(test: Test):
    alarms = sum((test(users(n, mix=MIXES[0]), users(n + 500, mix=MIXES[1]), n).p or 0.0) < 0.05 for n in range(40))
    assert alarms <= 7  # of a binomial with .05, more than that once in 5,000 times


@every_test
def test_unconditionally_the_assistant_would_be_taken_for_the_users(test: Test):
    sides = [users(n, mix=mix) for n, mix in enumerate(MIXES)]
    blind = [side._replace(given=np.zeros_like(side.given)) for side in sides]
    assert (test(blind[0], blind[1], 0).p or 1.0) < 0.05


@every_test
@pytest.mark.parametrize("groups", [0, 1, 5])
def test_a_handful_of_dialogues_is_not_tested_and_says_why(test: Test, groups: int):
    few = users(0, groups=groups) if groups else none()
    for real, synthetic in ((few, users(1)), (users(1), few)):
        found = test(real, synthetic, 0)
        assert (found.value, found.floor, found.p) == (None, None, None)
        assert found.reason == ("too_few_groups" if groups else "no_turns")


@every_test
def test_sides_without_a_common_act_cannot_be_compared(test: Test):
    other = users(1)
    found = test(users(0), other._replace(given=other.given + 10), 0)
    assert (found.value, found.reason) == (None, "no_common_act")


@every_test
def test_an_act_that_hardly_any_group_has_is_left_out_and_counted(test: Test):
    real, synthetic = users(0), users(1)
    rare = synthetic._replace(given=np.where(synthetic.groups < 5, 7, synthetic.given))
    found = test(real._replace(given=np.where(real.groups < 5, 7, real.given)), rare, 0)
    assert found.left_out == 20
    assert found.value is not None


@every_test
def test_turns_that_are_all_the_same_give_numbers(test: Test):
    same = [p._replace(features=np.ones_like(p.features)) for p in (users(0), users(1))]
    found = test(same[0], same[1], 0)
    assert found.value is not None and found.p is not None
    assert all(isfinite(x) for x in (*found.value, found.p, found.floor or 0.0))


@every_test
def test_the_same_seed_gives_the_same_figures(test: Test):
    assert test(users(0), users(1), 5) == test(users(0), users(1), 5)


def test_features_that_are_no_numbers_are_refused():
    broken = users(0)
    broken.features[3, 2] = np.nan
    with pytest.raises(ValueError, match="synthetic: features hold a value that is not finite"):
        side_by_side(users(1), broken)


def test_the_weights_of_acts_are_the_synthetic_mix():
    both = side_by_side(users(0, mix=(0.9, 0.1), groups=200), users(1, mix=(0.25, 0.75), groups=200))
    assert [act.share for act in both.acts] == pytest.approx([0.25, 0.75], abs=0.05)


def test_ties_are_drawn_so_that_p_is_uniform():
    generator = np.random.default_rng(0)
    ps = [randomised_p(1.0, np.ones(99), generator) for _ in range(2000)]
    assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.02)
