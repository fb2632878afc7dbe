import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from filters.balancing import Pool, balance, inclusion

LOGW = st.floats(-30, 30, allow_nan=False)


@given(st.lists(st.tuples(LOGW, st.integers(1, 5)), min_size=2, max_size=30), st.floats(0.01, 0.99))
def test_inclusion_probabilities_add_up_to_the_target_and_grow_with_the_ratio(
    groups: list[tuple[float, int]], share: float
):
    logw, sizes = np.array([w for w, _ in groups]), np.array([float(n) for _, n in groups])
    log_pi, _ = inclusion(logw, sizes, share * sizes.sum())
    assert sizes @ np.exp(log_pi) == pytest.approx(share * sizes.sum(), rel=1e-9)
    assert (np.diff(log_pi[np.argsort(logw)]) >= -1e-9).all()


def test_probabilities_are_proportional_to_the_ratio_below_one():
    log_pi, _ = inclusion(np.log([8.0, 2.0, 1.0, 1.0]), np.ones(4), 2)
    assert np.exp(log_pi).tolist() == pytest.approx([1.0, 0.5, 0.25, 0.25])


def random_pool(seed: int, groups: int = 300, dims: int = 3, shift: float = 0.5) -> Pool:
    generator = np.random.default_rng(seed)
    residuals = generator.normal(size=(groups, dims)).astype(np.float32)
    residuals[:, 0] += shift
    residuals /= np.sqrt(np.square(residuals).mean(axis=0))
    half = groups // 2
    strata = [slice(0, half), slice(half, groups)]
    return Pool(generator.normal(size=groups), np.repeat([1.0, 2.0], [half, groups - half]), strata, residuals)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_sizes_of_strata_are_exact_and_probabilities_are_ones(seed: int, first: float, second: float):
    pool = random_pool(seed)
    targets = [first * 150, second * 300]
    pi = balance(pool, targets, tolerance=np.ones(3)).pi
    assert [float(pool.sizes[s] @ pi[s]) for s in pool.strata] == pytest.approx(targets, rel=1e-9)
    assert ((pi >= 0) & (pi <= 1)).all()


def test_what_is_balanced_is_within_the_tolerance():
    pool = random_pool(0)
    start = balance(pool._replace(residuals=pool.residuals[:, :0]), [50, 100], np.ones(0)).pi
    found = balance(pool, [50, 100], tolerance=np.full(3, 5.0))
    assert abs((pool.sizes * start) @ pool.residuals).max() > 25
    assert np.abs(found.excess).max() < 2.5


def test_each_dimension_has_its_own_tolerance():
    pool = random_pool(3, dims=2)
    pool.residuals[:, 1] = pool.residuals[::-1, 0]
    found = balance(pool, [50, 100], tolerance=np.array([2.0, 200.0]))
    assert np.abs(found.excess[0]) < 2 < 20 < np.abs(found.excess[1])


def test_the_solution_is_the_least_divergent_of_all_by_a_general_optimiser():
    pool, tolerance = random_pool(1, groups=24, dims=2), 0.4
    targets, w = [4.0, 9.0], np.exp(pool.logw)

    def divergence(pi: np.ndarray) -> float:
        off = (pool.sizes * pi) @ pool.residuals
        return float(pool.sizes @ (pi * np.log(pi / w) - pi + w) + off @ off / (2 * tolerance / 4))

    sizes = [
        {"type": "eq", "fun": lambda pi, s=s, t=t: pool.sizes[s] @ pi[s] - t}
        for s, t in zip(pool.strata, targets, strict=True)
    ]
    best = minimize(divergence, np.full(24, 0.35), bounds=[(1e-9, 1)] * 24, constraints=sizes, options={"maxiter": 500})
    ours = balance(pool, targets, np.full(2, tolerance)).pi
    assert best.success
    assert divergence(ours) <= best.fun + 1e-4
    assert ours == pytest.approx(best.x, abs=5e-3)


def test_what_cannot_be_balanced_keeps_the_sizes():
    pool = random_pool(0)._replace(residuals=np.ones((300, 2), np.float32))
    found = balance(pool, [50, 100], tolerance=np.ones(2))
    assert pool.sizes @ found.pi == pytest.approx(150)
    assert found.excess == pytest.approx([150, 150], rel=1e-3)


@pytest.mark.parametrize("targets", [[0.0, 300.0], [150.0, 0.0], [200.0, 400.0]])
def test_strata_are_left_or_taken_whole(targets: list[float]):
    pool = random_pool(2)
    pi = balance(pool, targets, tolerance=np.ones(3)).pi
    assert [set(pi[s].tolist()) for s in pool.strata] == [{float(t > 0)} for t in targets]
