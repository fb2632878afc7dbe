"""Scores of forecasts, by values that can be had by hand."""

import numpy as np
import pytest

from pipelines.calibration import (
    Bin,
    aurc,
    bias,
    bootstrapped,
    brier,
    brier_skill,
    calibration,
    expected_calibration_error,
    reliability,
    resolution,
    risk_coverage,
    selective_brier,
)

Y = np.array([1.0, 0.0, 1.0, 1.0])
P = np.array([0.9, 0.2, 0.9, 0.2])
HALF = np.full(4, 0.5)


def test_brier_is_the_mean_squared_distance_and_skill_is_against_the_reference() -> None:
    assert brier(P, Y) == pytest.approx((0.01 + 0.04 + 0.01 + 0.64) / 4)
    assert brier(HALF, Y) == 0.25
    assert brier_skill(P, Y, HALF) == pytest.approx(1 - 0.175 / 0.25)
    assert brier_skill(HALF, Y, HALF) == 0.0, "the reference itself has no skill"
    assert brier_skill(Y, Y, HALF) == 1.0
    assert brier_skill(P, Y, Y) is None, "nothing is better than a perfect reference"
    assert bias(P, Y) == pytest.approx(0.55 - 0.75)


def test_equal_forecasts_share_a_bin_and_errors_weigh_by_its_size() -> None:
    assert reliability(P, Y) == [Bin(2, pytest.approx(0.2), 0.5), Bin(2, pytest.approx(0.9), 1.0)]
    assert expected_calibration_error(P, Y) == pytest.approx((2 * 0.3 + 2 * 0.1) / 4)
    assert calibration(P, Y) == pytest.approx((2 * 0.09 + 2 * 0.01) / 4)
    assert resolution(P, Y, 0.75) == pytest.approx(0.0625)
    assert reliability(HALF, Y) == [Bin(4, 0.5, 0.75)], "one forecast is one bin, however many were wanted"


def test_twenty_bins_of_many_forecasts_are_of_about_one_size() -> None:
    p = np.linspace(0, 1, 1000)
    bins = reliability(p, (p > 0.5).astype(float))
    assert [b.n for b in bins] == [50] * 20
    assert [b.forecast for b in bins] == sorted(b.forecast for b in bins)


def test_a_forecaster_that_is_right_where_it_is_sure_risks_less_the_less_it_says() -> None:
    p, y = np.array([0.9, 0.6, 0.45, 0.55]), np.array([1.0, 0.0, 1.0, 0.0])
    prior = np.full(4, 0.5)
    points = risk_coverage(p, y, prior)
    losses = [0.01, 0.36, (0.3025 + 0.3025) / 2, (0.3025 + 0.3025) / 2]  # the last two are as unsure as each other
    assert [point.coverage for point in points] == [0.25, 0.5, 0.75, 1.0]
    assert [point.risk for point in points] == pytest.approx([sum(losses[: k + 1]) / (k + 1) for k in range(4)])
    assert aurc(p, y, prior) == pytest.approx(np.mean([point.risk for point in points]))
    assert selective_brier(p, y, prior, coverage=0.5) == pytest.approx(0.185)
    assert points[-1].risk == pytest.approx(brier(p, y)), "who says all has the Brier score of all"


def test_the_order_of_equally_confident_forecasts_does_not_matter() -> None:
    p, y, prior = np.array([0.7, 0.3, 0.7]), np.array([1.0, 1.0, 0.0]), np.full(3, 0.5)
    back = slice(None, None, -1)
    assert aurc(p, y, prior) == pytest.approx(aurc(p[back], y[back], prior))


def test_an_interval_goes_by_groups_and_three_are_the_fewest() -> None:
    y = np.repeat([1.0, 0.0], 50)
    p = np.full(100, 0.5)
    alone = bootstrapped(lambda i: bias(p[i], y[i]), [str(n) for n in range(100)], 1)
    pairs = bootstrapped(lambda i: bias(p[i], y[i]), [str(n // 25) for n in range(100)], 1)
    assert alone is not None and pairs is not None
    assert alone.n == 100 and pairs.n == 4
    assert alone.low < alone.value == 0.0 < alone.high
    assert pairs.high - pairs.low > 2 * (alone.high - alone.low), "four groups tell far less than a hundred rows"
    assert bootstrapped(lambda i: bias(p[i], y[i]), ["a", "b"] * 50, 1) is None
