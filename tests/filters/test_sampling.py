import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.sampling import draw, systematic


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1, exclude_max=True))
def test_systematic_sampling_draws_each_position_once_and_as_many_as_asked_for(pi: list[float], start: float):
    count = round(sum(pi))
    drawn = systematic(np.asarray(pi), count, start).tolist()
    assert len(drawn) == len(set(drawn)) == count
    assert all(0 <= i < len(pi) for i in drawn)


def test_systematic_sampling_has_the_probabilities_it_is_given():
    pi = np.array([0.5, 0.25, 1.0, 0.75, 0.5])
    drawn = np.zeros(5)
    for tick in range(400):
        drawn[systematic(pi, 3, tick / 400)] += 1
    assert drawn / 400 == pytest.approx(pi, abs=0.01)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=40), st.data())
def test_groups_of_unequal_sizes_add_up_to_the_most_that_whole_groups_can_be(sizes: list[int], data: st.DataObject):
    target = data.draw(st.integers(0, sum(sizes)))
    pi = np.full(len(sizes), target / sum(sizes))
    kept = draw(np.array(sizes, float), pi, np.arange(len(sizes)), target, seed=1)
    total = sum(n for n, keep in zip(sizes, kept, strict=True) if keep)
    assert total <= target
    if 1 in sizes and sizes.count(1) >= 3:
        assert total == target


def test_sizes_that_only_fit_together_are_found():
    sizes = np.array([3.0, 3.0, 2.0, 2.0])
    kept = draw(sizes, np.array([1.0, 1 / 3, 0.0, 0.0]), np.arange(4), 4, seed=0)
    assert sizes[kept].tolist() == [2.0, 2.0]


def test_every_size_is_drawn_by_its_probabilities():
    sizes, pi = np.repeat([1.0, 3.0], [400, 200]), np.tile([0.2, 0.6], 300)
    kept = draw(sizes, pi, np.arange(600), round(float(sizes @ pi)), seed=3)
    assert kept[:400].sum() == pytest.approx(160, abs=3)
    assert kept[::2].sum() == pytest.approx(60, abs=3)
