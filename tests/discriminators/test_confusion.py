import numpy as np
import pytest

from discriminators.confusion import corrected, unconfused

CONFUSION = np.array([[90, 10], [30, 70]])


def test_known_errors_are_taken_out_again():
    true = np.array([0.3, 0.7])
    assert unconfused(CONFUSION.T @ true / 100, CONFUSION / 100) == pytest.approx(true, abs=1e-3)


def test_shares_that_no_truth_predicts_are_projected_to_the_simplex():
    found = unconfused(np.array([1.0, 0.0]), CONFUSION / 100)
    assert found == pytest.approx([1.0, 0.0], abs=1e-3)


def test_the_interval_covers_the_truth_and_narrows_with_more_groups_and_labels():
    generator = np.random.default_rng(0)
    predicted = generator.multinomial(5, CONFUSION.T @ [0.3, 0.7] / 100, size=400)
    few = corrected(predicted[:40], CONFUSION, seed=1)
    many = corrected(predicted, CONFUSION * 20, seed=1)
    assert few is not None
    assert many is not None
    for found in (few, many):
        assert found.intervals[0].low <= 0.3 <= found.intervals[0].high
    assert many.intervals[0].high - many.intervals[0].low < 0.5 * (few.intervals[0].high - few.intervals[0].low)


def test_without_predictions_or_labelled_items_nothing_is_corrected():
    assert corrected(np.zeros((3, 2)), CONFUSION, seed=0) is None
    assert corrected(np.ones((3, 2)), np.array([[5, 1], [0, 0]]), seed=0) is None
