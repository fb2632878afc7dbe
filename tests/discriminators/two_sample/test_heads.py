import numpy as np
import pytest
from user_points import labelled, users

from discriminators.two_sample.heads import UNLABELLED, head_distance, holm
from discriminators.two_sample.points import Points


def shares(*counts: int, first_group: int = 0) -> Points:
    """One turn a group, that many of each label."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return Points(labels, first_group + np.arange(len(labels)), np.zeros(len(labels), int))


def test_total_variation_is_half_the_sum_of_differences_and_beyond_its_floor_where_labels_differ():
    found = head_distance(shares(50, 50), shares(90, 10), 0)
    assert found.value is not None and found.floor is not None and found.p is not None
    assert found.value.value == pytest.approx(0.4)
    assert found.floor < found.value.low < 0.4 < found.value.high
    assert found.p < 0.01


def test_alike_shares_are_below_the_floor_and_their_interval_begins_at_0():
    found = head_distance(shares(50, 50), shares(49, 51), 0)
    assert found.value is not None and found.floor is not None
    assert found.value.low == 0.0 < found.value.value < found.floor


def test_a_reference_of_one_label_has_a_distance_and_a_floor_of_0():
    found = head_distance(shares(60), shares(60), 0)
    assert found.value is not None
    assert (found.value.value, found.floor) == (0.0, 0.0)
    other = head_distance(shares(60), shares(0, 60), 0)
    assert other.value is not None and other.value.value == 1.0
    assert other.p is not None and other.p < 0.01


def test_turns_without_a_label_are_left_out():
    points = labelled(users(0))
    unlabelled = points._replace(features=np.full_like(points.features, UNLABELLED))
    assert head_distance(points, unlabelled, 0).reason == "no_turns"


def test_holm_corrects_in_the_order_given():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
