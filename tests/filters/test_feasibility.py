import numpy as np
import pytest
from scipy.optimize import linprog

from filters.balancing import Pool, balance
from filters.feasibility import feasibility, shares, tolerance
from filters.pool import Groups
from schemas.judgement import SURE, Feasibility


def groups(
    residuals: np.ndarray, logw: np.ndarray | None = None, features: int | None = None, errors: float = 0.0
) -> Groups:
    """`errors`: of a dialogue's mean residual, in root mean squares of one."""
    n, dims = residuals.shape
    scale = np.sqrt(np.square(residuals).mean(axis=0))
    pool = Pool(
        np.zeros(n) if logw is None else logw, np.ones(n), [slice(0, n)], (residuals / scale).astype(np.float32)
    )
    width = dims if features is None else features
    names, everybody = [str(i) for i in range(n)], np.ones(n, bool)
    return Groups(pool, np.arange(n), names, everybody, scale, np.full(dims, errors), width, np.full(n, -1.0), dims)


def found(given: Groups, target: int) -> Feasibility:
    allowed = tolerance(max(target, 1), given.errors)
    return feasibility(given, target, balance(given.pool, shares(given.pool, target), allowed))


def largest_by_linear_programming(pool: Pool, errors: np.ndarray) -> float:
    """The largest size whose excesses are within their tolerances, which depend on it: by fixed-point iteration."""
    size = float(len(pool.sizes))
    for _ in range(30):
        bounds = SURE * tolerance(size, errors)
        rows = np.vstack([pool.residuals.T, -pool.residuals.T])
        solved = linprog(-pool.sizes, A_ub=rows, b_ub=np.concatenate([bounds, bounds]), bounds=(0, 1))
        size = (size - solved.fun) / 2
    return size


@pytest.mark.parametrize(("shift", "errors"), [(0.3, 0.0), (0.8, 0.0), (0.8, 0.05)])
def test_the_largest_size_is_the_linear_programs(shift: float, errors: float):
    residuals = np.random.default_rng(0).normal(size=(800, 6))
    residuals[:, :3] += shift
    given = groups(residuals, errors=errors)
    assert found(given, 100).joint == pytest.approx(largest_by_linear_programming(given.pool, given.errors), rel=0.05)


def test_a_single_head_allows_as_many_as_its_rarest_label_is_frequent():
    asks = np.repeat([1.0, 0.0], [700, 100])
    limits = found(groups((asks - 0.5)[:, None]), 100)
    exact = 200  # m_max = N_j / p_j = 100 / .5; sampling leaves a little room
    assert exact <= limits.single <= 1.2 * exact
    assert limits.joint == pytest.approx(limits.single, rel=0.03)


def test_a_pool_of_real_like_users_can_be_kept_almost_whole():
    limits = found(groups(np.random.default_rng(1).normal(size=(1000, 20))), 500)
    assert limits.joint >= 900
    assert limits.status == "ok"
    assert limits.lacking == {}


def test_users_are_held_to_a_reference_as_closely_as_its_size_lets_it_be_known():
    """Means of 50 real dialogues are off by a seventh of a spread: real-like users seem to be off by it, too."""
    pool = np.random.default_rng(2).normal(size=(2000, 4)) + 1 / np.sqrt(50)
    small, large = (found(groups(pool, errors=1 / np.sqrt(n)), 1900) for n in (50, 5000))
    assert (small.status, small.joint) == ("ok", 2000)
    assert large.status == "infeasible_for_size"
    assert np.abs(small.tolerances).max() < SURE < np.abs(large.tolerances).min()


def test_what_a_part_of_a_large_pool_shows_is_held_to_what_it_can_show():
    real_like = np.random.default_rng(3).normal(size=(40_000, 3))
    assert found(groups(real_like), 20_000).joint >= 38_000


def test_what_is_lacking_is_counted_in_turns():
    rare = np.repeat([1.0, 0.0], [30, 770])
    limits = found(groups((rare - 0.25)[:, None]), 400)
    assert limits.status == "infeasible_for_size"
    assert limits.lacking == {0: pytest.approx(70, abs=3)}  # 100 wanted, 30 there


def test_ratios_that_few_groups_carry_limit_the_size_too():
    logw = np.repeat([0.0, 5.0], [990, 10])
    limits = found(groups(np.random.default_rng(0).normal(size=(1000, 2)), logw), 400)
    assert limits.effective < 30
    assert limits.status == "infeasible_for_size"


def test_the_learners_acts_are_no_feature():
    given = groups(np.random.default_rng(0).normal(size=(300, 3)), features=2)
    assert len(found(given, 100).excess) == len(found(given, 100).tolerances) == 2


def test_a_target_of_none_is_feasible():
    assert found(groups(np.random.default_rng(0).normal(size=(50, 2))), 0).status == "ok"
