from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.distribution_match import DistributionMatch, inclusion, systematic
from schemas.judgement import Selection

REFERENCE = pa.table({"logw": pa.array([None], pa.float64()), "cell": ["act=x"]})
LOGW = st.floats(-30, 30, allow_nan=False)


def pool(logw: list[float | None], cells: list[str] | None = None, siblings: int = 1) -> pa.Table:
    n = len(logw)
    return pa.table(
        {
            "dialogue_id": [f"d{i:04d}" for i in range(n)],
            "group_id": [f"g{i // siblings:04d}" for i in range(n)],
            "logw": pa.array(logw, pa.float64()),
            "cell": cells or ["act=x"] * n,
        }
    )


def decide(
    table: pa.Table, target: int, minimum: int = 0, reference: pa.Table | None = REFERENCE, seed: int = 0
) -> dict[str, Selection]:
    return dict(DistributionMatch(minimum=minimum).select(table, reference, target, seed))


@settings(max_examples=60)
@given(st.data(), st.integers(1, 3), st.integers(0, 3))
def test_the_kept_size_is_exact_for_every_multiple_of_the_group_size(data: st.DataObject, siblings: int, seed: int):
    groups = data.draw(st.integers(1, 40))
    logw = data.draw(st.lists(st.none() | LOGW, min_size=groups * siblings, max_size=groups * siblings))
    target = data.draw(st.integers(0, groups)) * siblings
    cells = [f"act={i % 3}" for i in range(len(logw))]
    kept = [name for name, s in decide(pool(logw, cells, siblings), target, seed=seed).items() if s.keep]
    assert len(kept) == target
    assert set(Counter(int(name[1:]) // siblings for name in kept).values()) <= {siblings}


@given(st.lists(LOGW, min_size=2, max_size=30), st.data())
def test_inclusion_probabilities_add_up_to_the_target_and_grow_with_the_ratio(logw: list[float], data: st.DataObject):
    target = data.draw(st.integers(0, len(logw)))
    pi = inclusion(logw, [1] * len(logw), target)
    assert pi.sum() == pytest.approx(target, abs=1e-6)
    assert ((pi >= 0) & (pi <= 1)).all()
    assert (np.diff(pi[np.argsort(logw)]) >= -1e-9).all()


def test_probabilities_are_proportional_to_the_ratio_below_one():
    pi = inclusion(np.log([8.0, 2.0, 1.0, 1.0]).tolist(), [1, 1, 1, 1], 2)
    assert pi.tolist() == pytest.approx([1.0, 0.5, 0.25, 0.25])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1, exclude_max=True))
def test_systematic_sampling_draws_each_position_once_and_as_many_as_the_sum_says(pi: list[float], start: float):
    drawn = systematic(np.asarray(pi), start)
    assert len(drawn) == len(set(drawn)) == round(sum(pi))
    assert all(0 <= i < len(pi) for i in drawn)


@given(st.permutations(list(range(12))))
def test_the_order_of_the_rows_changes_nothing(order: list[int]):
    table = pool([i / 5 for i in range(12)], [f"act={i % 2}" for i in range(12)])
    assert decide(table.take(order), 6) == decide(table, 6)


def test_a_label_that_is_twice_too_frequent_is_evened_out():
    cells = ["question=none"] * 200 + ["question=some"] * 100
    logw = np.log([0.75] * 200 + [1.5] * 100).tolist()
    kept = [name for name, s in decide(pool(logw, cells), 120).items() if s.keep]
    assert Counter(int(name[1:]) < 200 for name in kept) == {True: 60, False: 60}


def test_what_is_dropped_says_why_and_carries_its_probability():
    selections = decide(pool([-1.0] * 60 + [1.0] * 60), 60)
    dropped = [s for s in selections.values() if not s.keep]
    assert {s.reason for s in dropped} == {"over_represented"}
    assert all(s.pi is not None and 0 < s.pi < 1 for s in dropped)
    assert sum(s.logw == -1.0 for s in dropped) > 50


def test_below_the_minimum_nothing_is_matched_and_the_surplus_goes():
    selections = decide(pool([float(i) for i in range(12)]), 8, minimum=100)
    assert Counter((s.keep, s.reason) for s in selections.values()) == {
        (True, "too_few_to_match"): 8,
        (False, "over_target"): 4,
    }


@pytest.mark.parametrize("table", [pool([None] * 120), pool([1.0] * 120)])
def test_without_a_reference_or_any_score_nothing_is_matched(table: pa.Table):
    reference = None if table["logw"][0].as_py() else REFERENCE
    selections = decide(table, 100, minimum=100, reference=reference)
    assert Counter((s.keep, s.reason) for s in selections.values()) == {
        (True, "no_reference"): 100,
        (False, "over_target"): 20,
    }


def test_a_target_beyond_the_pool_keeps_all_of_it():
    assert all(s.keep and s.pi == 1.0 for s in decide(pool([-3.0, 0.0, 3.0]), 10).values())


def test_an_empty_pool_is_decided_without_a_row():
    assert decide(pa.table({}), 5) == {}
