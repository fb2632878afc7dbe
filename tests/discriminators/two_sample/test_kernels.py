import numpy as np
import pytest
from user_points import users

from discriminators.two_sample.energy import energy
from discriminators.two_sample.kernel import by_group, kernel_test
from discriminators.two_sample.mmd import gaussians, mmd, squared_distances
from discriminators.two_sample.points import Points, side_by_side


def plain_energy(real: Points, synthetic: Points) -> float:
    """One act, pair by pair; pairs of one group are none."""
    total = 0.0
    for one, other, sign in ((real, real, -1), (synthetic, synthetic, -1), (real, synthetic, 2)):
        distances = np.linalg.norm(one.features[:, None] - other.features[None], axis=2)
        apart = np.ones_like(distances) if sign == 2 else one.groups[:, None] != other.groups[None]
        total += sign * float((distances * apart).sum() / apart.sum())
    return total


def test_the_statistic_is_the_mean_over_pairs_of_different_groups():
    real, synthetic = users(0, groups=15, mix=(1.0,)), users(1, groups=20, mix=(1.0,), turns=3)
    found = energy(side_by_side(real, synthetic), 0)
    assert found.value is not None
    assert found.value.value == pytest.approx(plain_energy(real, synthetic), rel=1e-3)


def test_the_kernel_is_the_mean_of_five_gaussians():
    points = users(0, groups=3).features
    squared = squared_distances(points, points)
    wanted = np.mean([np.exp(-squared / (2 * 3.0 * factor)) for factor in (0.25, 0.5, 1, 2, 4)], axis=0)
    assert gaussians(3.0)(points, points) == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_sums_by_group_do_not_depend_on_blocks_or_order():
    points = users(0, groups=700)
    act = side_by_side(points, users(1, groups=700)).acts[0]
    sums = by_group(lambda a, b: a @ b.T, act, 1400)
    means = np.zeros((1400, points.features.shape[1]))
    np.add.at(means, act.owners, act.features)
    assert np.allclose(sums, means @ means.T, rtol=1e-3, atol=1e-2)


def test_the_statistic_is_unbiased_and_its_interval_holds_the_truth():
    found = [mmd(side_by_side(users(n), users(n + 500)), n, 10).value for n in range(40)]
    values = np.array([f.value for f in found if f is not None])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert sum(f.low <= 0 <= f.high for f in found if f is not None) >= 35


def test_copies_inside_a_group_prove_nothing():
    points = users(0, groups=40, turns=1)
    copies = Points(*(np.repeat(part, 20, axis=0) for part in points))
    found = kernel_test(gaussians(6.0), side_by_side(copies, users(1, groups=40)), 0)
    assert found.p is not None and found.p > 0.01
