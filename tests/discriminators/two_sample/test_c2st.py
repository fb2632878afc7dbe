import numpy as np
import pytest
from user_points import users

from discriminators.two_sample.c2st import c2st, needed, needed_to_detect


@pytest.mark.parametrize(("accuracy", "n"), [(0.55, 616), (0.53, 1715), (0.52, 3862)])
def test_what_it_takes_to_detect_an_accuracy(accuracy: float, n: int):
    assert needed_to_detect(accuracy) == n


@pytest.mark.parametrize(("delta", "n"), [(0.05, 618), (0.03, 1717)])
def test_what_it_takes_to_claim_that_nobody_can_tell(delta: float, n: int):
    assert needed(delta) == n


def test_a_claim_of_equivalence_stands_on_the_upper_bound():
    held = c2st(users(0, groups=400), users(1, groups=400), 0, splits=2)
    assert held.compared.value is not None and held.upper is not None
    assert held.compared.value.value < held.upper < held.compared.value.high
    assert held.tested == 400
    wide = c2st(users(0), users(1), 0, splits=2)
    assert wide.upper is not None and wide.upper - 0.5 > held.upper - 0.5


def test_turns_of_one_user_are_worth_less_than_as_many_of_several():
    alone = c2st(users(0, groups=200, turns=1), users(1, groups=200, turns=1), 0, splits=2).compared.value
    points = [users(n, groups=200, turns=1) for n in (0, 1)]
    repeated = [type(p)(*(np.repeat(part, 5, axis=0) for part in p)) for p in points]
    copied = c2st(repeated[0], repeated[1], 0, splits=2).compared.value
    assert alone is not None and copied is not None
    assert copied.n == pytest.approx(alone.n, rel=0.1)


def test_no_side_needs_to_be_as_large_as_the_other():
    found = c2st(users(0, groups=300), users(1, groups=30, shift=1.0), 0, splits=2).compared
    assert found.p is not None and found.p < 0.01
